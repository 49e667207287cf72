//! A disk that is full, comes back, or was taken away: what was accepted waits and ends, and what cannot be is refused at once.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use generation::jobs::{
    Cancelled, DiskFault, FailHook, FailPoint, Idempotency, Job, JobErrorKind, JobState, Jobs, JobsSettings, StoreError, SubmitError,
};

use crate::{
    checked::Checked,
    fake::{eventually, local},
    fake_model::PATIENCE,
    jobs::{end_of, pictures, until, video},
};

/// A disk that is full while a test says so.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<AtomicBool>);

impl Disk {
    pub(crate) fn fill(&self, is_full: bool) {
        self.0.store(is_full, Ordering::Relaxed);
    }

    pub(crate) fn hook(&self) -> FailHook {
        let is_full = Arc::clone(&self.0);
        FailHook::with_disk(move || if is_full.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) })
    }

    async fn jobs(&self, folder: &Path) -> Checked {
        let settings = JobsSettings { fail_hook: self.hook(), ..JobsSettings::new(folder, SystemTime::now) };
        opened(settings).await
    }
}

/// The folder is free when the last of an old program's threads has let go of it.
async fn tried(settings: JobsSettings) -> Result<Checked, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Checked::open(settings.clone(), local().await).await {
            Err(StoreError::InUse { .. }) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(5)).await,
            tried => return tried,
        }
    }
}

async fn opened(settings: JobsSettings) -> Checked {
    tried(settings).await.unwrap()
}

/// A job whose pictures are made and cannot be stored; it took a second, in which the disk is filled.
async fn held_up(jobs: &Jobs, disk: &Disk, id: &str) -> Job {
    jobs.submit(pictures(id, "stuck")).await.unwrap();
    until(jobs, id, JobState::Running).await;
    disk.fill(true);
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", id)).await.expect("it is told of").unwrap().unwrap();
    assert_eq!((job.state, job.held_up_by), (JobState::Running, Some(DiskFault::Full)));
    job
}

#[tokio::test]
async fn pictures_that_find_no_room_wait_for_it() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    held_up(&jobs, &disk, "a").await;
    assert_eq!(jobs.check_writable().await.unwrap_err().fault(), DiskFault::Full);
    // More of them would only wait too.
    let refused = jobs.submit(pictures("b", "a boat")).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(error) if error.fault() == DiskFault::Full), "{refused}");
    disk.fill(false);
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.held_up_by, job.attempts), (JobState::Completed, None, 1));
    jobs.check_writable().await.unwrap();
    jobs.submit(pictures("b", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "b").await.state, JobState::Completed);
}

#[tokio::test]
async fn one_that_waits_for_room_can_be_called_off() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    held_up(&jobs, &disk, "a").await;
    assert!(matches!(jobs.cancel("", "a").await.unwrap(), Cancelled::Done(_)));
    let left = |name: &str| fs::read_dir(folder.path().join(name)).unwrap().count();
    eventually("nothing is left of it", || left("staging") == 0 && left("artifacts") == 0).await;
    assert_eq!(jobs.get("", "a").await.unwrap().unwrap().held_up_by, None);
}

#[tokio::test]
async fn one_that_waits_for_room_outlives_the_program() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    held_up(&jobs, &disk, "a").await;
    tokio::time::timeout(PATIENCE, jobs.shut_down(Duration::ZERO)).await.expect("the end waits for no room");
    drop(jobs);
    disk.fill(false);
    let jobs = disk.jobs(folder.path()).await;
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_video_that_finds_no_room_at_its_last_frame_is_made_again_behind_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = opened(JobsSettings::new(folder.path(), SystemTime::now)).await;
    jobs.submit(video("a", "full once")).await.unwrap();
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.unwrap().unwrap().unwrap();
    assert_eq!((job.state, job.held_up_by), (JobState::Queued, Some(DiskFault::Full)));
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.attempts), (JobState::Completed, 2));
    let events = jobs.events("", "a", 0, 1000).await.unwrap().unwrap();
    let reason = events.iter().find(|event| event.kind == "requeued").map(|event| event.data["reason"].clone());
    assert_eq!(reason, Some("the disk is full".into()));
}

#[tokio::test]
async fn a_job_that_is_not_begun_for_lack_of_room_says_so() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    disk.fill(true);
    jobs.submit(video("a", "a boat")).await.unwrap();
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.unwrap().unwrap().unwrap();
    assert_eq!((job.state, job.held_up_by, job.attempts), (JobState::Queued, Some(DiskFault::Full), 0));
    disk.fill(false);
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_job_that_is_called_off_before_it_is_begun_leaves_nothing_on_a_full_disk() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    disk.fill(true);
    jobs.submit(video("a", "a boat")).await.unwrap();
    tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.unwrap().unwrap().unwrap();
    // As an earlier run of it leaves them.
    for name in ["staging/a", "journal/a"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    assert!(matches!(jobs.cancel("", "a").await.unwrap(), Cancelled::Done(_)));
    let left = |name: &str| fs::read_dir(folder.path().join(name)).unwrap().count();
    eventually("nothing is left of it", || left("staging") == 0 && left("journal") == 0).await;
    // None waits any more that would have another refused.
    jobs.submit(video("b", "a boat")).await.unwrap();
    disk.fill(false);
    assert_eq!(end_of(&jobs, "b").await.state, JobState::Completed);
}

#[tokio::test]
async fn no_more_is_made_while_many_that_are_made_wait_to_be_stored() {
    let (folder, is_refused) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(true)));
    let (staging, refuses) = (folder.path().join("staging"), Arc::clone(&is_refused));
    // Room for a probe is no room for a picture: files lie in the place of the folders that pictures are stored in.
    let hook = FailHook::new(move |point| {
        let folders = fs::read_dir(&staging).unwrap().map(|entry| entry.unwrap().path());
        for path in folders.filter(|_| point == FailPoint::Made) {
            match (refuses.load(Ordering::Relaxed), path.is_dir()) {
                (true, true) => fs::remove_dir_all(&path).and_then(|()| fs::write(&path, "")).unwrap(),
                (false, false) => fs::remove_file(&path).and_then(|()| fs::create_dir(&path)).unwrap(),
                _ => {}
            }
        }
    });
    let jobs = opened(JobsSettings { fail_hook: hook, ..JobsSettings::new(folder.path(), SystemTime::now) }).await;
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        jobs.check_writable().await.unwrap();
        jobs.submit(pictures(id, "a boat")).await.unwrap();
        let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", id)).await.unwrap().unwrap().unwrap();
        assert_eq!((job.state, job.held_up_by), (JobState::Running, Some(DiskFault::Failing)), "{id}");
    }
    let is_crowded = |error: &StoreError| matches!(error, StoreError::Crowded { count: 4, fault: DiskFault::Failing });
    let refused = jobs.submit(pictures("e", "a boat")).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(error) if is_crowded(error)), "{refused}");
    assert!(is_crowded(&jobs.check_writable().await.unwrap_err()));
    is_refused.store(false, Ordering::Relaxed);
    for id in ids {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    jobs.submit(pictures("e", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "e").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_completed_job_keeps_its_file_where_its_way_cannot_be_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let staging = folder.path().join("staging/a");
    let hook = FailHook::new(move |point| {
        if point == FailPoint::Completed {
            fs::remove_dir_all(&staging).and_then(|()| fs::write(&staging, "")).unwrap();
        } else if point == FailPoint::Made && staging.is_file() {
            fs::remove_file(&staging).unwrap();
        }
    });
    let jobs = opened(JobsSettings { fail_hook: hook, ..JobsSettings::new(folder.path(), SystemTime::now) }).await;
    jobs.submit(pictures("a", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    eventually("it is let go of", || jobs.previews("", "a").is_none()).await;
    let file = jobs.artifact("", "a", "image-0.png").await.unwrap().unwrap();
    assert_eq!(fs::metadata(folder.path().join("artifacts/a").join(&file.name)).unwrap().len(), file.bytes);
}

/// The clock of the test below: the real one, and what is added to it.
static LATER_SECONDS: AtomicU64 = AtomicU64::new(0);

#[tokio::test]
async fn nothing_waits_for_room_longer_than_a_day() {
    fn now() -> SystemTime {
        SystemTime::now() + Duration::from_secs(LATER_SECONDS.load(Ordering::Relaxed))
    }
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = opened(JobsSettings { fail_hook: disk.hook(), now, ..JobsSettings::new(folder.path(), now) }).await;
    held_up(&jobs, &disk, "a").await;
    LATER_SECONDS.store(25 * 3600, Ordering::Relaxed);
    let job = end_of(&jobs, "a").await;
    let error = job.error.unwrap();
    assert_eq!((job.state, error.kind, error.retryable), (JobState::Failed, JobErrorKind::Encoder, true));
    assert_eq!(error.message, "its file could not be stored for 24 h: the disk is full");
}

#[tokio::test]
async fn callers_give_up_together_while_another_program_holds_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = opened(JobsSettings::new(folder.path(), SystemTime::now)).await;
    let other = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let callers = (0..6).map(|caller| {
        let (jobs, mut new) = (jobs.clone(), pictures(&format!("job-{caller}"), "a boat"));
        // Requests with names of their own wait for each other besides.
        new.idempotency = (caller % 2 == 0).then(|| Idempotency { key: format!("key-{caller}"), fingerprint: String::new() });
        tokio::spawn(async move { jobs.submit(new).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        let refused = caller.await.unwrap().unwrap_err();
        assert!(matches!(&refused, SubmitError::Store(error) if error.fault() == DiskFault::Locked), "{refused}");
    }
    // Each waits for three seconds at most; one after another they would take eighteen.
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    jobs.submit(pictures("job-0", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "job-0").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_data_folder_that_is_taken_away_takes_nothing_until_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let (here, there) = (parent.path().join("data"), parent.path().join("elsewhere"));
    let jobs = opened(JobsSettings::new(&here, SystemTime::now)).await;
    jobs.submit(pictures("a", "a boat")).await.unwrap();
    end_of(&jobs, "a").await;
    fs::rename(&here, &there).unwrap();
    assert_eq!(jobs.check_writable().await.unwrap_err().fault(), DiskFault::Gone);
    let refused = jobs.submit(pictures("b", "a boat")).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(StoreError::Gone { .. })), "{refused}");
    assert!(jobs.get("", "a").await.unwrap().is_some(), "who reads is answered");
    fs::rename(&there, &here).unwrap();
    jobs.check_writable().await.unwrap();
    jobs.submit(pictures("b", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "b").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_store_that_was_lost_refuses_the_start_and_what_lies_beside_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (settings, file) = (JobsSettings::new(folder.path(), SystemTime::now), path("jobs.sqlite"));
    {
        let jobs = opened(settings.clone()).await;
        jobs.submit(pictures("a", "a boat")).await.unwrap();
        end_of(&jobs, "a").await;
    }
    // The old program has let go of the database when another can have it; then all of it is in its one file.
    drop(opened(settings.clone()).await);
    eventually("it is closed", || !path("jobs.sqlite-wal").exists()).await;
    let backup = fs::read(&file).unwrap();
    fs::write(path("artifacts/notes.txt"), "mine").unwrap();
    for lost in ["removed", "empty"] {
        match lost {
            "removed" => fs::remove_file(&file).unwrap(),
            _ => fs::write(&file, "").unwrap(),
        }
        let error = tried(settings.clone()).await.unwrap_err();
        assert!(matches!(error, StoreError::Emptied { count: 1, .. }), "{lost}: {error}");
        assert!(path("artifacts/a/image-0.png").exists() && path("artifacts/notes.txt").exists(), "{lost}");
    }
    fs::write(&file, &backup).unwrap();
    {
        let jobs = opened(settings.clone()).await;
        assert_eq!(jobs.get("", "a").await.unwrap().unwrap().state, JobState::Completed);
        jobs.submit(pictures("b", "a boat")).await.unwrap();
        end_of(&jobs, "b").await;
    }
    drop(opened(settings.clone()).await);
    eventually("it is closed", || !path("jobs.sqlite-wal").exists()).await;
    // A backup from before a job knows nothing of it; its file is no less its owner's.
    fs::write(&file, &backup).unwrap();
    let mut jobs = opened(settings).await;
    jobs.are_among_strangers();
    assert!(jobs.get("", "b").await.unwrap().is_none());
    assert!(path("artifacts/b/image-0.png").exists() && path("artifacts/notes.txt").exists());
}
