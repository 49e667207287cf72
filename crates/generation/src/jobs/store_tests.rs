//! The job store by itself: what goes in comes out, and what happens where the program goes down or a row is torn.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;
use serde_json::json;

use super::{
    DiskFault,
    error::StoreError,
    record::{Artifact, Cancelled, JobError, JobErrorKind, NewJob, Outcome, Page, Work},
    rows::{millis, time},
    state::{JobState, Priority},
    store::{FILE, JobStore, PATIENCE, Started, Synced, until},
};
use crate::{ImageRequest, Limits, ModelInfo};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn store() -> (tempfile::TempDir, JobStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = JobStore::open(folder.path(), &[]).unwrap();
    (folder, store)
}

fn insert(store: &JobStore, id: &str) {
    insert_for(store, id, "a", "https://example.org/");
}

fn insert_for(store: &JobStore, id: &str, owner: &str, callback_url: &str) {
    let info = ModelInfo {
        name: String::new(),
        motion: String::new(),
        device: String::new(),
        precision: String::new(),
        device_reason: String::new(),
        default_width: 64,
        default_height: 72,
        scheduler: Some(diffusion_core::schedulers::SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        memory: crate::MemoryPlan::default(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        remarks: Vec::new(),
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
        owner: owner.into(),
        priority: Priority::High,
        work: Work::Pictures(request.validate(&Limits::default(), &info).unwrap()),
        note: json!({"k": [1, 2.5]}),
        idempotency: None,
        callback_url: Some(callback_url.into()),
    };
    store.insert(&new, until(PATIENCE), NOW).unwrap();
}

#[test]
fn times_come_back_as_they_went() {
    let now = NOW + Duration::from_millis(1_763_750_000_123);
    assert_eq!(time(millis(now)), now);
}

#[test]
fn one_program_at_a_time() {
    let (folder, first) = store();
    assert!(matches!(JobStore::open(folder.path(), &[]), Err(StoreError::InUse { .. })));
    drop(first);
    JobStore::open(folder.path(), &[]).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "no database, and longer than a header of one is: ".repeat(9)).unwrap();
    let error = JobStore::open(folder.path(), &[]).unwrap_err().to_string();
    assert!(error.contains(FILE) && error.contains("file is not a database") && error.contains("a backup"), "{error}");
}

#[test]
fn a_damaged_page_is_found_before_anything_is_done() {
    let (folder, store) = store();
    for index in 0..50 {
        insert(&store, &format!("job-{index}"));
    }
    drop(store);
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let error = JobStore::open(folder.path(), &[]).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains(FILE), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was changed");
}

#[test]
fn a_newer_versions_database_is_left_as_it_is() {
    let (folder, store) = store();
    drop(store);
    let path = folder.path().join(FILE);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    let error = JobStore::open(folder.path(), &[]).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }) && error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_store_that_was_lost_or_emptied_is_not_begun_anew_beside_what_jobs_made() {
    let (folder, store) = store();
    let (path, made) = (folder.path().join(FILE), ["vid_1".to_owned()]);
    drop(store);
    let refused = |when: &str| {
        let error = JobStore::open(folder.path(), &made).unwrap_err();
        assert!(matches!(error, StoreError::Emptied { count: 1, .. }) && error.to_string().contains("vid_1"), "{when}: {error}");
    };
    refused("no rows");
    std::fs::write(&path, "").unwrap();
    refused("no bytes");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "nothing was changed");
    std::fs::remove_file(&path).unwrap();
    refused("no file");
    assert!(!path.exists(), "nothing was made");
    let store = JobStore::open(folder.path(), &[]).unwrap();
    insert(&store, "vid_1");
    drop(store);
    JobStore::open(folder.path(), &made).unwrap();
}

#[test]
fn calls_give_up_together_while_another_program_holds_the_database_and_readers_do_not_wait() {
    let (folder, store) = store();
    insert(&store, "x");
    for begin in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let other = Connection::open(folder.path().join(FILE)).unwrap();
        other.execute_batch(begin).unwrap();
        let began = Instant::now();
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..6).map(|_| scope.spawn(|| store.cancel("a", "x", NOW).map(drop))).collect();
            assert!(store.get("a", "x").unwrap().is_some());
            assert!(began.elapsed() < PATIENCE, "a reader waits for no writer");
            for call in calls {
                assert_eq!(call.join().unwrap().unwrap_err().fault(), DiskFault::Locked, "{begin}");
            }
        });
        // Two would wait twice as long if the second waited after the first.
        assert!(began.elapsed() < PATIENCE * 2, "{begin}: {:?}", began.elapsed());
        other.execute_batch("ROLLBACK").unwrap();
    }
    assert!(matches!(store.cancel("a", "x", NOW).unwrap(), Cancelled::Done(_)));
}

#[test]
fn a_full_disk_is_told_and_what_was_not_written_down_did_not_happen() {
    let (_folder, store) = store();
    insert(&store, "x");
    assert!(matches!(store.start("x", 5, NOW), Ok(Started::Work(_))));
    store.fill(true);
    // There is room in pages that are there already, for a while.
    let told = |count: usize| store.progress("x", (1, "progress", &json!({ "text": "x".repeat(3000), "count": count })), Synced::Now, NOW);
    let (count, error) = (0..1000).find_map(|count| told(count).err().map(|error| (count, error))).unwrap();
    assert_eq!(error.fault(), DiskFault::Full);
    assert_eq!(store.get("a", "x").unwrap().unwrap().state, JobState::Running, "who reads is answered");
    assert_eq!(store.events("a", "x", 0, 10_000).unwrap().unwrap().len(), 2 + count, "queued, started and what was told");
    store.fill(false);
    assert!(matches!(store.cancel("a", "x", NOW).unwrap(), Cancelled::Done(_)));
}

#[test]
fn a_database_that_was_removed_takes_nothing_more_until_it_is_back() {
    let (folder, store) = store();
    insert(&store, "x");
    let (here, there) = (folder.path().join(FILE), folder.path().join("moved"));
    std::fs::rename(&here, &there).unwrap();
    for gone in ["no file", "another file"] {
        assert_eq!(store.cancel("a", "x", NOW).unwrap_err().fault(), DiskFault::Gone, "{gone}");
        assert_eq!(store.check_writable().unwrap_err().fault(), DiskFault::Gone, "{gone}");
        std::fs::write(&here, "another file").unwrap();
    }
    std::fs::rename(&there, &here).unwrap();
    store.check_writable().unwrap();
    assert!(matches!(store.cancel("a", "x", NOW).unwrap(), Cancelled::Done(_)));
}

#[test]
fn a_row_that_is_damaged_hides_no_other_and_says_what_cannot_be_read() {
    let page = Page { beyond: None, limit: 10, state: None, newest_first: false };
    for (set, state, column) in [
        ("note = '{'", JobState::Queued, "note"),
        ("note = CAST(x'ff' AS TEXT)", JobState::Queued, "note"),
        ("priority = 'urgent'", JobState::Queued, "priority"),
        ("percent = -5", JobState::Queued, "percent"),
        ("attempts = 1 << 40", JobState::Queued, "attempts"),
        ("parts = -1", JobState::Queued, "parts"),
        ("error_kind = 'unheard of'", JobState::Queued, "error_kind"),
        ("state = 'lost'", JobState::Failed, "state"),
        ("state = 'completed', finished_at = 0, outcome = 'x'", JobState::Failed, "outcome"),
        ("owner = CAST(x'61ff' AS TEXT)", JobState::Queued, ""),
    ] {
        let (folder, store) = store();
        for id in ["x", "y", "z"] {
            insert(&store, id);
        }
        store.tear("y", set);
        let listed = store.list("a", &page).unwrap();
        let ids: Vec<&str> = listed.iter().map(|job| job.id.as_str()).collect();
        if column.is_empty() {
            // Nobody can be told of a job whose owner is not known.
            assert_eq!(ids, ["x", "z"], "{set}");
        } else {
            assert_eq!(ids, ["x", "y", "z"], "{set}");
            let job = store.get("a", "y").unwrap().unwrap();
            assert_eq!(job.state, state, "{set}");
            assert!(job.damage.as_ref().unwrap().contains(&format!("its {column} cannot be read")), "{set}: {:?}", job.damage);
            assert_eq!(store.events("a", "y", 0, 10).unwrap().unwrap().len(), 1, "{set}");
            let cancelled = store.cancel("a", "y", NOW).unwrap();
            assert_eq!(matches!(cancelled, Cancelled::Done(_)), !state.is_final(), "{set}: {cancelled:?}");
        }
        drop(store);
        // A start does not break off at it, and its time comes as every job's.
        let store = JobStore::open(folder.path(), &[]).unwrap();
        let waiting = store.recover(NOW).unwrap();
        assert!(waiting.iter().any(|job| job.id == "x") && waiting.iter().any(|job| job.id == "z"), "{set}");
        if !column.is_empty() {
            store.forget_before(NOW + Duration::from_secs(1)).unwrap();
            assert!(store.get("a", "y").unwrap().is_none() || !store.due_deliveries(10, NOW).unwrap().is_empty(), "{set}");
        }
    }
}

#[test]
fn a_job_with_damaged_counts_is_begun_all_the_same() {
    let (_folder, store) = store();
    insert(&store, "x");
    store.tear("x", "percent = -5, idle_attempts = -1, attempts = 1 << 40, parts = -1, priority = 'urgent'");
    assert_eq!(store.recover(NOW).unwrap().len(), 1);
    assert!(matches!(store.start("x", 5, NOW), Ok(Started::Work(_))));
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
        assert!(store.requeue("x", "a reason", NOW).unwrap());
    }
    assert!(matches!(store.start("x", 3, NOW).unwrap(), Started::Work(_)));
}

#[test]
fn what_cannot_be_read_any_more_fails_alone() {
    let (_folder, store) = store();
    for id in ["x", "y"] {
        insert(&store, id);
    }
    store.tear("x", "work = '{'");
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
fn many_messages_that_are_due_hide_no_others() {
    let (_folder, store) = store();
    let due_of = |owner: &str, name: &str, host: &str, tries: u32, count: u64| {
        for number in 0..count {
            let id = format!("{name}{number}");
            insert_for(&store, &id, owner, &format!("https://{host}/hook/{number}"));
            assert!(matches!(store.cancel(owner, &id, NOW).unwrap(), Cancelled::Done(_)));
            let delivery = store.due_deliveries(100, NOW).unwrap().into_iter().find(|delivery| delivery.job == id).unwrap();
            for _ in 0..tries {
                store.delivery_tried(delivery.id, Some(NOW), Some("no answer"), NOW).unwrap();
            }
        }
    };
    // These are due longest.
    due_of("a", "again", "slow.example", 1, 9);
    due_of("a", "first", "slow.example", 0, 9);
    due_of("a", "other", "b.example:8443", 0, 2);
    due_of("b", "bobs", "slow.example", 2, 2);
    let due = store.due_deliveries(6, NOW).unwrap();
    let jobs: Vec<_> = due.iter().map(|delivery| delivery.job.as_str()).collect();
    assert_eq!(jobs, ["again0", "bobs0", "first0", "bobs1", "other0", "again1"]);
    assert_eq!((due[0].url.as_str(), due[0].attempts, due[1].attempts), ("https://slow.example/hook/0", 1, 2));
}

fn outcome() -> Outcome {
    Outcome {
        width: 1,
        height: 1,
        seed: 1,
        frames: 0,
        fps: String::new(),
        native: None,
        parameters: vec![],
        truncated: false,
        seconds: 0.0,
    }
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
    assert!(!store.complete("x", &outcome(), &[], NOW).unwrap());
}

#[test]
fn a_damaged_length_is_no_reason_to_remove_a_file() {
    let (_folder, store) = store();
    let file = Artifact { name: "a.png".into(), media_type: "image/png".into(), bytes: 7, sha256: "00".into(), expired: false };
    for id in ["x", "y"] {
        insert(&store, id);
        assert!(matches!(store.start(id, 5, NOW), Ok(Started::Work(_))));
        assert!(store.complete(id, &outcome(), std::slice::from_ref(&file), NOW).unwrap());
    }
    store.tear_files("x", "bytes = -1");
    let lengths: Vec<u64> = store.kept_files().unwrap().into_iter().map(|(_, _, bytes, _)| bytes).collect();
    assert_eq!(lengths, [0, 7]);
}
