//! Conformance of remote jobs: their records, lookup by the provider's id, and the settlement of their reservations.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use remote_providers::{RemoteState, VideoRequest};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Claimed, LEASE, Lease, PendingCancel, Synced,
    conformance::{Clock, Store, claim, error, file, get, insert_and_claim, kinds, new_job, outcome},
};
use crate::{
    backend::RemoteRecord,
    jobs::{
        error::SubmitError,
        month::Month,
        record::{Cancelled, Idempotency, Job, JobErrorKind, NewJob},
        spend::{Booking, Charge, Usage},
        state::JobState,
    },
    spec::video::{RemoteVideoSpec, VideoSpec},
    work::Work,
};

fn remote_job(id: &str) -> NewJob {
    let request = VideoRequest { prompt: "a boat".into(), ..VideoRequest::default() };
    NewJob { work: Work::Video(VideoSpec::Remote(RemoteVideoSpec::new("veo/veo_3_1", request))), ..new_job(id) }
}

fn booking(price: u64, cap: Option<u64>) -> Booking {
    Booking { provider: "veo".into(), price, provider_cap: cap, owner_cap: None, routed_to: None }
}

async fn insert_remote(store: &Store, new: NewJob, booking: Booking) -> Result<Job, SubmitError> {
    Ok(store.insert(new, Some(booking), Instant::now() + Duration::from_secs(60)).await?.job)
}

fn record(asked: bool, id: Option<&str>) -> RemoteRecord {
    RemoteRecord { state: RemoteState { token: "t".into(), asked, id: id.map(str::to_owned) }, prompt: None }
}

async fn usage(store: &Store, owner: Option<&str>, clock: &Clock) -> Vec<(String, u64, u64, u64)> {
    let usage = store.usage(owner, Month::of(clock.now())).await.unwrap();
    usage.into_iter().map(|Usage { owner, jobs, reserved, spent, .. }| (owner, jobs, reserved, spent)).collect()
}

async fn of_a(store: &Store, clock: &Clock) -> (u64, u64, u64) {
    usage(store, Some("a"), clock).await.first().map_or((0, 0, 0), |(_, jobs, reserved, spent)| (*jobs, *reserved, *spent))
}

pub(super) async fn a_cancellation_stays_untold_until_the_provider_is_told(store: &Store, _clock: &Clock) {
    for id in ["waits", "known", "asked", "ended"] {
        insert_remote(store, remote_job(id), booking(0, None)).await.unwrap();
    }
    for (id, remote_id) in [("known", Some("1")), ("asked", None), ("ended", Some("2"))] {
        let lease = claim(store, id).await.unwrap();
        assert!(store.record_remote(&lease, &record(true, remote_id), Synced::Now).await.unwrap());
        if id == "ended" {
            assert!(store.fail(&lease, &error(), Charge::IfAsked).await.unwrap());
        }
    }
    assert_eq!(store.pending_cancels().await.unwrap(), []);
    for id in ["waits", "known", "asked", "ended"] {
        store.cancel("a", id).await.unwrap();
    }
    let known = PendingCancel { job: "known".into(), provider: "veo".into(), remote_id: "1".into() };
    for _ in 0..2 {
        assert_eq!(store.pending_cancels().await.unwrap(), std::slice::from_ref(&known));
        store.recover().await.unwrap();
    }
    for id in ["known", "known", "none"] {
        store.cancel_delivered(id).await.unwrap();
        assert_eq!(store.pending_cancels().await.unwrap(), []);
    }
    assert_eq!(get(store, "known").await.remote_id(), Some("1"));
}

pub(super) async fn the_next_claim_returns_the_providers_record(store: &Store, clock: &Clock) {
    let job = insert_remote(store, remote_job("x"), booking(5, None)).await.unwrap();
    assert_eq!(job.remote.as_ref().map(|remote| remote.provider.as_str()), Some("veo"));
    assert_eq!(store.recover().await.unwrap()[0].provider.as_deref(), Some("veo"));
    let Claimed::Work(lease, _, None) = store.claim("x", "veo", 5).await.unwrap() else { panic!("it waits, and nobody was asked") };
    let asked = RemoteRecord { prompt: Some("a boat at dawn".into()), ..record(true, None) };
    assert!(store.record_remote(&lease, &asked, Synced::Now).await.unwrap());
    let known = RemoteRecord { prompt: asked.prompt.clone(), ..record(true, Some("job/1")) };
    assert!(
        store.record_remote(&lease, &known, Synced::Now).await.unwrap() && store.record_remote(&lease, &known, Synced::Now).await.unwrap()
    );
    let seen = get(store, "x").await;
    assert_eq!((seen.remote_id(), seen.remote.as_ref().unwrap().prompt.as_deref()), (Some("job/1"), Some("a boat at dawn")));
    assert_eq!(kinds(store, "x").await, ["queued", "started", "remote"], "its id is announced once");
    let last = store.events("a", "x", 0, 10).await.unwrap().unwrap().pop().unwrap();
    assert_eq!(last.data, json!({"provider": "veo", "id": "job/1"}));
    // The worker has lost its lease, so its writes do not count any more.
    clock.advance(LEASE);
    let Claimed::Work(next, _, Some(back)) = store.claim("x", "veo", 5).await.unwrap() else { panic!("a provider has it") };
    assert_eq!((back, next.epoch), (known.clone(), 2));
    assert!(!store.record_remote(&lease, &record(true, Some("job/1")), Synced::Now).await.unwrap());
    assert!(store.complete(&next, &outcome(), &[file("video.mp4", 7)]).await.unwrap());
    assert!(!store.record_remote(&next, &known, Synced::Now).await.unwrap(), "one that has ended is left as it is");
    assert_eq!(get(store, "x").await.remote_id(), Some("job/1"));
}

pub(super) async fn only_its_owner_finds_a_job_by_its_providers_id(store: &Store, _clock: &Clock) {
    for id in ["x", "y", "z"] {
        let owner = if id == "z" { "b" } else { "a" };
        insert_remote(store, NewJob { owner: owner.into(), ..remote_job(id) }, booking(0, None)).await.unwrap();
        let lease = claim(store, id).await.unwrap();
        let known = if id == "x" { "arn:1" } else { "arn:2" };
        assert!(store.record_remote(&lease, &record(true, Some(known)), Synced::Now).await.unwrap());
    }
    let found = |owner: &'static str, id: &'static str| async move { store.find_remote(owner, id).await.unwrap().map(|job| job.id) };
    assert_eq!(found("a", "arn:1").await.as_deref(), Some("x"));
    assert_eq!(found("a", "arn:2").await.as_deref(), Some("y"));
    assert_eq!(found("b", "arn:2").await.as_deref(), Some("z"));
    assert_eq!((found("b", "arn:1").await, found("a", "arn").await, found("a", "").await), (None, None, None));
}

pub(super) async fn a_job_at_a_provider_is_claimed_again_after_any_number_of_crashes(store: &Store, clock: &Clock) {
    insert_remote(store, remote_job("x"), booking(0, None)).await.unwrap();
    let lease = claim(store, "x").await.unwrap();
    assert!(store.record_remote(&lease, &record(true, Some("1")), Synced::Now).await.unwrap());
    for _ in 0..9 {
        clock.advance(LEASE);
        assert!(claim(store, "x").await.is_some());
    }
    // A job that was only asked for may be what crashes the program.
    insert_remote(store, remote_job("y"), booking(0, None)).await.unwrap();
    for _ in 0..5 {
        let lease = claim(store, "y").await.unwrap();
        assert!(store.record_remote(&lease, &record(true, None), Synced::Now).await.unwrap());
        clock.advance(LEASE);
    }
    assert!(claim(store, "y").await.is_none());
    assert_eq!(get(store, "y").await.error.unwrap().kind, JobErrorKind::Crashed);
}

/// For each end of a job: how much of its price is spent.
pub(super) async fn every_end_settles_the_reservation(store: &Store, clock: &Clock) {
    let (none, asked, known) = (None, Some(record(true, None)), Some(record(true, Some("1"))));
    let prompted = Some(RemoteRecord { prompt: Some("x".into()), ..record(false, None) });
    let cases: [(&str, &Option<RemoteRecord>, Option<Charge>, u64); 9] = [
        ("completed", &known, None, 10),
        ("failed", &none, Some(Charge::IfAsked), 0),
        ("failed", &prompted, Some(Charge::IfAsked), 0),
        ("failed", &asked, Some(Charge::IfAsked), 10),
        ("failed", &known, Some(Charge::IfAsked), 10),
        ("failed", &known, Some(Charge::Never), 0),
        ("cancelled", &none, None, 0),
        ("cancelled", &asked, None, 10),
        ("cancelled", &known, None, 10),
    ];
    let mut spent = 0;
    for (index, (end, reached, charge, costs)) in cases.into_iter().enumerate() {
        let id = format!("x{index}");
        insert_remote(store, remote_job(&id), booking(10, None)).await.unwrap();
        assert_eq!(of_a(store, clock).await, (index as u64 + 1, 10, spent), "{id}: reserved");
        let lease = claim(store, &id).await.unwrap();
        if let Some(record) = reached {
            // Provider ids are unique per job.
            let id = record.id().map(|known| format!("{known}-{index}"));
            let record = RemoteRecord { state: RemoteState { id, ..record.state.clone() }, ..record.clone() };
            assert!(store.record_remote(&lease, &record, Synced::Now).await.unwrap());
        }
        let is_ended = match (end, charge) {
            ("completed", _) => store.complete(&lease, &outcome(), &[]).await.unwrap(),
            ("failed", Some(charge)) => store.fail(&lease, &error(), charge).await.unwrap(),
            _ => matches!(store.cancel("a", &id).await.unwrap(), Cancelled::Done(_)),
        };
        assert!(is_ended);
        spent += costs;
        assert_eq!(of_a(store, clock).await, (index as u64 + 1, 0, spent), "{id}: {end}, {reached:?}, {charge:?}");
        // A late write of its worker changes nothing.
        assert!(!store.fail(&lease, &error(), Charge::Never).await.unwrap());
        assert_eq!(of_a(store, clock).await, (index as u64 + 1, 0, spent), "{id}");
    }
    insert_remote(store, remote_job("waits"), booking(10, None)).await.unwrap();
    assert!(matches!(store.cancel("a", "waits").await.unwrap(), Cancelled::Done(_)));
    assert_eq!(of_a(store, clock).await, (10, 0, spent), "one that waited");
}

pub(super) async fn a_released_attempt_keeps_its_reservation(store: &Store, clock: &Clock) {
    insert_remote(store, remote_job("x"), booking(10, None)).await.unwrap();
    let lease = claim(store, "x").await.unwrap();
    assert!(store.record_remote(&lease, &record(true, Some("1")), Synced::Now).await.unwrap());
    assert!(store.release(&lease, "the server is shutting down").await.unwrap());
    assert_eq!(of_a(store, clock).await, (1, 10, 0));
    store.recover().await.unwrap();
    assert_eq!(of_a(store, clock).await, (1, 10, 0));
}

pub(super) async fn concurrent_callers_never_exceed_the_budget(store: &Store, clock: &Clock) {
    let mut callers = JoinSet::new();
    for index in 0..64 {
        let store = Arc::clone(store);
        callers.spawn(async move { insert_remote(&store, remote_job(&format!("x{index}")), booking(7, Some(75))).await });
    }
    let inserted = callers.join_all().await;
    assert_eq!(inserted.iter().filter(|inserted| inserted.is_ok()).count(), 10);
    for refused in inserted.iter().filter_map(|inserted| inserted.as_ref().err()) {
        let SubmitError::OverBudget(over) = refused else { panic!("{refused}") };
        assert_eq!((over.cap, over.spent, over.price, over.is_owners), (75, 70, 7, false));
    }
    assert_eq!(of_a(store, clock).await, (10, 70, 0), "what was refused has left nothing");
    assert_eq!(store.stats().await.unwrap().jobs, [(JobState::Queued, 10)]);
}

pub(super) async fn budgets_apply_per_provider_per_owner_and_per_month(store: &Store, clock: &Clock) {
    let capped = |owner_cap| Booking { owner_cap: Some(owner_cap), ..booking(10, Some(25)) };
    let of = |owner: &str, id: &str| NewJob { owner: owner.into(), ..remote_job(id) };
    insert_remote(store, of("a", "a1"), capped(15)).await.unwrap();
    let over = insert_remote(store, of("a", "a2"), capped(15)).await.unwrap_err();
    assert!(matches!(&over, SubmitError::OverBudget(over) if over.is_owners && over.spent == 10 && over.cap == 15), "{over}");
    insert_remote(store, of("b", "b1"), capped(15)).await.unwrap();
    let over = insert_remote(store, of("c", "c1"), capped(15)).await.unwrap_err();
    assert!(matches!(&over, SubmitError::OverBudget(over) if !over.is_owners && over.spent == 20), "{over}");
    // Another provider has its own budget; an owner's budget covers all providers.
    let pika = Booking { provider: "pika".into(), ..capped(15) };
    insert_remote(store, of("c", "c2"), pika.clone()).await.unwrap();
    assert!(insert_remote(store, of("a", "a3"), pika).await.is_err());
    let expected = |owner: &str| (owner.to_owned(), 1, 10, 0);
    assert_eq!(usage(store, None, clock).await, ["a", "b", "c"].map(expected));
    assert_eq!(usage(store, Some("b"), clock).await, [expected("b")]);
    // A job that ends in a later month counts in the month in which it was accepted.
    let first = Month::of(clock.now());
    clock.advance(Duration::from_secs(31 * 24 * 3600));
    assert_ne!(Month::of(clock.now()), first);
    assert_eq!(usage(store, None, clock).await, []);
    let lease = claim(store, "a1").await.unwrap();
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    assert_eq!(usage(store, None, clock).await, []);
    let then = store.usage(Some("a"), first).await.unwrap();
    assert_eq!(then, [Usage { owner: "a".into(), provider: "veo".into(), month: first, jobs: 1, reserved: 0, spent: 10 }]);
    insert_remote(store, of("a", "a4"), capped(15)).await.unwrap();
}

pub(super) async fn spending_outlives_the_job(store: &Store, clock: &Clock) {
    insert_remote(store, NewJob { callback_url: None, ..remote_job("x") }, booking(10, None)).await.unwrap();
    let lease = claim(store, "x").await.unwrap();
    assert!(store.record_remote(&lease, &record(true, Some("1")), Synced::Now).await.unwrap());
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    assert_eq!(store.forget_before(clock.now() + Duration::from_secs(1)).await.unwrap(), 1);
    assert!(store.get("a", "x").await.unwrap().is_none());
    assert_eq!(of_a(store, clock).await, (1, 0, 10));
    let over = insert_remote(store, remote_job("y"), booking(10, Some(19))).await;
    assert!(matches!(over, Err(SubmitError::OverBudget(_))));
}

pub(super) async fn a_repeated_request_reserves_nothing(store: &Store, clock: &Clock) {
    let named = |id: &str| NewJob { idempotency: Some(Idempotency { key: "key".into(), fingerprint: "one".into() }), ..remote_job(id) };
    insert_remote(store, named("x"), booking(10, Some(10))).await.unwrap();
    // The budget is used up, but a repeated request still gets its job.
    assert_eq!(insert_remote(store, named("y"), booking(10, Some(10))).await.unwrap().id, "x");
    assert!(matches!(insert_remote(store, remote_job("x"), booking(0, None)).await, Err(SubmitError::IdTaken(_))));
    assert_eq!(of_a(store, clock).await, (1, 10, 0));
}

pub(super) async fn a_routed_job_has_a_routed_event_and_a_local_one_has_no_provider(store: &Store, _clock: &Clock) {
    let routed = Booking { routed_to: Some("veo/veo_3_1".into()), ..booking(1, None) };
    insert_remote(store, remote_job("x"), routed).await.unwrap();
    let events = store.events("a", "x", 0, 10).await.unwrap().unwrap();
    let announced: Vec<_> = events.into_iter().map(|event| (event.kind, event.data)).collect();
    let expected = [("queued".to_owned(), json!({})), ("routed".to_owned(), json!({"model": "veo/veo_3_1", "instead_of": "local"}))];
    assert_eq!(announced, expected);
    let lease: Lease = insert_and_claim(store, "y").await;
    assert!(get(store, "y").await.remote.is_none());
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    let none: Vec<Usage> = store.usage(None, Month::of(SystemTime::UNIX_EPOCH)).await.unwrap();
    assert!(none.is_empty());
}
