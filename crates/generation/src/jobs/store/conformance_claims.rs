//! Conformance of claims, leases and ends: which worker may write, and when a job runs again.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Claimed, LEASE, Lease, Synced,
    conformance::{Clock, Store, claim, error, file, get, insert, insert_and_claim, kinds, new_job, outcome, progress, work_of},
};
use crate::{
    jobs::{
        record::{Cancelled, JobErrorKind, NewJob, Reordered},
        spend::Charge,
        state::JobState,
    },
    work::Priority,
};

pub(super) async fn one_of_several_concurrent_claims_wins(store: &Store, clock: &Clock) {
    insert(store, new_job("x")).await;
    for epoch in 1..=3 {
        let mut claims = JoinSet::new();
        for _ in 0..8 {
            let store = Arc::clone(store);
            claims.spawn(async move { claim(&store, "x").await });
        }
        let leases: Vec<Lease> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(leases, [Lease { job: "x".into(), epoch }]);
        clock.advance(LEASE);
    }
    assert_eq!(kinds(store, "x").await, ["queued", "started", "requeued", "started", "requeued", "started"]);
    assert_eq!(get(store, "x").await.attempts, 3);
}

async fn assert_fenced(store: &Store, lease: &Lease) {
    let before = (get(store, &lease.job).await, kinds(store, &lease.job).await, store.stats().await.unwrap());
    assert!(!store.renew(lease).await.unwrap());
    assert!(!store.record_progress(lease, progress(99), Synced::Now).await.unwrap());
    assert!(!store.release(lease, "a reason").await.unwrap());
    assert!(!store.fail(lease, &error(), Charge::IfAsked).await.unwrap());
    assert!(!store.complete(lease, &outcome(), &[file("image-0.png", 7)]).await.unwrap());
    let after = (get(store, &lease.job).await, kinds(store, &lease.job).await, store.stats().await.unwrap());
    assert_eq!(format!("{before:?}"), format!("{after:?}"), "nothing has changed");
}

pub(super) async fn a_worker_without_its_lease_changes_nothing(store: &Store, clock: &Clock) {
    let old = insert_and_claim(store, "x").await;
    clock.advance(LEASE);
    let new = claim(store, "x").await.unwrap();
    assert_eq!((old.epoch, new.epoch), (1, 2));
    assert_fenced(store, &old).await;
    assert!(store.renew(&new).await.unwrap());
    assert!(store.release(&new, "a reason").await.unwrap());
    for lease in [&old, &new] {
        assert_fenced(store, lease).await;
    }
    let last = claim(store, "x").await.unwrap();
    for lease in [&old, &new] {
        assert_fenced(store, lease).await;
    }
    assert!(store.complete(&last, &outcome(), &[]).await.unwrap());
    for lease in [&old, &new, &last] {
        assert_fenced(store, lease).await;
    }
}

pub(super) async fn a_lease_lasts_while_its_worker_renews_it(store: &Store, clock: &Clock) {
    let lease = insert_and_claim(store, "x").await;
    let almost = LEASE - Duration::from_millis(1);
    for percent in [10, 20] {
        clock.advance(almost);
        assert!(claim(store, "x").await.is_none());
        assert!(store.renew(&lease).await.unwrap());
        clock.advance(almost);
        assert!(claim(store, "x").await.is_none());
        assert!(store.record_progress(&lease, progress(percent), Synced::Now).await.unwrap());
    }
    clock.advance(LEASE);
    assert_eq!(claim(store, "x").await.unwrap().epoch, 2);
}

pub(super) async fn an_expired_lease_does_not_matter_until_another_worker_claims_the_job(store: &Store, clock: &Clock) {
    let lease = insert_and_claim(store, "x").await;
    clock.advance(LEASE * 2);
    assert!(store.record_progress(&lease, progress(10), Synced::Now).await.unwrap());
    assert!(claim(store, "x").await.is_none(), "progress has prolonged it");
    clock.advance(LEASE * 2);
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
}

pub(super) async fn a_job_is_cancelled_or_completed_but_never_both(store: &Store, _clock: &Clock) {
    for index in 0..20 {
        let id = format!("x{index}");
        let lease = insert_and_claim(store, &id).await;
        let (one, other, name) = (Arc::clone(store), Arc::clone(store), id.clone());
        let completed = tokio::spawn(async move { one.complete(&lease, &outcome(), &[file("image-0.png", 7)]).await.unwrap() });
        let cancelled = tokio::spawn(async move { other.cancel("a", &name).await.unwrap() });
        let (completed, cancelled) = (completed.await.unwrap(), cancelled.await.unwrap());
        let job = get(store, &id).await;
        match cancelled {
            Cancelled::Done(cancelled) => {
                assert_eq!((cancelled.state, completed, job.state), (JobState::Cancelled, false, JobState::Cancelled))
            }
            Cancelled::Finished(finished) => {
                assert_eq!((finished.state, completed, job.state), (JobState::Completed, true, JobState::Completed))
            }
            Cancelled::Unknown => panic!("it is there"),
        }
        assert_eq!(kinds(store, &id).await, ["queued", "started", job.state.name()]);
        assert_eq!(job.artifacts.len(), usize::from(completed));
    }
}

pub(super) async fn a_cancelled_job_refuses_its_workers_writes(store: &Store, _clock: &Clock) {
    let lease = insert_and_claim(store, "x").await;
    assert!(matches!(store.cancel("b", "x").await.unwrap(), Cancelled::Unknown));
    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Done(job) if job.state == JobState::Cancelled));
    assert_fenced(store, &lease).await;
    assert!(claim(store, "x").await.is_none());
    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Finished(job) if job.state == JobState::Cancelled));
    insert(store, new_job("y")).await;
    assert!(matches!(store.cancel("a", "y").await.unwrap(), Cancelled::Done(_)), "one that waits");
    assert!(claim(store, "y").await.is_none());
    assert_eq!(kinds(store, "y").await, ["queued", "cancelled"]);
}

pub(super) async fn a_job_without_progress_fails_after_the_maximum_of_attempts(store: &Store, clock: &Clock) {
    for (id, is_restarted) in [("x", true), ("y", false)] {
        insert(store, new_job(id)).await;
        let lose = || async {
            if is_restarted {
                store.recover().await.unwrap();
            } else {
                clock.advance(LEASE);
            }
        };
        for attempt in 0..5 {
            let Claimed::Work(lease, _, _) = store.claim(id, "worker", 3).await.unwrap() else { panic!("{id}: attempt {attempt}") };
            match attempt {
                // Progress resets the idle attempts.
                1 => assert!(store.record_progress(&lease, progress(7), Synced::Now).await.unwrap()),
                // No progress: the same percentage as before.
                2.. => assert!(store.record_progress(&lease, progress(7), Synced::Now).await.unwrap()),
                _ => {}
            }
            lose().await;
        }
        assert!(matches!(store.claim(id, "worker", 3).await.unwrap(), Claimed::Nothing));
        let job = get(store, id).await;
        let error = job.error.unwrap();
        assert_eq!((job.state, error.kind, error.retryable, job.attempts), (JobState::Failed, JobErrorKind::Crashed, false, 5));
        assert_eq!(error.message, "the server went down 3 times while it worked on this, each time at 7 %");
        assert!(store.recover().await.unwrap().is_empty());
        let due = store.due_deliveries(10).await.unwrap();
        assert!(due.iter().any(|delivery| delivery.event == "failed" && delivery.job == id), "its callback is notified");
    }
}

pub(super) async fn a_released_attempt_does_not_count_as_idle(store: &Store, _clock: &Clock) {
    insert(store, new_job("x")).await;
    for attempt in 1..=5 {
        let Claimed::Work(lease, _, _) = store.claim("x", "worker", 1).await.unwrap() else { panic!("attempt {attempt}") };
        assert!(store.release(&lease, "a reason").await.unwrap());
        let last = store.events("a", "x", 0, 100).await.unwrap().unwrap().pop().unwrap();
        assert_eq!((last.kind.as_str(), last.data), ("requeued", json!({"reason": "a reason"})));
        assert_eq!(get(store, "x").await.attempts, attempt);
    }
}

pub(super) async fn a_waiting_jobs_own_priority_changes_and_survives_a_restart(store: &Store, clock: &Clock) {
    insert(store, new_job("x")).await;
    insert(store, NewJob { own_priority: Priority::Low, ..new_job("y") }).await;
    assert_eq!((get(store, "x").await.own_priority, get(store, "y").await.own_priority), (Priority::Normal, Priority::Low));
    clock.advance(Duration::from_secs(1));
    let Reordered::Done(job) = store.set_own_priority("a", "x", Priority::High).await.unwrap() else { panic!("it waits") };
    assert_eq!((job.own_priority, job.priority, job.updated_at), (Priority::High, Priority::High, clock.now()));
    let last = store.events("a", "x", 0, 100).await.unwrap().unwrap().pop().unwrap();
    assert_eq!((last.kind.as_str(), last.data), ("priority", json!({"priority": "high"})));
    for (owner, id) in [("b", "x"), ("a", "z")] {
        assert!(matches!(store.set_own_priority(owner, id, Priority::Low).await.unwrap(), Reordered::Unknown));
    }
    let waiting = store.recover().await.unwrap();
    let own: Vec<_> = waiting.iter().map(|job| (job.id.as_str(), job.own_priority)).collect();
    assert_eq!(own, [("x", Priority::High), ("y", Priority::Low)]);
    claim(store, "x").await.unwrap();
    assert!(matches!(store.cancel("a", "y").await.unwrap(), Cancelled::Done(_)));
    for (id, own) in [("x", Priority::High), ("y", Priority::Low)] {
        let outcome = store.set_own_priority("a", id, Priority::Normal).await.unwrap();
        assert!(matches!(outcome, Reordered::NotWaiting(job) if job.own_priority == own), "{id}");
    }
    assert_eq!(kinds(store, "x").await, ["queued", "priority", "started"]);
}

pub(super) async fn running_jobs_wait_again_after_a_restart(store: &Store, _clock: &Clock) {
    for id in ["w", "x", "y", "z"] {
        insert(store, NewJob { priority: if id == "y" { Priority::Low } else { Priority::Normal }, ..new_job(id) }).await;
    }
    let (x, z) = (claim(store, "x").await.unwrap(), claim(store, "z").await.unwrap());
    assert!(store.complete(&z, &outcome(), &[]).await.unwrap());
    let waiting = store.recover().await.unwrap();
    let queued: Vec<_> = waiting.iter().map(|job| (job.id.as_str(), job.owner.as_str(), job.priority, job.parts)).collect();
    let normal = Priority::Normal;
    assert_eq!(queued, [("w", "a", normal, 1), ("x", "a", normal, 1), ("y", "a", Priority::Low, 1)]);
    let last = store.events("a", "x", 0, 100).await.unwrap().unwrap().pop().unwrap();
    assert_eq!((last.kind.as_str(), last.data), ("requeued", json!({"reason": "the server was restarted"})));
    assert_fenced(store, &x).await;
    assert_eq!(claim(store, "x").await.unwrap().epoch, 2);
}

pub(super) async fn a_job_that_waits_names_its_model_after_a_restart(store: &Store, _clock: &Clock) {
    insert(store, NewJob { work: work_of(Some("turbo")), ..new_job("x") }).await;
    insert(store, new_job("y")).await;
    let waiting = store.recover().await.unwrap();
    let models: Vec<_> = waiting.iter().map(|job| job.model.as_deref()).collect();
    assert_eq!(models, [Some("turbo"), None]);
}
