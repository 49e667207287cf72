//! Tests of the SQLite store only: files, damaged rows and pages, full disks, other programs. The contract tests cover the rest.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    FILE, PATIENCE, SqliteStore, lock, migrations,
    rows::{millis, time},
};
use crate::jobs::{
    Charge, DiskFault,
    error::{StoreError, SubmitError},
    record::{Artifact, Cancelled, Idempotency, JobErrorKind, NewJob, Page},
    state::JobState,
    store::{
        Claimed, KeptFile, ProgressRecord, Synced,
        conformance::{Store, claim, error, file, get, insert, new_job, outcome},
    },
};
use crate::work::WorkKind;

/// An open store, with direct access for tests.
struct Fixture {
    folder: tempfile::TempDir,
    sqlite: SqliteStore,
    store: Store,
}

fn open(folder: &Path, jobs_with_files: &[String]) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(folder, SystemTime::now, jobs_with_files)
}

fn fixture() -> Fixture {
    Fixture::open(tempfile::tempdir().unwrap())
}

impl Fixture {
    fn open(folder: tempfile::TempDir) -> Self {
        let sqlite = open(folder.path(), &[]).unwrap();
        Self { folder, store: Arc::new(sqlite.clone()), sqlite }
    }

    /// The same folder after a restart of the program.
    fn reopen(self) -> Self {
        let Self { folder, sqlite, store } = self;
        drop((sqlite, store));
        Self::open(folder)
    }

    /// Damages rows in ways that no program would.
    fn tear(&self, sql: &str) {
        let writer = lock(&self.sqlite.inner.writer);
        for pragma in ["ignore_check_constraints = true", "foreign_keys = false"] {
            writer.connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        }
        assert!(writer.connection.execute(sql, ()).unwrap() > 0, "{sql}");
        for pragma in ["ignore_check_constraints = false", "foreign_keys = true"] {
            writer.connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        }
    }

    /// Limits the database to its current pages, as on a full disk, or lifts the limit.
    fn fill(&self, is_full: bool) {
        let pages = if is_full { 1 } else { i64::from(u32::MAX - 1) };
        let writer = lock(&self.sqlite.inner.writer);
        writer.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    }
}

#[test]
fn times_round_trip() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_750_000_123);
    assert_eq!(time(millis(now)), now);
    let before = SystemTime::UNIX_EPOCH - Duration::from_millis(5);
    assert_eq!(time(millis(before)), before);
}

#[test]
fn only_one_program_opens_a_folder() {
    let Fixture { folder, sqlite, store } = fixture();
    assert!(matches!(open(folder.path(), &[]), Err(StoreError::InUse { .. })));
    drop((sqlite, store));
    open(folder.path(), &[]).unwrap();
}

#[test]
fn a_file_that_is_not_a_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "no database, and longer than a header of one is: ".repeat(9)).unwrap();
    let error = open(folder.path(), &[]).unwrap_err().to_string();
    assert!(error.contains(FILE) && error.contains("file is not a database") && error.contains("a backup"), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_found_before_anything_is_done() {
    let Fixture { folder, sqlite, store } = fixture();
    for index in 0..50 {
        insert(&store, new_job(&format!("job-{index}"))).await;
    }
    drop((sqlite, store));
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let error = open(folder.path(), &[]).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains(FILE), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was changed");
}

#[test]
fn a_newer_versions_database_is_refused_unchanged() {
    let Fixture { folder, sqlite, store } = fixture();
    drop((sqlite, store));
    let path = folder.path().join(FILE);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    let error = open(folder.path(), &[]).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }) && error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_lost_or_emptied_store_is_not_recreated_beside_files_of_jobs() {
    let Fixture { folder, sqlite, store } = fixture();
    let (path, jobs_with_files) = (folder.path().join(FILE), ["vid_1".to_owned()]);
    drop((sqlite, store));
    let refused = |when: &str| {
        let error = open(folder.path(), &jobs_with_files).unwrap_err();
        assert!(matches!(error, StoreError::Emptied { count: 1, .. }) && error.to_string().contains("vid_1"), "{when}: {error}");
    };
    refused("no rows");
    std::fs::write(&path, "").unwrap();
    refused("no bytes");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "nothing was changed");
    std::fs::remove_file(&path).unwrap();
    refused("no file");
    assert!(!path.exists(), "nothing was created");
    let fixture = Fixture::open(folder);
    insert(&fixture.store, new_job("vid_1")).await;
    let folder = fixture.reopen().folder;
    open(folder.path(), &jobs_with_files).unwrap();
}

/// A database of the first version with jobs in several states, as that version wrote them.
#[tokio::test]
async fn an_older_versions_jobs_continue() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut old = Connection::open(folder.path().join(FILE)).unwrap();
        migrations::migrations().to_version(&mut old, 1).unwrap();
        let work = serde_json::to_string(&new_job("x").work).unwrap();
        let insert =
            "INSERT INTO jobs (id, owner, state, priority, work, note, created_at, updated_at, started_at, finished_at, attempts, parts)
                      VALUES (?1, 'a', ?2, 'normal', ?3, ?4, 5, 6, ?5, ?6, ?7, 1)";
        let task = r#"{"base_url":"http://localhost","native_size":null,"ignored_fields":[],"remarks":[],"seed":3}"#;
        let character = r#"{"api":"characters","base_url":"http://localhost","script":"waves"}"#;
        old.execute(insert, rusqlite::params!["waits", "queued", work, task, None::<i64>, None::<i64>, 0]).unwrap();
        old.execute(insert, rusqlite::params!["runs", "running", work, character, 6, None::<i64>, 1]).unwrap();
        old.execute(insert, rusqlite::params!["over", "cancelled", "", task, None::<i64>, 6, 0]).unwrap();
        for (job, kind) in [(1, "queued"), (2, "queued"), (2, "started"), (3, "queued"), (3, "cancelled")] {
            old.execute("INSERT INTO events (job, at, kind, data) VALUES (?1, 5, ?2, '{}')", (job, kind)).unwrap();
        }
    }
    let Fixture { store, folder: _folder, .. } = &Fixture::open(folder);
    let about = get(store, "waits").await.about;
    assert_eq!((about.kind, about.prompt.as_deref(), about.seed), (Some(WorkKind::Image), Some("a boat"), Some(1)));
    let waiting: Vec<String> = store.recover().await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(waiting, ["waits", "runs"]);
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
    let metadata = get(store, "waits").await.metadata;
    assert_eq!((metadata.kind.as_str(), &metadata.data["seed"]), ("task", &json!(3)));
    let characters = Page { limit: 10, kind: Some("character".into()), newest_first: true, ..Page::default() };
    assert_eq!(store.list("a", &characters).await.unwrap().iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["runs"]);
    let lease = claim(store, "runs").await.unwrap();
    assert_eq!((lease.epoch, get(store, "runs").await.attempts), (1, 2));
    assert!(store.complete(&lease, &outcome(), &[]).await.unwrap());
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
}

/// Ended jobs of the third version, of which nothing is left but their outcomes and metadata, and torn rows.
#[tokio::test]
async fn what_older_versions_jobs_made_follows_from_what_is_left_of_them() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut old = Connection::open(folder.path().join(FILE)).unwrap();
        migrations::migrations().to_version(&mut old, 3).unwrap();
        let insert = "INSERT INTO jobs (id, owner, state, priority, work, metadata, created_at, updated_at, finished_at, parts, outcome,
                      error_kind) VALUES (?1, 'a', ?2, 'normal', '', ?3, 5, 6, 6, 1, ?4, iif(?2 = 'failed', 'model', NULL))";
        let outcome_of = |frames: usize, parameters: &[&str]| {
            let parameters = parameters.iter().map(|text| (*text).to_owned()).collect();
            serde_json::to_string(&crate::jobs::Outcome { frames, parameters, ..outcome() }).unwrap()
        };
        let none: Option<String> = None;
        for (id, state, metadata, outcome) in [
            ("img_1", "completed", "{}", Some(outcome_of(0, &["A boat,\nat night\nNegative prompt: fog\nSteps: 25, Seed: 1"]))),
            ("img_2", "completed", "{}", Some(outcome_of(0, &["a star\nSteps: 25, Seed: 1"]))),
            ("img_3", "completed", "{}", Some(outcome_of(0, &["Postprocess upscale by: 2, Postprocess upscaler: x"]))),
            ("vid_4", "completed", r#"{"script":"waves"}"#, Some(outcome_of(24, &[]))),
            ("img_5", "failed", r#"{"seed":9}"#, none.clone()),
            ("video_6", "failed", r#"{"prompt":"a film"}"#, none.clone()),
            ("vid_7", "failed", "{", none.clone()),
            ("vid_8", "completed", "[]", Some("{".to_owned())),
        ] {
            old.execute(insert, rusqlite::params![id, state, metadata, outcome]).unwrap();
        }
        old.execute("UPDATE jobs SET metadata = CAST(x'7bff' AS TEXT) WHERE id = 'vid_7'", ()).unwrap();
    }
    let Fixture { store, .. } = &Fixture::open(folder);
    let all = store.list("a", &Page { limit: 10, ..Page::default() }).await.unwrap();
    let seen: Vec<_> = all.iter().map(|job| (job.id.as_str(), job.about.kind.map(WorkKind::name), job.about.prompt.as_deref())).collect();
    let expected = [
        ("img_1", Some("image"), Some("A boat,\nat night")),
        ("img_2", Some("image"), Some("a star")),
        ("img_3", Some("upscale"), None),
        ("vid_4", Some("video"), Some("waves")),
        ("img_5", Some("image"), None),
        ("video_6", Some("video"), Some("a film")),
        ("vid_7", Some("video"), None),
        ("vid_8", Some("video"), None),
    ];
    assert_eq!(seen, expected);
    assert_eq!((all[4].about.seed, &all[0].metadata.request), (Some(9), &json!(null)));
    let words = vec!["BOAT".to_owned(), "night".to_owned()];
    let found = store.list("a", &Page { limit: 10, words, ..Page::default() }).await.unwrap();
    assert_eq!(found.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["img_1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_time_out_together_while_another_program_holds_the_database_and_reads_do_not_wait() {
    let Fixture { folder, store, .. } = fixture();
    insert(&store, new_job("x")).await;
    for begin in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let other = Connection::open(folder.path().join(FILE)).unwrap();
        other.execute_batch(begin).unwrap();
        let began = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..6 {
            let store = Arc::clone(&store);
            calls.spawn(async move { store.cancel("a", "x").await.map(drop) });
        }
        assert!(store.get("a", "x").await.unwrap().is_some());
        assert!(store.stats().await.is_ok());
        assert!(began.elapsed() < PATIENCE, "a reader waits for no writer");
        for refused in calls.join_all().await {
            assert_eq!(refused.unwrap_err().fault(), DiskFault::Locked, "{begin}");
        }
        // If the second call waited after the first, both would take twice as long.
        assert!(began.elapsed() < PATIENCE * 2, "{begin}: {:?}", began.elapsed());
        other.execute_batch("ROLLBACK").unwrap();
    }
    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Done(_)));
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_failed_writes_have_no_effect() {
    let fixture = fixture();
    let store = &fixture.store;
    insert(store, new_job("x")).await;
    let lease = claim(store, "x").await.unwrap();
    fixture.fill(true);
    // Existing pages have free space for a while.
    let mut written = 0;
    let error = loop {
        let data = json!({ "text": "x".repeat(3000), "count": written });
        match store.record_progress(&lease, ProgressRecord { percent: 1, kind: "progress", data }, Synced::Now).await {
            Ok(true) if written < 1000 => written += 1,
            refused => break refused.unwrap_err(),
        }
    };
    assert_eq!(error.fault(), DiskFault::Full);
    let mut inserted = 0;
    let error = loop {
        match store.insert(new_job(&format!("y{inserted}")), None, Instant::now() + PATIENCE).await {
            Ok(_) if inserted < 1000 => inserted += 1,
            refused => break refused.unwrap_err(),
        }
    };
    assert!(matches!(&error, SubmitError::Store(error) if error.fault() == DiskFault::Full), "{error}");
    let counted = [(JobState::Queued, inserted), (JobState::Running, 1)].into_iter().filter(|(_, count)| *count > 0);
    assert_eq!(store.stats().await.unwrap().jobs, counted.collect::<Vec<_>>(), "nothing is counted that was rolled back");
    assert_eq!(get(store, "x").await.state, JobState::Running, "readers are answered");
    assert_eq!(store.events("a", "x", 0, 10_000).await.unwrap().unwrap().len(), 2 + written, "queued, started and what was written");
    fixture.fill(false);
    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Done(_)));
    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_removed_database_accepts_nothing_until_it_is_back() {
    let Fixture { folder, store, .. } = fixture();
    insert(&store, new_job("x")).await;
    let (here, there) = (folder.path().join(FILE), folder.path().join("moved"));
    std::fs::rename(&here, &there).unwrap();
    for gone in ["no file", "another file"] {
        assert_eq!(store.cancel("a", "x").await.unwrap_err().fault(), DiskFault::Gone, "{gone}");
        assert_eq!(store.check_writable().await.unwrap_err().fault(), DiskFault::Gone, "{gone}");
        std::fs::write(&here, "another file").unwrap();
    }
    std::fs::rename(&there, &here).unwrap();
    store.check_writable().await.unwrap();
    assert!(matches!(store.cancel("a", "x").await.unwrap(), Cancelled::Done(_)));
}

#[tokio::test]
async fn a_damaged_row_hides_no_other_and_names_the_unreadable_column() {
    let page = Page { limit: 10, newest_first: false, ..Page::default() };
    for (set, state, column) in [
        ("metadata = '{'", JobState::Queued, "metadata"),
        ("metadata = CAST(x'ff' AS TEXT)", JobState::Queued, "metadata"),
        ("kind = CAST(x'ff' AS TEXT)", JobState::Queued, "kind"),
        ("work_kind = 'sculpture'", JobState::Queued, "work_kind"),
        ("prompt = CAST(x'ff' AS TEXT)", JobState::Queued, "prompt"),
        ("about = '['", JobState::Queued, "about"),
        ("request = '{'", JobState::Queued, "request"),
        ("priority = 'urgent'", JobState::Queued, "priority"),
        ("own_priority = 'urgent'", JobState::Queued, "own_priority"),
        ("percent = -5", JobState::Queued, "percent"),
        ("attempts = 1 << 40", JobState::Queued, "attempts"),
        ("parts = -1", JobState::Queued, "parts"),
        ("error_kind = 'unheard of'", JobState::Queued, "error_kind"),
        ("state = 'lost'", JobState::Failed, "state"),
        ("state = 'lost', finished_at = 0", JobState::Failed, "state"),
        ("state = 'completed', finished_at = 0, outcome = 'x'", JobState::Failed, "outcome"),
        ("owner = CAST(x'61ff' AS TEXT)", JobState::Queued, ""),
    ] {
        let fixture = fixture();
        let store = &fixture.store;
        for id in ["x", "y", "z"] {
            insert(store, new_job(id)).await;
        }
        fixture.tear(&format!("UPDATE jobs SET {set} WHERE id = 'y'"));
        let listed = store.list("a", &page).await.unwrap();
        let ids: Vec<&str> = listed.iter().map(|job| job.id.as_str()).collect();
        if column.is_empty() {
            // No owner can ask for it.
            assert_eq!(ids, ["x", "z"], "{set}");
        } else {
            assert_eq!(ids, ["x", "y", "z"], "{set}");
            let job = get(store, "y").await;
            assert_eq!(job.state, state, "{set}");
            assert!(job.damage.as_ref().unwrap().contains(&format!("its {column} cannot be read")), "{set}: {:?}", job.damage);
            assert_eq!(store.events("a", "y", 0, 10).await.unwrap().unwrap().len(), 1, "{set}");
            let cancelled = store.cancel("a", "y").await.unwrap();
            assert_eq!(matches!(cancelled, Cancelled::Done(_)), !state.is_final(), "{set}: {cancelled:?}");
        }
        // A restart does not fail because of it, and it expires like every other job.
        let fixture = fixture.reopen();
        let store = &fixture.store;
        let waiting = store.recover().await.unwrap();
        assert!(waiting.iter().any(|job| job.id == "x") && waiting.iter().any(|job| job.id == "z"), "{set}");
        if !column.is_empty() {
            let later = SystemTime::now() + Duration::from_secs(1);
            store.forget_before(later).await.unwrap();
            assert!(store.get("a", "y").await.unwrap().is_none() || !store.due_deliveries(10).await.unwrap().is_empty(), "{set}");
        }
        let stats = store.stats().await.unwrap();
        assert!(stats.jobs.iter().map(|(_, count)| count).sum::<u64>() >= 2, "{set}: {stats:?}");
    }
}

#[tokio::test]
async fn a_job_with_an_unreadable_state_fails_at_the_next_start_and_its_callback_is_notified() {
    let fixture = fixture();
    insert(&fixture.store, new_job("x")).await;
    fixture.tear("UPDATE jobs SET state = 'lost' WHERE id = 'x'");
    let fixture = fixture.reopen();
    assert!(fixture.store.recover().await.unwrap().is_empty());
    let job = get(&fixture.store, "x").await;
    assert_eq!((job.state, job.error.unwrap().kind), (JobState::Failed, JobErrorKind::Internal));
    assert_eq!(fixture.store.due_deliveries(10).await.unwrap().len(), 1);
    assert_eq!(fixture.store.inconsistencies().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_job_with_damaged_counts_still_starts() {
    let fixture = fixture();
    insert(&fixture.store, new_job("x")).await;
    let counts = "percent = -5, idle_attempts = -1, attempts = 1 << 40, parts = -1, priority = 'urgent', epoch = -7, lease_until = -1";
    fixture.tear(&format!("UPDATE jobs SET {counts} WHERE id = 'x'"));
    assert_eq!(fixture.store.recover().await.unwrap().len(), 1);
    let lease = claim(&fixture.store, "x").await.unwrap();
    assert_eq!(lease.epoch, 1);
    assert!(fixture.store.complete(&lease, &outcome(), &[]).await.unwrap());
}

#[tokio::test]
async fn unreadable_work_fails_only_its_own_job() {
    let fixture = fixture();
    for id in ["x", "y"] {
        insert(&fixture.store, new_job(id)).await;
    }
    fixture.tear("UPDATE jobs SET work = '{' WHERE id = 'x'");
    assert!(matches!(fixture.store.claim("x", "worker", 5).await, Ok(Claimed::Nothing)));
    let error = get(&fixture.store, "x").await.error.unwrap();
    assert_eq!(error.kind, JobErrorKind::Internal);
    assert!(error.message.starts_with("the stored work cannot be read: "), "{}", error.message);
    assert!(claim(&fixture.store, "y").await.is_some());
}

#[tokio::test]
async fn a_damaged_length_is_no_reason_to_remove_a_file() {
    let fixture = fixture();
    let store = &fixture.store;
    for id in ["x", "y", "z"] {
        insert(store, new_job(id)).await;
        let lease = claim(store, id).await.unwrap();
        assert!(store.complete(&lease, &outcome(), &[file("a.png", 7)]).await.unwrap());
    }
    fixture.tear("UPDATE artifacts SET bytes = -1 WHERE job = 1");
    let lengths = |kept: Vec<KeptFile>| kept.into_iter().map(|file| file.bytes).collect::<Vec<_>>();
    assert_eq!(lengths(store.kept_files().await.unwrap()), [0, 7, 7]);
    assert_eq!(get(store, "x").await.artifacts, [Artifact { bytes: 0, ..file("a.png", 0) }]);
    fixture.tear(&format!("UPDATE artifacts SET bytes = {} WHERE job > 1", i64::MAX));
    let fixture = fixture.reopen();
    let stats = fixture.store.stats().await.unwrap();
    assert_eq!((stats.kept_files, stats.kept_bytes), (3, 2 * i64::MAX.cast_unsigned()));
    for id in ["x", "y", "z"] {
        fixture.store.file_removed(id, "a.png").await.unwrap();
    }
    assert_eq!(fixture.store.stats().await.unwrap().kept_bytes, 0);
}

#[tokio::test]
async fn planted_faults_are_found() {
    for (fault, found) in [
        ("UPDATE jobs SET state = 'lost' WHERE id = 'runs'", "its state is unknown"),
        ("UPDATE jobs SET state = 'queued' WHERE id = 'runs'", "it is queued, and its events end with Some(Running)"),
        ("UPDATE jobs SET epoch = 0 WHERE id = 'runs'", "it runs and was never claimed"),
        ("UPDATE jobs SET worker = NULL WHERE id = 'runs'", "it is running, and its worker is not set"),
        ("UPDATE jobs SET lease_until = NULL WHERE id = 'runs'", "it is running, and its lease is not set"),
        ("UPDATE jobs SET worker = 'w' WHERE id = 'waits'", "it is queued, and its worker is set"),
        ("UPDATE jobs SET attempts = 7 WHERE id = 'runs'", "it has 7 attempts and 1 events of a start"),
        ("UPDATE jobs SET finished_at = NULL WHERE id = 'failed'", "it is failed, and the time of its end is not set"),
        ("UPDATE jobs SET finished_at = 1 WHERE id = 'waits'", "it is queued, and the time of its end is set"),
        ("UPDATE jobs SET work = '' WHERE id = 'waits'", "it is queued, and its work is not set"),
        ("UPDATE jobs SET work = '{}' WHERE id = 'failed'", "it is failed, and its work is set"),
        ("UPDATE jobs SET outcome = NULL WHERE id = 'completed'", "it is completed, and its outcome is not set"),
        ("UPDATE jobs SET percent = 99 WHERE id = 'completed'", "it is completed at 99 %"),
        ("UPDATE jobs SET error_kind = NULL WHERE id = 'failed'", "it is failed, and its error is not set"),
        ("INSERT INTO artifacts SELECT number, 'a.png', '', 0, '', NULL FROM jobs WHERE id = 'failed'", "it is failed and has 1 files"),
        ("INSERT INTO artifacts VALUES (1000, 'a.png', '', 0, '', NULL)", "a row of artifacts belongs to no job"),
        ("DELETE FROM artifacts", "the numbers are"),
        ("DELETE FROM deliveries", "webhook messages in place of 1"),
        ("UPDATE deliveries SET event = 'cancelled'", "its webhook message says [\"cancelled\"]"),
        (
            "INSERT INTO deliveries (job, url, event, created_at) SELECT number, '', 'failed', 1 FROM jobs WHERE id = 'failed'",
            "it is failed and has 2 webhook messages in place of 1",
        ),
        ("DELETE FROM events WHERE kind = 'failed'", "it is failed and has 0 events of an end"),
        (
            "INSERT INTO events (job, at, kind, data) SELECT number, 1, 'cancelled', '{}' FROM jobs WHERE id = 'failed'",
            "it is failed and has 2 events of an end",
        ),
        ("DELETE FROM events WHERE kind = 'queued'", "its first event is not \"queued\""),
        ("DELETE FROM jobs WHERE id = 'waits'", "a row of events belongs to no job"),
        ("UPDATE idempotency SET owner = 'b'", "the idempotency key \"key\" names another owner's job"),
        ("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'events'", "a number of events would be used again"),
        ("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'jobs'", "a number of jobs would be used again"),
    ] {
        let fixture = fixture();
        let store = &fixture.store;
        let idempotency = Some(Idempotency { key: "key".into(), fingerprint: String::new() });
        insert(store, NewJob { idempotency, ..new_job("waits") }).await;
        for id in ["runs", "failed", "completed"] {
            insert(store, new_job(id)).await;
            let lease = claim(store, id).await.unwrap();
            match id {
                "failed" => assert!(store.fail(&lease, &error(), Charge::IfAsked).await.unwrap()),
                "completed" => assert!(store.complete(&lease, &outcome(), &[file("a.png", 7)]).await.unwrap()),
                _ => {}
            }
        }
        assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
        fixture.tear(fault);
        let messages = store.inconsistencies().await.unwrap();
        assert!(messages.iter().any(|message| message.contains(found)), "{fault}: {messages:?}");
    }
}
