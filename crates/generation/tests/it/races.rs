//! Held and stored jobs that many callers submit, join, drop and cancel at once, over two backends: every job ends, once, and leaves
//! nothing behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use generation::{
    Backend, SubmitError,
    jobs::{Durability, Idempotency, Jobs, JobsSettings, NewJob, Page},
};
use generation_test::{Checked, PATIENCE, eventually, local};

use crate::{jobs::image_job, scripted::Scripted};

/// Each with new jobs, because a store of held jobs forgets the oldest of very many.
const ROUNDS: u64 = 3;
const CALLERS: u64 = 8;
/// Operations per caller.
const OPERATIONS: u64 = 250;
/// The queue's capacity, so small that some jobs are refused.
const PLACES: usize = 12;
/// Idempotency keys that callers share.
const NAMES: u64 = 5;

/// Random numbers from a linear congruential generator (Knuth's MMIX), so that a failure can be reproduced.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn id(number: u64) -> String {
    format!("job-{number}")
}

/// A job with the next number.
fn new(random: &mut Random, next: &AtomicU64, is_held: bool) -> NewJob {
    let prompt = ["a boat", "a boat", "a boat", "broken"][random.below(4) as usize];
    let durability = if is_held { Durability::Held { video: None } } else { Durability::Stored };
    // Held and stored requests have different keys, so that most repeated ones are joined.
    let name = format!("{is_held}-{}", random.below(NAMES));
    let idempotency = (random.below(2) == 0).then(|| Idempotency { fingerprint: name.clone(), key: name });
    NewJob { idempotency, durability, ..image_job(&id(next.fetch_add(1, Ordering::Relaxed)), prompt) }
}

async fn caller(jobs: Jobs, next: Arc<AtomicU64>, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..OPERATIONS {
        match random.below(16) {
            0 => {
                let number = random.below(next.load(Ordering::Relaxed).max(1));
                jobs.cancel("", &id(number)).await.unwrap();
            }
            1 => {
                let all = Page { limit: 50, newest_first: true, ..Page::default() };
                jobs.list("", all).await.unwrap();
            }
            // Few jobs are stored, because the disk is slow.
            2 => match jobs.submit(new(&mut random, &next, false)).await {
                Ok(_) | Err(SubmitError::QueueFull { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            action => match jobs.submit(new(&mut random, &next, true)).await {
                Ok(submitted) => {
                    let held = submitted.held.unwrap();
                    match action {
                        // Hangs up at once, or in the middle.
                        3..6 => drop(held),
                        6..9 => {
                            tokio::task::yield_now().await;
                            drop(held);
                        }
                        _ => {
                            let result = tokio::time::timeout(PATIENCE, held.finished()).await;
                            // Whatever its end is, the caller gets an answer.
                            drop(result.expect("its caller gets an answer"));
                        }
                    }
                }
                Err(SubmitError::QueueFull { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_many_concurrent_callers_every_job_ends_once_and_nothing_is_left() {
    for number in 0..ROUNDS {
        round(number * CALLERS).await;
    }
}

async fn round(seed: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let folder = tempfile::tempdir().unwrap();
    let other = Arc::new(Scripted { slots: 2, ..Scripted::default() });
    let settings = JobsSettings { queue_capacity: PLACES, ..JobsSettings::new(folder.path(), SystemTime::now) };
    let jobs = Checked::open_with(settings, local().await, vec![Arc::clone(&other) as Arc<dyn Backend>]).await.unwrap();
    let callers: Vec<_> =
        (1..=CALLERS).map(|caller_seed| tokio::spawn(caller(jobs.clone(), Arc::clone(&next), seed + caller_seed))).collect();
    for caller in callers {
        caller.await.unwrap();
    }
    eventually("every job ends", || jobs.active() == 0).await;
    assert_eq!(jobs.waiting(), 0);
    let mut accepted = 0;
    for number in 0..next.load(Ordering::Relaxed) {
        let id = id(number);
        // A job that was refused or joined has no row.
        let Some(job) = tokio::time::timeout(PATIENCE, jobs.finished("", &id)).await.expect("it ends").unwrap() else { continue };
        accepted += 1;
        eventually("it is released", || jobs.previews("", &id).is_none()).await;
        let events = jobs.events("", &id, 0, 10_000).await.unwrap().unwrap();
        let ends: Vec<_> = events.iter().filter(|event| ["completed", "failed", "cancelled"].contains(&event.kind.as_str())).collect();
        assert!(ends.len() == 1 && ends[0].kind == job.state.name(), "{id}: {events:?}");
    }
    let seen = other.seen();
    assert!((1..=2).contains(&seen.most) && seen.running.is_empty(), "{} at once", seen.most);
    // How many are refused depends on how busy the machine is.
    assert!(accepted > CALLERS * 4, "{accepted} jobs were accepted");
    tokio::time::timeout(PATIENCE, jobs.shut_down(Duration::ZERO)).await.expect("the end comes");
}
