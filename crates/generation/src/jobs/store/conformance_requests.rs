//! Conformance of a caller's requests: jobs, idempotency keys, lists, events.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use remote_providers::VideoRequest;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Claimed, LEASE, Lease, OwnerEvents, ProgressRecord, Stats, Synced,
    conformance::{
        Clock, Store, claim, error, file, get, ids, insert, insert_and_claim, kinds, new_job, outcome, page, progress, work_of, work_with,
    },
};
use crate::{
    jobs::{
        error::SubmitError,
        record::{Cancelled, Idempotency, Metadata, NewJob, Page},
        spend::{Booking, Charge},
        state::JobState,
    },
    spec::{
        image::ImageMode,
        video::{RemoteVideoSpec, VideoSpec},
    },
    work::{Priority, Work, WorkKind, WorkSummary},
};

pub(super) async fn a_job_goes_through_its_states_and_each_is_announced(store: &Store, clock: &Clock) {
    let created = clock.now();
    let job = insert(store, new_job("x")).await;
    assert_eq!((job.id.as_str(), job.owner.as_str(), job.priority, job.state), ("x", "a", Priority::High, JobState::Queued));
    assert_eq!(job.metadata, Metadata { kind: "task".into(), data: json!({"k": [1, 2.5]}), request: json!({"path": "/again"}) });
    assert_eq!((job.created_at, job.updated_at, job.started_at, job.finished_at), (created, created, None, None));
    assert_eq!((job.attempts, job.progress.parts, job.progress.started), (0, 1, false));

    clock.advance(Duration::from_millis(10));
    let started = clock.now();
    let lease = claim(store, "x").await.unwrap();
    assert_eq!(lease, Lease { job: "x".into(), epoch: 1 });
    clock.advance(Duration::from_millis(10));
    assert!(store.record_progress(&lease, progress(40), Synced::Later).await.unwrap());
    let part = ProgressRecord { percent: 99, kind: "part", data: json!({"part": 1}) };
    assert!(store.record_progress(&lease, part, Synced::Now).await.unwrap());
    let job = get(store, "x").await;
    assert_eq!((job.state, job.attempts, job.progress.share, job.progress.started), (JobState::Running, 1, 0.99, true));
    assert_eq!((job.started_at, job.updated_at), (Some(started), clock.now()));
    assert_eq!(store.state("x").await.unwrap(), Some(JobState::Running));

    clock.advance(Duration::from_millis(10));
    assert!(store.complete(&lease, &outcome(), &[file("image-0.png", 7), file("image-1.png", 8)]).await.unwrap());
    let job = get(store, "x").await;
    assert_eq!((job.state, job.finished_at, job.progress.share, job.progress.part), (JobState::Completed, Some(clock.now()), 1.0, 1));
    assert_eq!((job.outcome, job.error), (Some(outcome()), None));
    assert_eq!(job.artifacts, [file("image-0.png", 7), file("image-1.png", 8)]);
    let events = store.events("a", "x", 0, 100).await.unwrap().unwrap();
    let announced: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.data.clone())).collect();
    let expected = [
        ("queued", json!({})),
        ("started", json!({"attempt": 1})),
        ("progress", json!({"progress": 40})),
        ("part", json!({"part": 1})),
        ("completed", json!({"files": ["image-0.png", "image-1.png"]})),
    ];
    assert_eq!(announced, expected);
    assert_eq!((events[0].at, events[1].at, events[4].at), (created, started, clock.now()));

    let lease = insert_and_claim(store, "y").await;
    assert!(store.fail(&lease, &error(), Charge::IfAsked).await.unwrap());
    let job = get(store, "y").await;
    assert_eq!((job.state, job.error, job.outcome), (JobState::Failed, Some(error()), None));
    let end = store.events("a", "y", 0, 100).await.unwrap().unwrap().pop().unwrap();
    assert_eq!((end.kind.as_str(), end.data), ("failed", json!({"kind": "model", "message": "a reason", "retryable": true})));
    for lease in [lease, Lease { job: "x".into(), epoch: 1 }] {
        assert!(claim(store, &lease.job).await.is_none(), "it has ended");
        assert!(!store.complete(&lease, &outcome(), &[]).await.unwrap() && !store.fail(&lease, &error(), Charge::IfAsked).await.unwrap());
    }
}

pub(super) async fn work_is_read_back_bit_for_bit(store: &Store, _clock: &Clock) {
    insert(store, new_job("x")).await;
    let Claimed::Work(_, work, _) = store.claim("x", "worker", 5).await.unwrap() else { panic!("it waits") };
    let Work::Image(spec) = work.as_ref() else { panic!("images went in") };
    assert_eq!((spec.prompt(), spec.guidance_scale().to_bits(), spec.width()), ("a boat", (0.1_f64 + 0.2).to_bits(), 64));
    assert_eq!(spec.scheduler().unwrap().to_string(), "dpmpp-2m-karras");
    let ImageMode::ImageToImage { init_image, .. } = spec.mode() else { panic!("there was an image") };
    assert_eq!((init_image.dimensions(), init_image.get_pixel(63, 70).0), ((64, 72), [63, 70, 9]));
}

fn named(id: &str, owner: &str, key: &str, fingerprint: &str) -> NewJob {
    let idempotency = Some(Idempotency { key: key.into(), fingerprint: fingerprint.into() });
    NewJob { owner: owner.into(), idempotency, ..new_job(id) }
}

pub(super) async fn an_idempotency_key_makes_one_job(store: &Store, clock: &Clock) {
    let soon = Instant::now() + Duration::from_secs(60);
    let first = store.insert(named("x", "a", "key", "one"), None, soon).await.unwrap();
    let again = store.insert(named("y", "a", "key", "one"), None, soon).await.unwrap();
    assert_eq!((first.replayed, again.replayed, again.job.id.as_str()), (false, true, "x"));
    let conflict = store.insert(named("y", "a", "key", "another"), None, soon).await.unwrap_err();
    assert!(matches!(&conflict, SubmitError::IdempotencyConflict { key } if key == "key"), "{conflict}");
    assert!(store.state("y").await.unwrap().is_none());
    assert!(!store.insert(named("z", "b", "key", "another"), None, soon).await.unwrap().replayed, "another owner's name");

    let name = |fingerprint: &str| Idempotency { key: "key".into(), fingerprint: fingerprint.into() };
    assert_eq!(store.find_replay("a", &name("one")).await.unwrap().unwrap().id, "x");
    assert!(matches!(store.find_replay("a", &name("another")).await, Err(SubmitError::IdempotencyConflict { .. })));
    assert!(store.find_replay("c", &name("one")).await.unwrap().is_none());

    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Done(_)));
    assert_eq!(store.find_replay("a", &name("one")).await.unwrap().unwrap().state, JobState::Cancelled);
    clock.advance(Duration::from_secs(1));
    for delivery in store.due_deliveries(10).await.unwrap() {
        store.delivery_tried(delivery.id, None, None).await.unwrap();
    }
    assert_eq!(store.forget_before(clock.now()).await.unwrap(), 1);
    assert!(!store.insert(named("y", "a", "key", "another"), None, soon).await.unwrap().replayed, "the name went with its job");
}

pub(super) async fn concurrent_duplicates_make_one_job(store: &Store, _clock: &Clock) {
    let mut twins = JoinSet::new();
    for index in 0..8 {
        let store = Arc::clone(store);
        twins.spawn(
            async move { store.insert(named(&format!("x{index}"), "a", "key", "one"), None, Instant::now() + LEASE).await.unwrap() },
        );
    }
    let inserted = twins.join_all().await;
    assert_eq!(inserted.iter().filter(|inserted| !inserted.replayed).count(), 1);
    let ids: HashSet<&str> = inserted.iter().map(|inserted| inserted.job.id.as_str()).collect();
    assert_eq!((ids.len(), self::ids(store, "a", page()).await.len()), (1, 1));
}

pub(super) async fn an_id_is_used_once(store: &Store, _clock: &Clock) {
    insert(store, new_job("x")).await;
    let again = store.insert(NewJob { owner: "b".into(), ..new_job("x") }, None, Instant::now() + LEASE).await;
    assert!(matches!(again, Err(SubmitError::IdTaken(id)) if id == "x"));
    assert_eq!((kinds(store, "x").await, ids(store, "b", page()).await), (vec!["queued".to_owned()], vec![]));
}

pub(super) async fn lists_are_paged_both_ways_and_filtered(store: &Store, _clock: &Clock) {
    let mut numbers = Vec::new();
    for index in 0..6 {
        let owner = if index == 3 { "b" } else { "a" };
        let kind = if index % 2 == 0 { "task" } else { "character" };
        let metadata = Metadata { kind: kind.into(), data: json!(index), ..Metadata::default() };
        numbers.push(insert(store, NewJob { owner: owner.into(), metadata, ..new_job(&format!("x{index}")) }).await.number);
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(ids(store, "a", page()).await, ["x0", "x1", "x2", "x4", "x5"]);
    assert_eq!(ids(store, "a", Page { newest_first: true, ..page() }).await, ["x5", "x4", "x2", "x1", "x0"]);
    for (newest_first, expected) in [(false, ["x0", "x1", "x2", "x4", "x5"]), (true, ["x5", "x4", "x2", "x1", "x0"])] {
        let (mut found, mut beyond) = (Vec::new(), None);
        while let [last, ..] = store.list("a", &Page { beyond, limit: 1, newest_first, ..page() }).await.unwrap().as_slice() {
            beyond = Some(last.number);
            found.push(last.id.clone());
        }
        assert_eq!(found, expected);
    }
    claim(store, "x2").await.unwrap();
    claim(store, "x5").await.unwrap();
    assert_eq!(ids(store, "a", Page { states: vec![JobState::Running], ..page() }).await, ["x2", "x5"]);
    assert_eq!(ids(store, "a", Page { kind: Some("character".into()), ..page() }).await, ["x1", "x5"]);
    let both = Page { states: vec![JobState::Running], kind: Some("character".into()), ..page() };
    assert_eq!(ids(store, "a", both).await, ["x5"]);
    assert!(ids(store, "a", Page { kind: Some("other".into()), ..page() }).await.is_empty());
    assert!(ids(store, "a", Page { limit: 0, ..page() }).await.is_empty());
    assert!(ids(store, "c", page()).await.is_empty());
}

pub(super) async fn lists_are_searched_by_words_in_any_case_and_by_what_jobs_make(store: &Store, _clock: &Clock) {
    let image = |id: &str, prompt: &str| NewJob { work: work_with(prompt, None), ..new_job(id) };
    insert(store, image("x0", "A Boat at sunset")).await;
    insert(store, image("x1", "a sunset over 100% of the \u{c4}pfel")).await;
    insert(store, image("x2", "boats, and a SUNSET")).await;
    insert(store, NewJob { owner: "b".into(), ..image("x3", "a boat at sunset") }).await;
    let request = VideoRequest { prompt: "a boat in a film".into(), ..VideoRequest::default() };
    let work = Work::Video(VideoSpec::Remote(RemoteVideoSpec::new("veo", request)));
    let booking = Booking { provider: "veo".into(), price: 0, routed_to: None, provider_cap: None, owner_cap: None };
    let until = Instant::now() + Duration::from_secs(60);
    store.insert(NewJob { work, ..new_job("x4") }, Some(booking), until).await.unwrap();
    let found = async |words: &[&str], work_kind| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        ids(store, "a", Page { words, work_kind, ..page() }).await
    };
    assert_eq!(found(&["boat"], None).await, ["x0", "x2", "x4"]);
    assert_eq!(found(&["SunSet", "BOAT"], None).await, ["x0", "x2"]);
    assert_eq!(found(&["\u{e4}PFEL"], None).await, ["x1"]);
    assert_eq!(found(&["100%"], None).await, ["x1"], "a word is no pattern");
    assert!(found(&["a_boat"], None).await.is_empty() && found(&["boat", "star"], None).await.is_empty());
    assert_eq!(found(&[], Some(WorkKind::Video)).await, ["x4"]);
    assert_eq!(found(&["boat"], Some(WorkKind::Image)).await, ["x0", "x2"]);
    assert!(found(&[], Some(WorkKind::Upscale)).await.is_empty());
    claim(store, "x0").await.unwrap();
    assert!(matches!(store.cancel("a", "x2").await.unwrap(), Cancelled::Done(_)));
    let states = vec![JobState::Running, JobState::Cancelled];
    let words = vec!["boat".to_owned()];
    assert_eq!(ids(store, "a", Page { states, ..page() }).await, ["x0", "x2"]);
    let last = Page { words, newest_first: true, limit: 2, beyond: Some(get(store, "x4").await.number), ..page() };
    assert_eq!(ids(store, "a", last).await, ["x2", "x0"]);
}

pub(super) async fn what_a_job_makes_is_known_after_its_end(store: &Store, _clock: &Clock) {
    insert(store, NewJob { work: work_of(Some("turbo")), ..new_job("x") }).await;
    let lease = claim(store, "x").await.unwrap();
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    let job = get(store, "x").await;
    let about = WorkSummary {
        kind: Some(WorkKind::Image),
        prompt: Some("a boat".into()),
        model: Some("turbo".into()),
        width: Some(64),
        height: Some(72),
        seed: Some(1),
        ..WorkSummary::default()
    };
    assert_eq!((job.about, job.damage), (about, None));
    assert_eq!(job.metadata.request, json!({"path": "/again"}));
}

pub(super) async fn events_are_returned_after_a_number(store: &Store, _clock: &Clock) {
    let lease = insert_and_claim(store, "x").await;
    let other = insert_and_claim(store, "y").await;
    for percent in 1..=5 {
        assert!(store.record_progress(&lease, progress(percent), Synced::Later).await.unwrap());
        assert!(store.record_progress(&other, progress(percent), Synced::Later).await.unwrap());
    }
    let all = store.events("a", "x", 0, 100).await.unwrap().unwrap();
    assert_eq!(all.len(), 7);
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
    for (index, event) in all.iter().enumerate() {
        let rest = store.events("a", "x", event.id, 100).await.unwrap().unwrap();
        assert_eq!(rest, all[index + 1..]);
    }
    assert_eq!(store.events("a", "x", all[1].id, 2).await.unwrap().unwrap(), all[2..4]);
    let theirs = store.events("a", "y", 0, 100).await.unwrap().unwrap();
    assert!(theirs.iter().all(|event| all.iter().all(|ours| ours.id != event.id)));
    assert!(store.events("b", "x", 0, 100).await.unwrap().is_none());
}

pub(super) async fn events_of_all_jobs_of_an_owner_are_returned_after_a_number(store: &Store, _clock: &Clock) {
    let before = store.last_event().await.unwrap();
    let x = insert_and_claim(store, "x").await;
    insert(store, NewJob { owner: "b".into(), ..new_job("theirs") }).await;
    let y = insert_and_claim(store, "y").await;
    for percent in 1..=3 {
        assert!(store.record_progress(&x, progress(percent), Synced::Later).await.unwrap());
        assert!(store.record_progress(&y, progress(percent), Synced::Later).await.unwrap());
    }
    let last = store.last_event().await.unwrap();
    let all = store.owner_events("a", before, 100).await.unwrap();
    let kinds: Vec<_> = all.events.iter().map(|(job, event)| format!("{job} {}", event.kind)).collect();
    let progress = ["x progress", "y progress"].repeat(3);
    assert_eq!(kinds, [vec!["x queued", "x started", "y queued", "y started"], progress].concat());
    assert!(all.events.is_sorted_by(|(_, one), (_, other)| one.id < other.id));
    assert_eq!(all.until, last);
    assert_eq!(store.owner_events("a", last, 100).await.unwrap(), OwnerEvents { events: vec![], until: last });
    for (index, (_, event)) in all.events.iter().enumerate() {
        assert_eq!(store.owner_events("a", event.id, 100).await.unwrap().events, all.events[index + 1..]);
    }
    let some = store.owner_events("a", before, 3).await.unwrap();
    assert_eq!((some.events.as_slice(), some.until), (&all.events[..3], all.events[2].1.id), "the rest is still to come");
    let theirs = store.owner_events("b", before, 100).await.unwrap();
    assert_eq!((theirs.events.len(), theirs.events[0].0.as_str(), theirs.until), (1, "theirs", last));
    assert!(store.owner_events("c", before, 100).await.unwrap().events.is_empty());
    // Numbers only rise, whatever is forgotten.
    assert!(matches!(store.cancel("b", "theirs").await.unwrap(), Cancelled::Done(_)));
    let last = store.last_event().await.unwrap();
    assert!(store.forget("b", "theirs").await.unwrap());
    assert_eq!(store.last_event().await.unwrap(), last);
}

pub(super) async fn another_owners_job_is_invisible(store: &Store, _clock: &Clock) {
    insert_and_claim(store, "x").await;
    assert!(store.get("b", "x").await.unwrap().is_none());
    assert!(store.events("b", "x", 0, 10).await.unwrap().is_none());
    assert!(matches!(store.cancel("b", "x").await.unwrap(), Cancelled::Unknown));
    assert!(store.list("b", &page()).await.unwrap().is_empty());
    assert_eq!(store.state("x").await.unwrap(), Some(JobState::Running), "a worker asks for every owner");
}

pub(super) async fn missing_jobs_and_files_are_no_error(store: &Store, clock: &Clock) {
    let lease = Lease { job: "x".into(), epoch: 1 };
    assert!(store.get("a", "x").await.unwrap().is_none() && store.state("x").await.unwrap().is_none());
    assert!(claim(store, "x").await.is_none());
    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Unknown));
    assert!(!store.renew(&lease).await.unwrap() && !store.release(&lease, "a reason").await.unwrap());
    assert!(!store.complete(&lease, &outcome(), &[]).await.unwrap() && !store.fail(&lease, &error(), Charge::IfAsked).await.unwrap());
    assert!(!store.record_progress(&lease, progress(1), Synced::Now).await.unwrap());
    store.file_removed("x", "image-0.png").await.unwrap();
    store.delivery_tried(1, None, None).await.unwrap();
    assert_eq!(store.forget_before(clock.now()).await.unwrap(), 0);
    assert_eq!(store.stats().await.unwrap(), Stats::default());
    store.check_writable().await.unwrap();
}
