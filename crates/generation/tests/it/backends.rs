//! Several backends: routing of jobs, loss of a backend, and a worker that has lost its lease.

use std::{
    fs,
    path::Path,
    sync::{Arc, LazyLock, mpsc},
    time::{Duration, SystemTime},
};

use generation::{
    Backend, BackendError, SubmitError,
    jobs::{Durability, JobErrorKind, JobState, JobsSettings, NewJob, Page},
};
use generation_test::{Checked, PATIENCE, eventually};

use crate::{
    fake::{images, until_free},
    jobs::{end_of, image_job, until, video},
    scripted::{Scripted, loading},
};

/// Jobs with these backends and a local device that is still loading; dropping the sender lets the loading fail.
async fn opened(folder: &Path, others: &[&Arc<Scripted>]) -> (Checked, mpsc::Sender<()>) {
    opened_at(folder, SystemTime::now, others).await
}

async fn opened_at(folder: &Path, now: fn() -> SystemTime, others: &[&Arc<Scripted>]) -> (Checked, mpsc::Sender<()>) {
    let (local, load) = loading();
    let others = others.iter().map(|other| Arc::clone(other) as Arc<dyn Backend>).collect();
    let jobs = Checked::open_with(JobsSettings::new(folder, now), local, others).await.unwrap();
    (jobs, load)
}

fn held(id: &str, prompt: &str) -> NewJob {
    NewJob { durability: Durability::Held { video: None }, ..image_job(id, prompt) }
}

async fn kinds(jobs: &Checked, id: &str) -> Vec<String> {
    jobs.events("", id, 0, 1000).await.unwrap().unwrap().into_iter().map(|event| event.kind).collect()
}

fn images_only() -> Scripted {
    Scripted { name: "images", videos: false, ..Scripted::default() }
}

fn videos_only() -> Scripted {
    Scripted { name: "videos", images: false, ..Scripted::default() }
}

#[tokio::test]
async fn a_job_goes_to_a_backend_that_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let (images, videos) = (Arc::new(images_only()), Arc::new(videos_only()));
    let (jobs, _load) = opened(folder.path(), &[&images, &videos]).await;
    for job in [image_job("a", "a boat"), video("b", "a boat"), image_job("c", "a boat")] {
        jobs.submit(job).await.unwrap();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    assert_eq!((images.seen().ran, videos.seen().ran), (vec!["a".to_owned(), "c".into()], vec!["b".into()]));
}

#[tokio::test]
async fn a_backend_runs_as_many_jobs_at_once_as_it_has_slots() {
    let folder = tempfile::tempdir().unwrap();
    let two = Scripted { slots: 2, ..Scripted::default() }.shut();
    let (jobs, _load) = opened(folder.path(), &[&two]).await;
    let mut waiters = Vec::new();
    for index in 0..3 {
        jobs.submit(image_job(&format!("stored-{index}"), "a boat")).await.unwrap();
        waiters.push(jobs.submit(held(&format!("held-{index}"), "a boat")).await.unwrap().held.unwrap());
    }
    eventually("both work", || two.seen().running.len() == 2).await;
    assert_eq!((jobs.active(), jobs.waiting()), (6, 4));
    two.open_gate();
    for held in waiters {
        assert_eq!(images(held).await.unwrap().len(), 1);
    }
    for index in 0..3 {
        assert_eq!(end_of(&jobs, &format!("stored-{index}")).await.state, JobState::Completed);
    }
    assert_eq!((two.seen().most, two.seen().ran.len(), jobs.active()), (2, 6, 0));
}

#[tokio::test]
async fn a_backend_of_another_kind_passes_on_a_job_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    {
        let images = images_only().shut();
        let (jobs, _load) = opened(folder.path(), &[&images]).await;
        jobs.submit(image_job("a", "a boat")).await.unwrap();
        eventually("it runs", || images.seen().running == ["a"]).await;
        jobs.shut_down(Duration::ZERO).await;
    }
    let (videos, images) = (Arc::new(videos_only()), Arc::new(images_only()));
    let (jobs, _load) = reopened(folder.path(), &[&videos, &images]).await;
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.artifacts.len()), (JobState::Completed, 1));
    assert_eq!((videos.seen().ran.len(), images.seen().ran), (0, vec!["a".to_owned()]));
    let events = jobs.events("", "a", 0, 1000).await.unwrap().unwrap();
    let reasons: Vec<_> = events.iter().filter(|event| event.kind == "requeued").map(|event| event.data["reason"].clone()).collect();
    assert_eq!(reasons, ["the server is shutting down", "videos does not make images"]);
}

async fn reopened(folder: &Path, others: &[&Arc<Scripted>]) -> (Checked, mpsc::Sender<()>) {
    until_free(folder).await;
    opened(folder, others).await
}

#[tokio::test]
async fn a_job_that_no_backend_accepts_is_not_passed_on_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    {
        let images = images_only().shut();
        let (jobs, _load) = opened(folder.path(), &[&images]).await;
        jobs.submit(image_job("a", "a boat")).await.unwrap();
        eventually("it runs", || images.seen().running == ["a"]).await;
        jobs.shut_down(Duration::ZERO).await;
    }
    let (one, two) = (Arc::new(videos_only()), Arc::new(videos_only()));
    let (jobs, load) = reopened(folder.path(), &[&one, &two]).await;
    // The device may accept the job once its model is loaded.
    eventually("it waits for the device", || jobs.waiting() == 1).await;
    drop(load);
    eventually("it waits for the next life", || jobs.active() == 0 && jobs.previews("", "a").is_none()).await;
    assert_eq!(jobs.get("", "a").await.unwrap().unwrap().state, JobState::Queued);
    assert_eq!(kinds(&jobs, "a").await, ["queued", "started", "requeued", "started", "requeued"]);
}

#[tokio::test]
async fn a_lost_backend_answers_waiting_callers_and_leaves_stored_jobs_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Scripted { videos: false, ..Scripted::default() }.shut();
    let (jobs, _load) = opened(folder.path(), &[&cloud]).await;
    let lost = jobs.submit(held("lost", "lost")).await.unwrap().held.unwrap();
    let waiting = jobs.submit(held("waiting", "a boat")).await.unwrap().held.unwrap();
    jobs.submit(image_job("stored", "a boat")).await.unwrap();
    cloud.open_gate();
    assert!(matches!(*images(lost).await.unwrap_err(), BackendError::Model(_)));
    assert!(matches!(*images(waiting).await.unwrap_err(), BackendError::Cancelled));
    assert_eq!(jobs.active(), 0);
    // A job whose backends were chosen before the loss must not wait for ever.
    let late = jobs.submit(held("late", "a boat")).await;
    assert!(matches!(late, Err(SubmitError::ShuttingDown)), "{late:?}");
    jobs.submit(image_job("later", "a boat")).await.unwrap();
    for (id, state) in [
        ("lost", JobState::Failed),
        ("waiting", JobState::Cancelled),
        ("late", JobState::Cancelled),
        ("stored", JobState::Queued),
        ("later", JobState::Queued),
    ] {
        assert_eq!(jobs.get("", id).await.unwrap().unwrap().state, state, "{id}");
        assert!(jobs.previews("", id).is_none(), "{id} is active no more");
    }
    let all = Page { limit: 100, newest_first: false, ..Page::default() };
    let ids: Vec<String> = jobs.list("", all).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(ids, ["stored", "later"]);
    tokio::time::timeout(PATIENCE, jobs.shut_down(PATIENCE)).await.expect("nothing is waited for");
    drop(jobs);
    let repaired = Arc::new(Scripted::default());
    let (jobs, _load) = reopened(folder.path(), &[&repaired]).await;
    for id in ["stored", "later"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
}

#[tokio::test]
async fn a_backend_that_never_becomes_ready_gets_no_job_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    {
        let other = Scripted::default().shut();
        let (jobs, _load) = opened(folder.path(), &[&other]).await;
        jobs.submit(image_job("a", "a boat")).await.unwrap();
        jobs.shut_down(Duration::ZERO).await;
    }
    let (never, works) = (Arc::new(Scripted { fault: Some("no key"), ..Scripted::default() }), Arc::new(Scripted::default()));
    let (jobs, _load) = reopened(folder.path(), &[&never, &works]).await;
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    assert_eq!((never.seen().ran.len(), works.seen().ran.len()), (0, 1));
}

#[tokio::test]
async fn a_panic_in_a_backend_fails_only_that_job_and_frees_its_slot() {
    let folder = tempfile::tempdir().unwrap();
    let other = Arc::new(Scripted::default());
    let (jobs, _load) = opened(folder.path(), &[&other]).await;
    let failed = jobs.submit(held("held", "panic")).await.unwrap().held.unwrap();
    let error = tokio::time::timeout(PATIENCE, images(failed)).await.expect("it is answered").unwrap_err();
    assert!(matches!(*error, BackendError::Internal(_)), "{error}");
    jobs.submit(image_job("stored", "panic")).await.unwrap();
    assert_eq!(end_of(&jobs, "stored").await.error.unwrap().kind, JobErrorKind::Internal);
    jobs.submit(image_job("next", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "next").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_forecast_considers_the_slots_of_each_backend() {
    /// A clock that stands still.
    fn now() -> SystemTime {
        static START: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);
        *START
    }
    let folder = tempfile::tempdir().unwrap();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let images = Scripted { slots: 2, estimate: seconds(10), ..images_only() }.shut();
    let videos = Scripted { estimate: seconds(60), ..videos_only() }.shut();
    let (jobs, _load) = opened_at(folder.path(), now, &[&images, &videos]).await;
    for job in [
        image_job("a", "x"),
        image_job("b", "x"),
        video("v", "x"),
        image_job("c", "x"),
        held("d", "x"),
        video("w", "x"),
        image_job("e", "x"),
    ] {
        let is_held = matches!(job.durability, Durability::Held { .. });
        let submitted = jobs.submit(job).await.unwrap();
        assert_eq!(submitted.held.is_some(), is_held);
        // Its caller waits until the test ends.
        submitted.held.map(|held| tokio::spawn(held.finished()));
    }
    for id in ["a", "b", "v"] {
        until(&jobs, id, JobState::Running).await;
    }
    let all = Page { limit: 100, newest_first: false, ..Page::default() };
    let found: Vec<_> = jobs.list("", all).await.unwrap().into_iter().map(|job| (job.id, job.position, job.eta)).collect();
    let expected = [
        ("a", None, 10),
        ("b", None, 10),
        ("v", None, 60),
        ("c", Some(0), 20),
        ("w", Some(2), 120),
        ("e", Some(3), 30),
        // Held jobs are listed after the stored ones.
        ("d", Some(1), 20),
    ];
    assert_eq!(found, expected.map(|(id, position, eta)| (id.to_owned(), position, seconds(eta))));
    jobs.shut_down(Duration::ZERO).await;
}

/// Lets another worker claim a job, as on a shared store.
fn claim_elsewhere(folder: &Path, id: &str) {
    let other = rusqlite::Connection::open(folder.join("jobs.sqlite")).unwrap();
    let update = "UPDATE jobs SET epoch = epoch + 1, worker = 'another', lease_until = lease_until + 86400000 WHERE id = ?1";
    assert_eq!(other.execute(update, [id]).unwrap(), 1);
    // The files of the other worker so far.
    fs::create_dir_all(folder.join("artifacts").join(id)).unwrap();
    fs::write(folder.join("artifacts").join(id).join("image-0.png"), "another's").unwrap();
}

#[tokio::test]
async fn a_worker_that_has_lost_its_lease_stops_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (id, prompt) in [("stops", "a boat"), ("makes", "stubborn"), ("fails", "stubborn, broken")] {
        let other = Scripted::default().shut();
        let (jobs, _load) = if id == "stops" { opened(folder.path(), &[&other]).await } else { reopened(folder.path(), &[&other]).await };
        jobs.submit(image_job(id, prompt)).await.unwrap();
        eventually("it runs", || other.seen().running.contains(&id.to_owned())).await;
        claim_elsewhere(folder.path(), id);
        if id == "stops" {
            other.progress(0.5);
        } else {
            other.open_gate();
        }
        eventually("it is released", || other.seen().running.is_empty() && jobs.previews("", id).is_none()).await;
        let job = jobs.get("", id).await.unwrap().unwrap();
        assert_eq!((job.state, job.attempts, job.progress.share), (JobState::Running, 1, 0.0), "{id}");
        assert_eq!(kinds(&jobs, id).await, ["queued", "started"], "{id}");
        assert_eq!(fs::read_to_string(folder.path().join("artifacts").join(id).join("image-0.png")).unwrap(), "another's", "{id}");
        assert_eq!(jobs.active(), 0);
        // Cancelled here, so that the next start does not run it.
        jobs.cancel("", id).await.unwrap();
        fs::remove_dir_all(folder.path().join("artifacts").join(id)).unwrap();
        jobs.shut_down(Duration::ZERO).await;
    }
}
