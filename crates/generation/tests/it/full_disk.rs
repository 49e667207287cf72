//! A full disk, space that is freed, and a data folder that is moved away: accepted jobs wait and end, and new ones are refused at once.

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
use generation_test::{Checked, PATIENCE, eventually, local};

use crate::jobs::{end_of, image_job, until, video};

/// A fake disk that is full while a test wants it to be.
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

/// Retries while the last thread of an earlier program still has the folder.
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

/// A job whose images are finished and cannot be stored; it takes a second, in which the disk is filled.
async fn held_up(jobs: &Jobs, disk: &Disk, id: &str) -> Job {
    jobs.submit(image_job(id, "stuck")).await.unwrap();
    until(jobs, id, JobState::Running).await;
    disk.fill(true);
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", id)).await.expect("it is reported").unwrap().unwrap();
    assert_eq!((job.state, job.blocked_by), (JobState::Running, Some(DiskFault::Full)));
    job
}

#[tokio::test]
async fn images_wait_for_space_on_a_full_disk() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    held_up(&jobs, &disk, "a").await;
    assert_eq!(jobs.check_writable().await.unwrap_err().fault(), DiskFault::Full);
    // More jobs would only wait too.
    let refused = jobs.submit(image_job("b", "a boat")).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(error) if error.fault() == DiskFault::Full), "{refused}");
    disk.fill(false);
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.blocked_by, job.attempts), (JobState::Completed, None, 1));
    jobs.check_writable().await.unwrap();
    jobs.submit(image_job("b", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "b").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_job_that_waits_for_space_can_be_cancelled() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    held_up(&jobs, &disk, "a").await;
    assert!(matches!(jobs.cancel("", "a").await.unwrap(), Cancelled::Done(_)));
    let left = |name: &str| fs::read_dir(folder.path().join(name)).unwrap().count();
    eventually("nothing is left of it", || left("staging") == 0 && left("artifacts") == 0).await;
    assert_eq!(jobs.get("", "a").await.unwrap().unwrap().blocked_by, None);
}

#[tokio::test]
async fn a_job_that_waits_for_space_survives_a_restart() {
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
async fn a_video_that_meets_a_full_disk_at_its_last_frame_is_resumed_from_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = opened(JobsSettings::new(folder.path(), SystemTime::now)).await;
    jobs.submit(video("a", "full once")).await.unwrap();
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.unwrap().unwrap().unwrap();
    assert_eq!((job.state, job.blocked_by), (JobState::Queued, Some(DiskFault::Full)));
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.attempts), (JobState::Completed, 2));
    let events = jobs.events("", "a", 0, 1000).await.unwrap().unwrap();
    let reason = events.iter().find(|event| event.kind == "requeued").map(|event| event.data["reason"].clone());
    assert_eq!(reason, Some("the disk is full".into()));
}

#[tokio::test]
async fn a_job_that_a_full_disk_keeps_from_starting_says_so() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    disk.fill(true);
    jobs.submit(video("a", "a boat")).await.unwrap();
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.unwrap().unwrap().unwrap();
    assert_eq!((job.state, job.blocked_by, job.attempts), (JobState::Queued, Some(DiskFault::Full), 0));
    disk.fill(false);
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_job_cancelled_before_its_start_leaves_nothing_on_a_full_disk() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let jobs = disk.jobs(folder.path()).await;
    disk.fill(true);
    jobs.submit(video("a", "a boat")).await.unwrap();
    tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.unwrap().unwrap().unwrap();
    // As an earlier attempt leaves them.
    for name in ["staging/a", "journal/a"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    assert!(matches!(jobs.cancel("", "a").await.unwrap(), Cancelled::Done(_)));
    let left = |name: &str| fs::read_dir(folder.path().join(name)).unwrap().count();
    eventually("nothing is left of it", || left("staging") == 0 && left("journal") == 0).await;
    // No waiting job is left that would cause a refusal.
    jobs.submit(video("b", "a boat")).await.unwrap();
    disk.fill(false);
    assert_eq!(end_of(&jobs, "b").await.state, JobState::Completed);
}

#[tokio::test]
async fn new_jobs_are_refused_while_many_finished_ones_wait_to_be_stored() {
    let (folder, is_refused) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(true)));
    let (staging, refuses) = (folder.path().join("staging"), Arc::clone(&is_refused));
    // A successful probe does not help: files lie in place of the folders for the images.
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
        jobs.submit(image_job(id, "a boat")).await.unwrap();
        let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", id)).await.unwrap().unwrap().unwrap();
        assert_eq!((job.state, job.blocked_by), (JobState::Running, Some(DiskFault::Failing)), "{id}");
    }
    let is_crowded = |error: &StoreError| matches!(error, StoreError::TooManyUnstored { count: 4, fault: DiskFault::Failing });
    let refused = jobs.submit(image_job("e", "a boat")).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(error) if is_crowded(error)), "{refused}");
    assert!(is_crowded(&jobs.check_writable().await.unwrap_err()));
    is_refused.store(false, Ordering::Relaxed);
    for id in ids {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    jobs.submit(image_job("e", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "e").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_completed_job_keeps_its_file_if_its_folders_cannot_be_removed() {
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
    jobs.submit(image_job("a", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    eventually("it is released", || jobs.previews("", "a").is_none()).await;
    let file = jobs.artifact("", "a", "image-0.png").await.unwrap().unwrap();
    assert_eq!(fs::metadata(folder.path().join("artifacts/a").join(&file.name)).unwrap().len(), file.bytes);
}

/// The offset of the clock of the test below from the real one, in seconds.
static LATER_SECONDS: AtomicU64 = AtomicU64::new(0);

#[tokio::test]
async fn no_job_waits_for_space_longer_than_a_day() {
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
async fn callers_time_out_together_while_another_program_holds_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = opened(JobsSettings::new(folder.path(), SystemTime::now)).await;
    let other = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let callers = (0..6).map(|caller| {
        let (jobs, mut new) = (jobs.clone(), image_job(&format!("job-{caller}"), "a boat"));
        // Requests with idempotency keys also wait for each other.
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
    jobs.submit(image_job("job-0", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "job-0").await.state, JobState::Completed);
}

#[tokio::test]
async fn nothing_is_accepted_while_the_data_folder_is_away() {
    let parent = tempfile::tempdir().unwrap();
    let (here, there) = (parent.path().join("data"), parent.path().join("elsewhere"));
    let jobs = opened(JobsSettings::new(&here, SystemTime::now)).await;
    jobs.submit(image_job("a", "a boat")).await.unwrap();
    end_of(&jobs, "a").await;
    fs::rename(&here, &there).unwrap();
    assert_eq!(jobs.check_writable().await.unwrap_err().fault(), DiskFault::Gone);
    let refused = jobs.submit(image_job("b", "a boat")).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(StoreError::Gone { .. })), "{refused}");
    assert!(jobs.get("", "a").await.unwrap().is_some(), "who reads is answered");
    fs::rename(&there, &here).unwrap();
    jobs.check_writable().await.unwrap();
    jobs.submit(image_job("b", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "b").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_lost_store_refuses_the_start_and_files_beside_it_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (settings, file) = (JobsSettings::new(folder.path(), SystemTime::now), path("jobs.sqlite"));
    {
        let jobs = opened(settings.clone()).await;
        jobs.submit(image_job("a", "a boat")).await.unwrap();
        end_of(&jobs, "a").await;
    }
    // Once another instance can open the folder, the old one has released the database; after closing, all data is in its main file.
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
        jobs.submit(image_job("b", "a boat")).await.unwrap();
        end_of(&jobs, "b").await;
    }
    drop(opened(settings.clone()).await);
    eventually("it is closed", || !path("jobs.sqlite-wal").exists()).await;
    // A backup from before a job does not know it; the job's file still belongs to its owner.
    fs::write(&file, &backup).unwrap();
    let mut jobs = opened(settings).await;
    jobs.allow_unknown_files();
    assert!(jobs.get("", "b").await.unwrap().is_none());
    assert!(path("artifacts/b/image-0.png").exists() && path("artifacts/notes.txt").exists());
}
