//! Jobs that their owners delete, whatever they are doing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use generation::jobs::{JobState, JobsSettings, StoreError};
use generation_test::{Checked, PATIENCE, local};

use crate::jobs::{end_of, image_job, until, video};

async fn jobs(folder: &Path) -> Checked {
    Checked::open(JobsSettings { queue_capacity: 4, ..JobsSettings::new(folder, SystemTime::now) }, local().await).await.unwrap()
}

/// Every file below a folder whose path has this name in it.
fn files_of(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inside = entries.flat_map(|path| if path.is_dir() { files_of(&path, "") } else { vec![path] });
    inside.filter(|path| path.to_string_lossy().contains(name)).collect()
}

#[tokio::test]
async fn a_finished_a_running_and_a_waiting_job_are_gone_with_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path()).await;
    jobs.submit(video("vid_done", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "vid_done").await.state, JobState::Completed);
    assert_eq!(files_of(folder.path(), "vid_done").len(), 1);
    jobs.submit(video("vid_runs", "slow")).await.unwrap();
    until(&jobs, "vid_runs", JobState::Running).await;
    jobs.submit(video("vid_waits", "a boat")).await.unwrap();
    assert!(!jobs.forget("another", "vid_done").await.unwrap() && !jobs.forget("", "vid_none").await.unwrap());
    for id in ["vid_done", "vid_waits", "vid_runs"] {
        assert!(jobs.forget("", id).await.unwrap(), "{id}");
        assert!(jobs.get("", id).await.unwrap().is_none() && jobs.events("", id, 0, 10).await.unwrap().is_none(), "{id}");
        assert!(jobs.artifact("", id, "video.mp4").await.unwrap().is_none() && files_of(folder.path(), id).is_empty(), "{id}");
        assert!(!jobs.forget("", id).await.unwrap(), "{id}");
    }
    assert_eq!((jobs.active(), jobs.metrics().completed), (0, 1), "what was done stays counted");
    // Their ids may be used again.
    jobs.submit(video("vid_done", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "vid_done").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_caller_who_hangs_up_has_deleted_the_job_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path()).await;
    jobs.submit(image_job("img_1", "slow")).await.unwrap();
    until(&jobs, "img_1", JobState::Running).await;
    drop(tokio::time::timeout(Duration::ZERO, jobs.forget("", "img_1")).await);
    let gone = async {
        while jobs.get("", "img_1").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it goes");
}

#[tokio::test]
async fn an_interrupted_deletion_is_finished_by_another_call() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path()).await;
    jobs.submit(video("vid_1", "a boat")).await.unwrap();
    end_of(&jobs, "vid_1").await;
    // The program was killed after the file was removed, and before the store knew.
    for file in files_of(folder.path(), "vid_1") {
        fs::remove_file(file).unwrap();
    }
    assert!(jobs.forget("", "vid_1").await.unwrap());
    assert!(jobs.get("", "vid_1").await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_that_is_stuck_while_the_program_stops_is_deleted_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let first = jobs(folder.path()).await;
    first.submit(image_job("img_1", "stuck")).await.unwrap();
    until(&first, "img_1", JobState::Running).await;
    let (forgotten, ()) = tokio::join!(first.forget("", "img_1"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        first.shut_down(Duration::from_secs(5)).await;
    });
    assert!(matches!(forgotten, Err(StoreError::ShuttingDown) | Ok(true)), "{forgotten:?}");
    drop(first);
    let second = jobs(folder.path()).await;
    let was_left = forgotten.is_err();
    assert_eq!(second.forget("", "img_1").await.unwrap(), was_left);
    assert!(second.get("", "img_1").await.unwrap().is_none());
}
