//! The job store by itself: what goes in comes out, and what happens where the program goes down or a row is torn.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{
    error::StoreError,
    record::{Cancelled, JobError, JobErrorKind, NewJob, Outcome, Work},
    rows::{millis, time},
    state::{JobState, Priority},
    store::{FILE, JobStore, Started, Synced},
};
use crate::{ImageRequest, Limits, ModelInfo};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn store() -> (tempfile::TempDir, JobStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = JobStore::open(folder.path()).unwrap();
    (folder, store)
}

fn insert(store: &JobStore, id: &str) {
    let info = ModelInfo {
        name: String::new(),
        motion: String::new(),
        device: String::new(),
        precision: String::new(),
        device_reason: String::new(),
        default_width: 64,
        default_height: 72,
        scheduler: diffusion_core::schedulers::SchedulerKind::Ddim.into(),
        memory: crate::MemoryPlan::default(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
    };
    let request = ImageRequest {
        prompt: Some("a boat".into()),
        guidance_scale: Some(0.1 + 0.2),
        scheduler: Some("dpmpp-2m-karras".into()),
        seed: Some(1),
        init_image: Some(image::RgbImage::from_fn(64, 72, |x, y| image::Rgb([x as u8, y as u8, 9]))),
        ..ImageRequest::default()
    };
    let new = NewJob {
        id: id.into(),
        owner: "a".into(),
        priority: Priority::High,
        work: Work::Pictures(request.validate(&Limits::default(), &info).unwrap()),
        note: json!({"k": [1, 2.5]}),
        idempotency: None,
        callback_url: Some("https://example.org/".into()),
    };
    store.insert(&new, NOW).unwrap();
}

#[test]
fn times_come_back_as_they_went() {
    let now = NOW + Duration::from_millis(1_763_750_000_123);
    assert_eq!(time(millis(now)), now);
}

#[test]
fn one_program_at_a_time() {
    let (folder, first) = store();
    assert!(matches!(JobStore::open(folder.path()), Err(StoreError::InUse { .. })));
    drop(first);
    JobStore::open(folder.path()).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "no database, and longer than a header of one is: ".repeat(9)).unwrap();
    let error = JobStore::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(FILE) && error.ends_with("file is not a database"), "{error}");
}

#[test]
fn what_was_to_be_made_comes_back_to_the_bit() {
    let (_folder, store) = store();
    insert(&store, "x");
    let Started::Work(work) = store.start("x", 5, NOW).unwrap() else { panic!("it starts") };
    let Work::Pictures(spec) = *work else { panic!("pictures went in") };
    assert_eq!((spec.prompt(), spec.guidance_scale().to_bits(), spec.width()), ("a boat", (0.1_f64 + 0.2).to_bits(), 64));
    assert_eq!(spec.scheduler().unwrap().to_string(), "dpmpp-2m-karras");
    let crate::ImageMode::ImageToImage { init_image, .. } = spec.mode() else { panic!("there was a picture") };
    assert_eq!((init_image.dimensions(), init_image.get_pixel(63, 70).0), ((64, 72), [63, 70, 9]));
    let job = store.get("a", "x").unwrap().unwrap();
    assert_eq!((job.priority, job.state, job.note), (Priority::High, JobState::Running, json!({"k": [1, 2.5]})));
}

#[test]
fn a_job_that_takes_the_program_down_again_and_again_fails() {
    let (_folder, store) = store();
    insert(&store, "x");
    for attempt in 0..5 {
        assert_eq!(store.recover(NOW).unwrap().len(), 1);
        assert!(matches!(store.start("x", 3, NOW).unwrap(), Started::Work(_)), "attempt {attempt}");
        if attempt == 1 {
            // It got further, so it may try as often again.
            store.progress("x", (7, "progress", &json!({})), Synced::Now, NOW).unwrap();
        }
    }
    assert_eq!(store.recover(NOW).unwrap().len(), 1);
    assert!(matches!(store.start("x", 3, NOW).unwrap(), Started::Ended));
    let job = store.get("a", "x").unwrap().unwrap();
    let error = job.error.unwrap();
    assert_eq!((job.state, error.kind, job.attempts), (JobState::Failed, JobErrorKind::Crashed, 5));
    assert_eq!(error.message, "the server went down 3 times while it worked on this, each time at 7 %");
    assert!(store.recover(NOW).unwrap().is_empty());
    // Its callback is told.
    let due = store.due_deliveries(10, NOW).unwrap();
    assert_eq!((due.len(), due[0].event.as_str(), due[0].job.as_str()), (1, "failed", "x"));
}

#[test]
fn a_program_that_is_told_to_stop_takes_nothing_down() {
    let (_folder, store) = store();
    insert(&store, "x");
    for _ in 0..5 {
        assert!(matches!(store.start("x", 3, NOW).unwrap(), Started::Work(_)));
        assert!(store.requeue("x", NOW).unwrap());
    }
    assert!(matches!(store.start("x", 3, NOW).unwrap(), Started::Work(_)));
}

#[test]
fn what_cannot_be_read_any_more_fails_alone() {
    let (_folder, store) = store();
    for id in ["x", "y"] {
        insert(&store, id);
    }
    store.tear("x");
    assert!(matches!(store.start("x", 5, NOW).unwrap(), Started::Ended));
    assert_eq!(store.get("a", "x").unwrap().unwrap().error.unwrap().kind, JobErrorKind::Internal);
    assert!(matches!(store.start("y", 5, NOW).unwrap(), Started::Work(_)));
}

#[test]
fn messages_are_tried_until_they_arrive() {
    let (_folder, store) = store();
    insert(&store, "x");
    assert!(matches!(store.cancel("a", "x", NOW).unwrap(), Cancelled::Done(_)));
    let later = NOW + Duration::from_secs(5);
    let delivery = store.due_deliveries(10, NOW).unwrap().remove(0);
    store.delivery_tried(delivery.id, Some(later), Some("refused"), NOW).unwrap();
    assert!(store.due_deliveries(10, NOW).unwrap().is_empty());
    assert_eq!(store.due_deliveries(10, later).unwrap()[0].attempts, 1);
    store.delivery_tried(delivery.id, None, None, later).unwrap();
    assert!(store.due_deliveries(10, later).unwrap().is_empty());
}

#[test]
fn progress_of_a_job_that_has_ended_is_not_written() {
    let (_folder, store) = store();
    insert(&store, "x");
    store.cancel("a", "x", NOW).unwrap();
    store.progress("x", (50, "progress", &json!({})), Synced::Now, NOW).unwrap();
    assert!(!store.fail("x", &JobError { kind: JobErrorKind::Model, message: String::new(), retryable: false }, NOW).unwrap());
    let kinds: Vec<_> = store.events("a", "x", 0, 10).unwrap().unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["queued", "cancelled"]);
    let outcome = Outcome {
        width: 1,
        height: 1,
        seed: 1,
        frames: 0,
        fps: String::new(),
        native: None,
        parameters: vec![],
        truncated: false,
        seconds: 0.0,
    };
    assert!(!store.complete("x", &outcome, &[], NOW).unwrap());
}
