//! Conformance of webhook messages, retention and counters.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{
    KeptFile, Lease, Stats, Synced,
    conformance::{Clock, Store, claim, error, file, get, ids, insert, insert_and_claim, new_job, outcome, page, progress},
};
use crate::jobs::{
    record::{Cancelled, NewJob},
    spend::Charge,
    state::JobState,
};

pub(super) async fn messages_are_tried_until_they_arrive(store: &Store, clock: &Clock) {
    insert(store, new_job("x")).await;
    insert(store, NewJob { callback_url: None, ..new_job("silent") }).await;
    for id in ["x", "silent"] {
        assert!(store.due_deliveries(10).await.unwrap().is_empty(), "{id} has not ended");
        assert!(matches!(store.cancel("a", id).await.unwrap(), Cancelled::Done(_)));
        if id == "x" {
            let delivery = store.due_deliveries(10).await.unwrap().remove(0);
            assert_eq!((delivery.job.as_str(), delivery.owner.as_str(), delivery.event.as_str()), ("x", "a", "cancelled"));
            assert_eq!((delivery.url.as_str(), delivery.attempts, delivery.created_at), ("https://example.org/", 0, clock.now()));
            let later = clock.now() + Duration::from_secs(5);
            store.delivery_tried(delivery.id, Some(later), Some("refused")).await.unwrap();
        }
    }
    clock.advance(Duration::from_millis(4999));
    assert!(store.due_deliveries(10).await.unwrap().is_empty());
    clock.advance(Duration::from_millis(1));
    let delivery = store.due_deliveries(10).await.unwrap().remove(0);
    assert_eq!(delivery.attempts, 1);
    store.delivery_tried(delivery.id, None, None).await.unwrap();
    assert!(store.due_deliveries(10).await.unwrap().is_empty());

    insert(store, new_job("y")).await;
    store.cancel("a", "y").await.unwrap();
    let delivery = store.due_deliveries(10).await.unwrap().remove(0);
    store.delivery_tried(delivery.id, None, Some("given up")).await.unwrap();
    clock.advance(Duration::from_secs(60));
    assert!(store.due_deliveries(10).await.unwrap().is_empty());
}

pub(super) async fn many_due_messages_delay_no_others(store: &Store, clock: &Clock) {
    // The first ones have been due longest.
    for (owner, name, host, tries, count) in [
        ("a", "again", "slow.example", 1, 9),
        ("a", "first", "slow.example", 0, 9),
        ("a", "other", "b.example:8443", 0, 2),
        ("b", "bobs", "slow.example", 2, 2),
    ] {
        for number in 0..count {
            let (id, callback_url) = (format!("{name}{number}"), Some(format!("https://{host}/hook/{number}")));
            insert(store, NewJob { owner: owner.into(), callback_url, ..new_job(&id) }).await;
            assert!(matches!(store.cancel(owner, &id).await.unwrap(), Cancelled::Done(_)));
            let delivery = store.due_deliveries(100).await.unwrap().into_iter().find(|delivery| delivery.job == id).unwrap();
            for _ in 0..tries {
                store.delivery_tried(delivery.id, Some(clock.now()), Some("no answer")).await.unwrap();
            }
        }
    }
    let due = store.due_deliveries(6).await.unwrap();
    let jobs: Vec<_> = due.iter().map(|delivery| delivery.job.as_str()).collect();
    assert_eq!(jobs, ["again0", "bobs0", "first0", "bobs1", "other0", "again1"]);
    assert_eq!((due[0].url.as_str(), due[0].attempts, due[1].attempts), ("https://slow.example/hook/0", 1, 2));
    assert_eq!(store.due_deliveries(100).await.unwrap().len(), 22);
}

pub(super) async fn jobs_without_kept_files_or_due_messages_are_forgotten(store: &Store, clock: &Clock) {
    for (id, files) in [("x", vec![file("image-0.png", 7), file("image-1.png", 8)]), ("y", vec![file("video.mp4", 100)])] {
        let lease = insert_and_claim(store, id).await;
        clock.advance(Duration::from_secs(1));
        assert!(store.complete(&lease, &outcome(), &files).await.unwrap());
    }
    insert(store, new_job("waits")).await;
    let kept = store.kept_files().await.unwrap();
    let ends = [get(store, "x").await.finished_at.unwrap(), get(store, "y").await.finished_at.unwrap()];
    let kept_file = |job: &str, name: &str, bytes, finished_at| KeptFile { job: job.into(), name: name.into(), bytes, finished_at };
    let expected =
        [kept_file("x", "image-0.png", 7, ends[0]), kept_file("x", "image-1.png", 8, ends[0]), kept_file("y", "video.mp4", 100, ends[1])];
    assert_eq!(kept, expected);
    let found = store.ids().await.unwrap();
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<HashSet<_>>();
    assert_eq!((found.known, found.open, found.with_files), (set(&["x", "y", "waits"]), set(&["waits"]), set(&["x", "y"])));

    let later = clock.now() + Duration::from_secs(60);
    assert_eq!(store.forget_before(later).await.unwrap(), 0, "files are kept");
    for _ in 0..2 {
        store.file_removed("x", "image-0.png").await.unwrap();
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.kept_files, stats.kept_bytes), (2, 108));
    let expired: Vec<bool> = get(store, "x").await.artifacts.iter().map(|file| file.expired).collect();
    assert_eq!(expired, [true, false]);
    store.file_removed("x", "image-1.png").await.unwrap();
    assert_eq!(store.forget_before(later).await.unwrap(), 0, "messages are due");
    for delivery in store.due_deliveries(10).await.unwrap() {
        store.delivery_tried(delivery.id, None, Some("given up")).await.unwrap();
    }
    assert_eq!(store.forget_before(ends[0]).await.unwrap(), 0, "it ended at that time and not before");
    assert_eq!(store.forget_before(later).await.unwrap(), 1);
    assert!(store.get("a", "x").await.unwrap().is_none() && store.events("a", "x", 0, 10).await.unwrap().is_none());
    assert_eq!(ids(store, "a", page()).await, ["y", "waits"]);
    let newest = get(store, "waits").await.number;
    assert!(insert(store, new_job("x")).await.number > newest, "numbers are not used again");
}

pub(super) async fn an_ended_job_is_forgotten_on_its_owners_request(store: &Store, _clock: &Clock) {
    let lease = insert_and_claim(store, "x").await;
    assert!(!store.forget("a", "x").await.unwrap(), "it runs");
    assert!(store.complete(&lease, &outcome(), &[file("image-0.png", 7)]).await.unwrap());
    assert!(!store.forget("a", "x").await.unwrap(), "its file is kept");
    store.file_removed("x", "image-0.png").await.unwrap();
    assert!(!store.forget("b", "x").await.unwrap() && !store.forget("a", "none").await.unwrap(), "there is no such job of this owner");
    assert!(!store.due_deliveries(10).await.unwrap().is_empty());
    assert!(store.forget("a", "x").await.unwrap(), "although a message is due");
    assert!(store.get("a", "x").await.unwrap().is_none() && store.due_deliveries(10).await.unwrap().is_empty());
    insert(store, new_job("waits")).await;
    assert!(matches!(store.cancel("a", "waits").await.unwrap(), Cancelled::Done(_)));
    assert!(store.forget("a", "waits").await.unwrap() && !store.forget("a", "waits").await.unwrap());
    assert_eq!(store.stats().await.unwrap(), Stats::default());
}

async fn count(store: &Store) -> Stats {
    let mut jobs: HashMap<JobState, u64> = HashMap::new();
    for owner in ["a", "b"] {
        for job in store.list(owner, &page()).await.unwrap() {
            *jobs.entry(job.state).or_default() += 1;
        }
    }
    let kept = store.kept_files().await.unwrap();
    Stats {
        jobs: JobState::ALL.into_iter().filter_map(|state| Some((state, *jobs.get(&state)?))).collect(),
        kept_bytes: kept.iter().map(|file| file.bytes).sum(),
        kept_files: kept.len() as u64,
    }
}

pub(super) async fn counters_agree_with_counting(store: &Store, clock: &Clock) {
    let mut random: u64 = 1;
    let mut draw = move |below: u64| {
        // Knuth's MMIX linear congruential generator.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut leases: HashMap<String, Lease> = HashMap::new();
    let mut inserted = 0;
    for step in 0..300 {
        let id = format!("x{}", draw(inserted + 1));
        let owner = if draw(4) == 0 { "b" } else { "a" };
        match draw(11) {
            0..=2 => {
                insert(store, NewJob { owner: owner.into(), ..new_job(&format!("x{inserted}")) }).await;
                inserted += 1;
            }
            3 | 4 => {
                if let Some(lease) = claim(store, &id).await {
                    leases.insert(id, lease);
                }
            }
            5 => drop(store.cancel(owner, &id).await.unwrap()),
            6 => {
                store.recover().await.unwrap();
            }
            7 => {
                let now = clock.now();
                for delivery in store.due_deliveries(5).await.unwrap() {
                    store.delivery_tried(delivery.id, (draw(2) == 0).then_some(now), Some("refused")).await.unwrap();
                }
            }
            8 => {
                if let Some(kept) = store.kept_files().await.unwrap().first() {
                    store.file_removed(&kept.job, &kept.name).await.unwrap();
                }
                store.forget_before(clock.now()).await.unwrap();
            }
            _ => {
                let Some(lease) = leases.get(&id) else { continue };
                match draw(5) {
                    0 => store.complete(lease, &outcome(), &[file("image-0.png", draw(100)), file("image-1.png", 3)]).await.unwrap(),
                    1 => store.fail(lease, &error(), Charge::IfAsked).await.unwrap(),
                    2 => store.release(lease, "a reason").await.unwrap(),
                    3 => store.renew(lease).await.unwrap(),
                    _ => store.record_progress(lease, progress(50), Synced::Later).await.unwrap(),
                };
            }
        }
        clock.advance(Duration::from_millis(draw(1000)));
        assert_eq!(store.stats().await.unwrap(), count(store).await, "step {step}");
    }
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
}
