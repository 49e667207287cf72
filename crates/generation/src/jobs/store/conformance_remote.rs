//! Conformance of providers' jobs: how far they are, by which id they are found, and what becomes of the money that is reserved for them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use remote_providers::{RemoteState, VideoRequest};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Claimed, LEASE, Lease, Synced, UntoldCancel,
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

async fn take(store: &Store, new: NewJob, booking: Booking) -> Result<Job, SubmitError> {
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

pub(super) async fn a_provider_is_to_be_told_of_a_cancelled_job_until_it_was(store: &Store, _clock: &Clock) {
    for id in ["waits", "known", "asked", "ended"] {
        take(store, remote_job(id), booking(0, None)).await.unwrap();
    }
    for (id, remote_id) in [("known", Some("1")), ("asked", None), ("ended", Some("2"))] {
        let lease = claim(store, id).await.unwrap();
        assert!(store.record_remote(&lease, &record(true, remote_id), Synced::Now).await.unwrap());
        if id == "ended" {
            assert!(store.fail(&lease, &error(), Charge::IfAsked).await.unwrap());
        }
    }
    assert_eq!(store.untold_cancels().await.unwrap(), []);
    for id in ["waits", "known", "asked", "ended"] {
        store.cancel("a", id).await.unwrap();
    }
    let known = UntoldCancel { job: "known".into(), provider: "veo".into(), remote_id: "1".into() };
    for _ in 0..2 {
        assert_eq!(store.untold_cancels().await.unwrap(), std::slice::from_ref(&known));
        store.recover().await.unwrap();
    }
    for id in ["known", "known", "none"] {
        store.cancel_told(id).await.unwrap();
        assert_eq!(store.untold_cancels().await.unwrap(), []);
    }
    assert_eq!(get(store, "known").await.remote_id(), Some("1"));
}

pub(super) async fn a_providers_record_is_handed_back_by_the_next_claim(store: &Store, clock: &Clock) {
    let job = take(store, remote_job("x"), booking(5, None)).await.unwrap();
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
    assert_eq!(kinds(store, "x").await, ["queued", "started", "remote"], "its id is told once");
    let told = store.events("a", "x", 0, 10).await.unwrap().unwrap().pop().unwrap();
    assert_eq!(told.data, json!({"provider": "veo", "id": "job/1"}));
    // The worker is lost, and its word does not count any more.
    clock.advance(LEASE);
    let Claimed::Work(next, _, Some(back)) = store.claim("x", "veo", 5).await.unwrap() else { panic!("a provider has it") };
    assert_eq!((back, next.epoch), (known.clone(), 2));
    assert!(!store.record_remote(&lease, &record(true, Some("job/1")), Synced::Now).await.unwrap());
    assert!(store.complete(&next, &outcome(), &[file("video.mp4", 7)]).await.unwrap());
    assert!(!store.record_remote(&next, &known, Synced::Now).await.unwrap(), "one that has ended is left as it is");
    assert_eq!(get(store, "x").await.remote_id(), Some("job/1"));
}

pub(super) async fn a_job_is_found_by_its_providers_id_by_its_owner_alone(store: &Store, _clock: &Clock) {
    for id in ["x", "y", "z"] {
        let owner = if id == "z" { "b" } else { "a" };
        take(store, NewJob { owner: owner.into(), ..remote_job(id) }, booking(0, None)).await.unwrap();
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

pub(super) async fn a_provider_that_has_a_job_is_asked_however_often_the_program_ends(store: &Store, clock: &Clock) {
    take(store, remote_job("x"), booking(0, None)).await.unwrap();
    let lease = claim(store, "x").await.unwrap();
    assert!(store.record_remote(&lease, &record(true, Some("1")), Synced::Now).await.unwrap());
    for _ in 0..9 {
        clock.advance(LEASE);
        assert!(claim(store, "x").await.is_some());
    }
    // One that was only asked may be what takes the program down.
    take(store, remote_job("y"), booking(0, None)).await.unwrap();
    for _ in 0..5 {
        let lease = claim(store, "y").await.unwrap();
        assert!(store.record_remote(&lease, &record(true, None), Synced::Now).await.unwrap());
        clock.advance(LEASE);
    }
    assert!(claim(store, "y").await.is_none());
    assert_eq!(get(store, "y").await.error.unwrap().kind, JobErrorKind::Crashed);
}

/// The ways in which a job ends, and what of its price is spent then.
pub(super) async fn every_end_settles_what_was_reserved(store: &Store, clock: &Clock) {
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
        take(store, remote_job(&id), booking(10, None)).await.unwrap();
        assert_eq!(of_a(store, clock).await, (index as u64 + 1, 10, spent), "{id}: reserved");
        let lease = claim(store, &id).await.unwrap();
        if let Some(record) = reached {
            // Ids are each job's own.
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
        // A late word of its worker changes nothing.
        assert!(!store.fail(&lease, &error(), Charge::Never).await.unwrap());
        assert_eq!(of_a(store, clock).await, (index as u64 + 1, 0, spent), "{id}");
    }
    take(store, remote_job("waits"), booking(10, None)).await.unwrap();
    assert!(matches!(store.cancel("a", "waits").await.unwrap(), Cancelled::Done(_)));
    assert_eq!(of_a(store, clock).await, (10, 0, spent), "one that waited");
}

pub(super) async fn a_released_attempt_keeps_its_reservation(store: &Store, clock: &Clock) {
    take(store, remote_job("x"), booking(10, None)).await.unwrap();
    let lease = claim(store, "x").await.unwrap();
    assert!(store.record_remote(&lease, &record(true, Some("1")), Synced::Now).await.unwrap());
    assert!(store.release(&lease, "the server is shutting down").await.unwrap());
    assert_eq!(of_a(store, clock).await, (1, 10, 0));
    store.recover().await.unwrap();
    assert_eq!(of_a(store, clock).await, (1, 10, 0));
}

pub(super) async fn callers_that_come_at_once_never_spend_more_than_the_budget(store: &Store, clock: &Clock) {
    let mut callers = JoinSet::new();
    for index in 0..64 {
        let store = Arc::clone(store);
        callers.spawn(async move { take(&store, remote_job(&format!("x{index}")), booking(7, Some(75))).await });
    }
    let taken = callers.join_all().await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 10);
    for refused in taken.iter().filter_map(|taken| taken.as_ref().err()) {
        let SubmitError::OverBudget(over) = refused else { panic!("{refused}") };
        assert_eq!((over.cap, over.spent, over.price, over.is_owners), (75, 70, 7, false));
    }
    assert_eq!(of_a(store, clock).await, (10, 70, 0), "what was refused has left nothing");
    assert_eq!(store.stats().await.unwrap().jobs, [(JobState::Queued, 10)]);
}

pub(super) async fn budgets_are_the_providers_and_the_owners_and_each_months_own(store: &Store, clock: &Clock) {
    let capped = |owner_cap| Booking { owner_cap: Some(owner_cap), ..booking(10, Some(25)) };
    let of = |owner: &str, id: &str| NewJob { owner: owner.into(), ..remote_job(id) };
    take(store, of("a", "a1"), capped(15)).await.unwrap();
    let over = take(store, of("a", "a2"), capped(15)).await.unwrap_err();
    assert!(matches!(&over, SubmitError::OverBudget(over) if over.is_owners && over.spent == 10 && over.cap == 15), "{over}");
    take(store, of("b", "b1"), capped(15)).await.unwrap();
    let over = take(store, of("c", "c1"), capped(15)).await.unwrap_err();
    assert!(matches!(&over, SubmitError::OverBudget(over) if !over.is_owners && over.spent == 20), "{over}");
    // Another provider has a budget of its own, and an owner's is for all of them.
    let pika = Booking { provider: "pika".into(), ..capped(15) };
    take(store, of("c", "c2"), pika.clone()).await.unwrap();
    assert!(take(store, of("a", "a3"), pika).await.is_err());
    let expected = |owner: &str| (owner.to_owned(), 1, 10, 0);
    assert_eq!(usage(store, None, clock).await, ["a", "b", "c"].map(expected));
    assert_eq!(usage(store, Some("b"), clock).await, [expected("b")]);
    // A job that ends in another month is counted in the one in which it was taken.
    let first = Month::of(clock.now());
    clock.advance(Duration::from_secs(31 * 24 * 3600));
    assert_ne!(Month::of(clock.now()), first);
    assert_eq!(usage(store, None, clock).await, []);
    let lease = claim(store, "a1").await.unwrap();
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    assert_eq!(usage(store, None, clock).await, []);
    let then = store.usage(Some("a"), first).await.unwrap();
    assert_eq!(then, [Usage { owner: "a".into(), provider: "veo".into(), month: first, jobs: 1, reserved: 0, spent: 10 }]);
    take(store, of("a", "a4"), capped(15)).await.unwrap();
}

pub(super) async fn what_was_spent_outlives_the_job(store: &Store, clock: &Clock) {
    take(store, NewJob { callback_url: None, ..remote_job("x") }, booking(10, None)).await.unwrap();
    let lease = claim(store, "x").await.unwrap();
    assert!(store.record_remote(&lease, &record(true, Some("1")), Synced::Now).await.unwrap());
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    assert_eq!(store.forget_before(clock.now() + Duration::from_secs(1)).await.unwrap(), 1);
    assert!(store.get("a", "x").await.unwrap().is_none());
    assert_eq!(of_a(store, clock).await, (1, 0, 10));
    let over = take(store, remote_job("y"), booking(10, Some(19))).await;
    assert!(matches!(over, Err(SubmitError::OverBudget(_))));
}

pub(super) async fn a_request_that_is_sent_again_reserves_nothing(store: &Store, clock: &Clock) {
    let named = |id: &str| NewJob { idempotency: Some(Idempotency { key: "key".into(), fingerprint: "one".into() }), ..remote_job(id) };
    take(store, named("x"), booking(10, Some(10))).await.unwrap();
    // The budget is used up, and the same request is answered with its job all the same.
    assert_eq!(take(store, named("y"), booking(10, Some(10))).await.unwrap().id, "x");
    assert!(matches!(take(store, remote_job("x"), booking(0, None)).await, Err(SubmitError::IdTaken(_))));
    assert_eq!(of_a(store, clock).await, (1, 10, 0));
}

pub(super) async fn a_routed_job_says_so_and_a_local_one_has_no_provider(store: &Store, _clock: &Clock) {
    let routed = Booking { routed_to: Some("veo/veo_3_1".into()), ..booking(1, None) };
    take(store, remote_job("x"), routed).await.unwrap();
    let events = store.events("a", "x", 0, 10).await.unwrap().unwrap();
    let told: Vec<_> = events.into_iter().map(|event| (event.kind, event.data)).collect();
    let expected = [("queued".to_owned(), json!({})), ("routed".to_owned(), json!({"model": "veo/veo_3_1", "instead_of": "local"}))];
    assert_eq!(told, expected);
    let lease: Lease = insert_and_claim(store, "y").await;
    assert!(get(store, "y").await.remote.is_none());
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    let none: Vec<Usage> = store.usage(None, Month::of(SystemTime::UNIX_EPOCH)).await.unwrap();
    assert!(none.is_empty());
}
