//! Tests of the memory store only: its bounds, and its stricter checks.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    MemoryStore,
    table::{MAX_ENDED, RETENTION, Row},
};
use crate::jobs::{
    Charge, Idempotency, NewJob,
    record::Cancelled,
    state::JobState,
    store::{
        Lease, Synced,
        conformance::{Clock, Store, claim, error, file, insert, new_job, outcome, progress},
    },
};

static CLOCK: Clock = Clock::new();

fn store() -> (Arc<MemoryStore>, Store) {
    let store = Arc::new(MemoryStore::new(|| CLOCK.now(), 1 << 62));
    (Arc::clone(&store), store)
}

#[tokio::test]
async fn jobs_are_newer_than_any_on_disk() {
    let (_, store) = store();
    assert_eq!(insert(&store, new_job("x")).await.number, 1 << 62);
    store.cancel("a", "x").await.unwrap();
    assert_eq!(store.due_deliveries(1).await.unwrap()[0].id, 1 << 62);
    assert_eq!(store.events("a", "x", 0, 1).await.unwrap().unwrap()[0].id, 1 << 62);
}

#[tokio::test]
async fn ended_jobs_are_forgotten_by_age_with_everything_that_belongs_to_them() {
    static CLOCK: Clock = Clock::new();
    let store: Store = Arc::new(MemoryStore::new(|| CLOCK.now(), 1));
    let name = Idempotency { key: "key".into(), fingerprint: "one".into() };
    insert(&store, NewJob { idempotency: Some(name.clone()), ..new_job("x") }).await;
    insert(&store, new_job("waits")).await;
    let lease = claim(&store, "x").await.unwrap();
    assert!(store.complete(&lease, &outcome(), &[file("image-0.png", 7)]).await.unwrap());
    CLOCK.advance(RETENTION - Duration::from_millis(1));
    assert_eq!(store.find_replay("a", &name).await.unwrap().unwrap().id, "x", "a named job is found as long as it is kept");
    CLOCK.advance(Duration::from_millis(1));
    assert!(store.get("a", "x").await.unwrap().is_none() && store.find_replay("a", &name).await.unwrap().is_none());
    assert!(store.due_deliveries(10).await.unwrap().is_empty());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.jobs, stats.kept_files, stats.kept_bytes), (vec![(JobState::Queued, 1)], 0, 0));
    assert!(!store.complete(&lease, &outcome(), &[]).await.unwrap(), "a late write changes nothing");
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn ended_jobs_are_forgotten_by_number_the_oldest_first() {
    let (_, store) = store();
    insert(&store, new_job("waits")).await;
    for index in 0..MAX_ENDED + 5 {
        insert(&store, new_job(&format!("x{index}"))).await;
        assert!(matches!(store.cancel("a", &format!("x{index}")).await.unwrap(), Cancelled::Done(_)));
    }
    assert_eq!(store.stats().await.unwrap().jobs, [(JobState::Queued, 1), (JobState::Cancelled, MAX_ENDED as u64)]);
    assert!(store.get("a", "x4").await.unwrap().is_none());
    assert!(store.get("a", "x5").await.unwrap().is_some());
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_invented_lease_and_decreasing_progress_are_refused() {
    let (_, store) = store();
    insert(&store, new_job("x")).await;
    let lease = claim(&store, "x").await.unwrap();
    for epoch in [0, 2, u64::MAX] {
        let made_up = Lease { epoch, ..lease.clone() };
        assert!(store.renew(&made_up).await.is_err());
        assert!(store.record_progress(&made_up, progress(1), Synced::Now).await.is_err());
        assert!(store.release(&made_up, "a reason").await.is_err());
        assert!(store.fail(&made_up, &error(), Charge::IfAsked).await.is_err());
        assert!(store.complete(&made_up, &outcome(), &[]).await.is_err());
    }
    assert!(store.record_progress(&lease, progress(50), Synced::Now).await.unwrap());
    let refused = store.record_progress(&lease, progress(49), Synced::Now).await.unwrap_err().to_string();
    assert!(refused.contains("progress of 49 % after 50 %"), "{refused}");
    assert!(store.record_progress(&lease, progress(100), Synced::Now).await.is_err(), "only a completed job is at 100 %");
    assert!(store.release(&lease, "a reason").await.unwrap());
    let lease = claim(&store, "x").await.unwrap();
    assert!(store.record_progress(&lease, progress(1), Synced::Now).await.unwrap(), "another attempt begins anew");
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_idempotency_key_with_another_request_is_refused() {
    let (_, store) = store();
    let soon = Instant::now() + Duration::from_secs(1);
    let named = |id: &str, fingerprint: &str| NewJob {
        idempotency: Some(Idempotency { key: "key".into(), fingerprint: fingerprint.into() }),
        ..new_job(id)
    };
    store.insert(named("x", "one"), None, soon).await.unwrap();
    assert!(store.insert(named("y", "two"), None, soon).await.is_err());
    assert!(store.state("y").await.unwrap().is_none());
}

#[tokio::test]
async fn planted_faults_are_found() {
    type Fault = fn(&mut Row);
    let faults: [(&str, Fault, &str); 7] = [
        ("runs", |row| row.job.state = JobState::Queued, "its events end with"),
        ("runs", |row| row.held = None, "its lease is not set"),
        ("runs", |row| row.epoch = 0, "it runs and was never claimed"),
        ("waits", |row| row.work = None, "its work is not set"),
        ("failed", |row| row.job.error = None, "its error is not set"),
        ("failed", |row| drop(row.events.pop()), "0 events of an end"),
        ("failed", |row| row.job.artifacts.push(file("a.png", 7)), "the numbers are"),
    ];
    for (id, fault, found) in faults {
        let (memory, store) = store();
        for id in ["waits", "runs", "failed"] {
            insert(&store, new_job(id)).await;
        }
        claim(&store, "runs").await.unwrap();
        let lease = claim(&store, "failed").await.unwrap();
        assert!(store.fail(&lease, &error(), Charge::IfAsked).await.unwrap());
        assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
        memory.tear(id, fault);
        let messages = store.inconsistencies().await.unwrap();
        assert!(messages.iter().any(|message| message.contains(found)), "{id}: {messages:?} has not {found}");
    }
}
