//! Held jobs: callers with the same idempotency key share one, follow it, and always get an answer.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, SystemTime},
};

use generation::{
    Backend, BackendError, JobOutput, PreviewOf, SubmitError,
    jobs::{Cancelled, Durability, HeldJob, HeldOutput, HeldVideo, Idempotency, JobState, JobsSettings, NewJob, Page, Submitted},
    video::VideoOutput,
};
use generation_test::{Checked, PATIENCE, eventually, local};

use crate::{
    fake::{self, images},
    jobs::{end_of, image_job, until, video},
    scripted::{Scripted, loading},
};

/// Jobs with a scripted backend, and what keeps them alive.
struct Fixture {
    jobs: Checked,
    backend: Arc<Scripted>,
    _load: mpsc::Sender<()>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new(backend: Arc<Scripted>, change: impl FnOnce(&mut JobsSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (local, load) = loading();
        let mut settings = JobsSettings::new(folder.path(), SystemTime::now);
        change(&mut settings);
        let jobs = Checked::open_with(settings, local, vec![Arc::clone(&backend) as Arc<dyn Backend>]).await.unwrap();
        Self { jobs, backend, _load: load, _folder: folder }
    }

    /// With a backend whose runs wait until the gate is opened.
    async fn shut() -> Self {
        Self::new(Scripted::default().shut(), |_| {}).await
    }

    async fn submit(&self, new: NewJob) -> Result<Submitted, SubmitError> {
        self.jobs.submit(new).await
    }

    async fn hold(&self, new: NewJob) -> HeldJob {
        self.submit(new).await.unwrap().held.unwrap()
    }

    async fn runs(&self, id: &str) {
        eventually("it runs", || self.backend.seen().running.iter().any(|running| running == id)).await;
    }

    async fn state(&self, id: &str) -> JobState {
        self.jobs.get("", id).await.unwrap().unwrap().state
    }

    async fn kinds(&self, id: &str) -> Vec<String> {
        self.jobs.events("", id, 0, 1000).await.unwrap().unwrap().into_iter().map(|event| event.kind).collect()
    }

    async fn listed(&self) -> Vec<String> {
        let all = Page { limit: 100, newest_first: true, ..Page::default() };
        self.jobs.list("", all).await.unwrap().into_iter().map(|job| job.id).collect()
    }
}

fn held(id: &str, prompt: &str) -> NewJob {
    NewJob { durability: Durability::Held { video: None }, ..image_job(id, prompt) }
}

/// With the idempotency key "k"; the digest distinguishes requests.
fn named(new: NewJob, digest: &str) -> NewJob {
    NewJob { idempotency: Some(Idempotency { key: "k".into(), fingerprint: digest.into() }), ..new }
}

async fn result(held: HeldJob) -> Result<Arc<HeldOutput>, Arc<BackendError>> {
    tokio::time::timeout(PATIENCE, held.finished()).await.expect("it is answered")
}

async fn is_cancelled(held: HeldJob) -> bool {
    matches!(result(held).await, Err(error) if matches!(*error, BackendError::Cancelled))
}

fn png(output: &HeldOutput) -> &[u8] {
    match &output.output {
        JobOutput::Images(images) => &images[0].png,
        JobOutput::Video(video) => panic!("{video:?}"),
    }
}

fn is_conflict(submitted: &Result<Submitted, SubmitError>) -> bool {
    matches!(submitted, Err(SubmitError::IdempotencyConflict { key }) if key == "k")
}

#[tokio::test]
async fn a_repeated_request_is_one_job_while_it_runs_and_after() {
    let fixture = Fixture::shut().await;
    let first = fixture.submit(named(held("a", "a boat"), "1")).await.unwrap();
    fixture.runs("a").await;
    let second = fixture.submit(named(held("b", "a boat"), "1")).await.unwrap();
    assert_eq!((first.replayed, second.replayed, second.job.id.as_str()), (false, true, "a"));
    assert_eq!(second.held.as_ref().unwrap().id(), "a");
    fixture.backend.open_gate();
    let first = result(first.held.unwrap()).await.unwrap();
    let second = result(second.held.unwrap()).await.unwrap();
    let third = fixture.submit(named(held("c", "a boat"), "1")).await.unwrap();
    assert_eq!((third.replayed, third.job.id.as_str(), third.job.state), (true, "a", JobState::Completed));
    let third = result(third.held.unwrap()).await.unwrap();
    assert!(png(&first) == png(&second) && png(&first) == png(&third));
    assert_eq!((fixture.backend.seen().ran, fixture.jobs.active()), (vec!["a".to_owned()], 0));
    assert!(fixture.jobs.get("", "b").await.unwrap().is_none());
}

#[tokio::test]
async fn the_result_is_delivered_even_if_the_first_caller_has_hung_up() {
    let fixture = Fixture::shut().await;
    let first = fixture.hold(named(held("a", "a boat"), "1")).await;
    let second = fixture.hold(named(held("b", "a boat"), "1")).await;
    fixture.runs("a").await;
    drop(first);
    fixture.backend.open_gate();
    assert!(result(second).await.is_ok());
    assert_eq!(fixture.state("a").await, JobState::Completed);
}

#[tokio::test]
async fn a_job_is_cancelled_when_the_last_caller_has_hung_up_and_its_key_is_free() {
    for is_waiting in [false, true] {
        let fixture = Fixture::shut().await;
        let other = if is_waiting { Some(fixture.hold(held("other", "a boat")).await) } else { None };
        let first = fixture.hold(named(held("a", "a boat"), "1")).await;
        let second = fixture.hold(named(held("b", "a boat"), "1")).await;
        assert_eq!((first.id(), second.id()), ("a", "a"));
        fixture.runs(if is_waiting { "other" } else { "a" }).await;
        drop((first, second));
        assert_eq!(fixture.state("a").await, JobState::Cancelled);
        // A retry is another job, at once.
        let third = fixture.submit(named(held("c", "a boat"), "1")).await.unwrap();
        assert_eq!((third.replayed, third.job.id.as_str()), (false, "c"));
        fixture.backend.open_gate();
        assert!(result(third.held.unwrap()).await.is_ok());
        drop(other);
        assert_eq!(fixture.kinds("a").await.last().unwrap(), "cancelled");
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_owner() {
    let fixture = Fixture::shut().await;
    let first = fixture.hold(named(held("a", "a boat"), "1")).await;
    assert!(is_conflict(&fixture.submit(named(held("b", "a star"), "2")).await));
    assert!(is_conflict(&fixture.submit(named(image_job("b", "a star"), "2")).await), "of a stored job, too");
    assert!(is_conflict(&fixture.submit(named(image_job("b", "a boat"), "1")).await), "it is no stored job's");
    let other = fixture.submit(NewJob { owner: "other".into(), ..named(held("c", "a star"), "2") }).await.unwrap();
    assert!(!other.replayed && other.job.id == "c");
    fixture.backend.open_gate();
    assert!(result(first).await.is_ok() && result(other.held.unwrap()).await.is_ok());
    assert!(is_conflict(&fixture.submit(named(held("d", "a star"), "2")).await), "while its result is kept");
    assert!(fixture.jobs.get("", "b").await.unwrap().is_none() && fixture.jobs.get("", "d").await.unwrap().is_none());
}

#[tokio::test]
async fn the_key_of_a_stored_job_is_in_use() {
    let fixture = Fixture::new(Arc::new(Scripted::default()), |_| {}).await;
    fixture.submit(named(image_job("a", "a boat"), "1")).await.unwrap();
    assert!(is_conflict(&fixture.submit(named(held("b", "a boat"), "1")).await));
    end_of(&fixture.jobs, "a").await;
    assert!(is_conflict(&fixture.submit(named(held("b", "a boat"), "1")).await));
}

#[tokio::test]
async fn a_failed_or_cancelled_job_frees_its_key() {
    let fixture = Fixture::new(Arc::new(Scripted::default()), |_| {}).await;
    assert!(result(fixture.hold(named(held("fails", "broken"), "1")).await).await.is_err());
    assert_eq!(fixture.state("fails").await, JobState::Failed);
    fixture.backend.shut_gate();
    let cancelled = fixture.hold(named(held("cancelled", "stubborn"), "2")).await;
    fixture.runs("cancelled").await;
    assert!(matches!(fixture.jobs.cancel("", "cancelled").await.unwrap(), Cancelled::Done(_)));
    // It is still in its last step, for which no caller has to wait.
    let again = fixture.submit(named(held("again", "a boat"), "2")).await.unwrap();
    assert!(!again.replayed);
    fixture.backend.open_gate();
    assert!(is_cancelled(cancelled).await && result(again.held.unwrap()).await.is_ok());
    assert!(fixture.submit(named(held("once-more", "a boat"), "2")).await.unwrap().replayed, "the end of the first took no name away");
}

#[tokio::test]
async fn a_result_is_kept_for_ten_minutes() {
    static LATER: AtomicU64 = AtomicU64::new(0);
    fn now() -> SystemTime {
        SystemTime::now() + Duration::from_secs(LATER.load(Ordering::Relaxed))
    }
    let fixture = Fixture::new(Arc::new(Scripted::default()), |settings| settings.now = now).await;
    let first = result(fixture.hold(named(held("a", "a boat"), "1")).await).await.unwrap();
    LATER.store(590, Ordering::Relaxed);
    let again = fixture.submit(named(held("b", "a boat"), "1")).await.unwrap();
    assert!(again.replayed && png(&result(again.held.unwrap()).await.unwrap()) == png(&first));
    LATER.store(601, Ordering::Relaxed);
    assert!(!fixture.submit(named(held("c", "a star"), "2")).await.unwrap().replayed);
    assert!(fixture.jobs.get("", "a").await.unwrap().is_none());
}

#[tokio::test]
async fn the_oldest_results_are_dropped_above_the_memory_limit() {
    // Three bytes per pixel: two results stay below 64 MiB, three do not.
    let fixture = Fixture::new(Arc::new(Scripted { side: 3000, ..Scripted::default() }), |_| {}).await;
    let by_name = |id: &str, key: &str| NewJob {
        idempotency: Some(Idempotency { key: key.into(), fingerprint: String::new() }),
        ..held(id, "a boat")
    };
    for key in ["one", "two", "three"] {
        assert!(result(fixture.hold(by_name(key, key)).await).await.is_ok());
    }
    fixture.backend.shut_gate();
    for (key, replayed) in [("two", true), ("three", true), ("one", false)] {
        assert_eq!(fixture.submit(by_name("again", key)).await.unwrap().replayed, replayed, "{key}");
    }
}

#[tokio::test]
async fn a_held_job_is_followed_and_listed_while_it_runs() {
    let fixture = Fixture::shut().await;
    let mut changes = fixture.jobs.subscribe("a");
    let job = fixture.hold(held("a", "a boat")).await;
    assert_eq!(fixture.listed().await, ["a"]);
    fixture.runs("a").await;
    until(&fixture.jobs, "a", JobState::Running).await;
    assert!(changes.has_changed().unwrap(), "who subscribed before it was there is woken");
    changes.mark_unchanged();
    fixture.backend.progress(0.5);
    tokio::time::timeout(PATIENCE, changes.changed()).await.expect("progress is announced").unwrap();
    let seen = fixture.jobs.get("", "a").await.unwrap().unwrap();
    assert_eq!((seen.state, seen.progress.share, seen.position), (JobState::Running, 0.5, None));
    assert!(fixture.jobs.get("other", "a").await.unwrap().is_none() && fixture.jobs.events("other", "a", 0, 9).await.unwrap().is_none());
    fixture.backend.open_gate();
    let id = job.id().to_owned();
    assert!(result(job).await.is_ok());
    // Its row has ended before its caller gets the answer, and is there for its followers; lists omit it.
    assert_eq!(fixture.state(&id).await, JobState::Completed);
    assert_eq!(fixture.kinds("a").await, ["queued", "started", "progress", "completed"]);
    assert_eq!((fixture.listed().await.len(), fixture.jobs.active()), (0, 0));
}

#[tokio::test]
async fn held_and_stored_jobs_share_one_queue_and_its_capacity() {
    let fixture = Fixture::new(Scripted::default().shut(), |settings| {
        settings.queue_capacity = 4;
        settings.capacity_per_owner = 3;
    })
    .await;
    let of = |new: NewJob, owner: &str| NewJob { owner: owner.into(), ..new };
    let runs = fixture.hold(held("runs", "a boat")).await;
    fixture.submit(image_job("first", "a boat")).await.unwrap();
    let second = fixture.hold(held("second", "a boat")).await;
    for new in [held("fourth", "a boat"), image_job("fourth", "a boat")] {
        assert!(matches!(fixture.submit(new).await, Err(SubmitError::TooManyWaiting { waiting: 3, limit: 3 })));
    }
    fixture.submit(of(image_job("third", "a boat"), "other")).await.unwrap();
    for new in [held("fourth", "a boat"), image_job("fourth", "a boat")] {
        assert!(matches!(fixture.submit(of(new, "third")).await, Err(SubmitError::QueueFull { places: 4, .. })));
    }
    let place = async |owner: &str, id: &str| fixture.jobs.get(owner, id).await.unwrap().unwrap().position;
    fixture.runs("runs").await;
    let places = [place("", "runs").await, place("", "first").await, place("", "second").await, place("other", "third").await];
    // The other owner has had less of the device's time.
    assert!(places[0].is_none() && places[1] < places[2] && places.iter().flatten().sum::<usize>() == 3, "{places:?}");
    drop(second);
    assert_eq!((fixture.jobs.active(), fixture.listed().await), (3, vec!["runs".to_owned(), "first".into()]));
    fixture.backend.open_gate();
    assert!(result(runs).await.is_ok());
    assert_eq!(end_of(&fixture.jobs, "first").await.state, JobState::Completed);
    until(&fixture.jobs, "first", JobState::Completed).await;
    fixture.jobs.shut_down(PATIENCE).await;
}

#[tokio::test]
async fn a_held_job_is_cancelled_by_its_id_whether_it_waits_or_runs() {
    let fixture = Fixture::shut().await;
    let running = fixture.hold(held("running", "a boat")).await;
    let waiting = fixture.hold(held("waiting", "a boat")).await;
    fixture.runs("running").await;
    assert!(matches!(fixture.jobs.cancel("other", "waiting").await.unwrap(), Cancelled::Unknown));
    for (id, held) in [("waiting", waiting), ("running", running)] {
        assert!(matches!(fixture.jobs.cancel("", id).await.unwrap(), Cancelled::Done(job) if job.state == JobState::Cancelled));
        assert!(held.cancel_switch().is_cancelled());
        assert!(is_cancelled(held).await, "{id}");
        assert!(matches!(fixture.jobs.cancel("", id).await.unwrap(), Cancelled::Finished(_)));
        assert_eq!(fixture.kinds(id).await.last().unwrap(), "cancelled");
    }
    assert_eq!((fixture.jobs.active(), fixture.listed().await.len()), (0, 0));
}

#[tokio::test]
async fn a_job_cancelled_at_the_last_moment_ends_once() {
    let fixture = Fixture::shut().await;
    for (id, prompt) in [("makes", "stubborn"), ("fails", "stubborn, broken")] {
        fixture.backend.shut_gate();
        let held = fixture.hold(named(held(id, prompt), id)).await;
        fixture.runs(id).await;
        fixture.jobs.cancel("", id).await.unwrap();
        fixture.backend.open_gate();
        assert!(is_cancelled(held).await, "the caller gets the same answer as the owner");
        assert_eq!(fixture.kinds(id).await, ["queued", "started", "cancelled"]);
    }
}

#[tokio::test]
async fn a_shutdown_answers_waiting_callers() {
    let fixture = Fixture::shut().await;
    let running = fixture.hold(held("running", "a boat")).await;
    let waiting = fixture.hold(held("waiting", "a boat")).await;
    fixture.runs("running").await;
    tokio::time::timeout(PATIENCE, fixture.jobs.shut_down(Duration::ZERO)).await.expect("it ends");
    assert!(is_cancelled(running).await && is_cancelled(waiting).await);
    for id in ["running", "waiting"] {
        assert_eq!((fixture.state(id).await, fixture.jobs.previews("", id).is_none()), (JobState::Cancelled, true), "{id}");
    }
    assert!(matches!(fixture.submit(held("late", "a boat")).await, Err(SubmitError::ShuttingDown)));
}

#[tokio::test]
async fn the_folder_is_free_soon_after_the_last_handle_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Scripted::default().shut();
    let open = async |backend: &Arc<Scripted>| {
        let (local, load) = loading();
        let others = vec![Arc::clone(backend) as Arc<dyn Backend>];
        Checked::open_with(JobsSettings::new(folder.path(), SystemTime::now), local, others).await.map(|jobs| (jobs, load))
    };
    let (jobs, _load) = open(&backend).await.unwrap();
    for id in ["running", "waiting"] {
        jobs.submit(image_job(id, "a boat")).await.unwrap();
    }
    eventually("it runs", || backend.seen().running == ["running"]).await;
    drop(jobs);
    eventually("it stops", || backend.seen().running.is_empty()).await;
    let again = Arc::new(Scripted::default());
    let opened = async {
        loop {
            match open(&again).await {
                Ok(opened) => return opened,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let (jobs, _load) = tokio::time::timeout(PATIENCE, opened).await.expect("the folder is free");
    for id in ["running", "waiting"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    assert_eq!(backend.seen().ran, ["running"]);
}

#[tokio::test]
async fn a_waiting_caller_keeps_the_jobs_alive() {
    let jobs = fake::held_only(1, local().await);
    let held = fake::hold_image(&jobs, "unhurried").await.unwrap();
    drop(jobs);
    assert_eq!(images(held).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_held_job_has_previews_for_its_owner_while_it_runs() {
    let jobs = fake::held_only(1, local().await);
    let new = NewJob { owner: "anna".into(), ..held("a", "slow") };
    let held = jobs.submit(new).await.unwrap().held.unwrap();
    assert!(jobs.previews("bert", "a").is_none());
    let (mut theirs, mut own) = (jobs.previews("anna", "a").unwrap(), held.previews());
    for previews in [&mut theirs, &mut own] {
        let seen = tokio::time::timeout(PATIENCE, previews.next()).await.expect("a preview comes").unwrap();
        assert!(matches!(seen.of, PreviewOf::Step { part: 0, .. }), "{seen:?}");
    }
    drop(held);
    let rest = async { while theirs.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.expect("they end with the job");
    assert!(jobs.previews("anna", "a").is_none());
}

/// A video in a temporary folder that is removed with it.
fn video_in_folder(id: &str, folder: &Path) -> (NewJob, std::path::PathBuf) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("video.mp4");
    let video_output = HeldVideo { output: VideoOutput::new(&path).unwrap(), folder: Some(Arc::new(folder)) };
    (NewJob { durability: Durability::Held { video: Some(video_output) }, ..video(id, "a boat") }, path)
}

#[tokio::test]
async fn the_folder_of_a_video_lives_as_long_as_its_result() {
    static LATER: AtomicU64 = AtomicU64::new(0);
    fn now() -> SystemTime {
        SystemTime::now() + Duration::from_secs(LATER.load(Ordering::Relaxed))
    }
    let fixture = Fixture::new(Arc::new(Scripted::default()), |settings| settings.now = now).await;
    let scratch = tempfile::tempdir().unwrap();
    let folders = || std::fs::read_dir(scratch.path()).unwrap().count();
    let (new, path) = video_in_folder("unnamed", scratch.path());
    let output = result(fixture.hold(new).await).await.unwrap();
    assert!(path.exists());
    drop(output);
    eventually("it goes with its result", || folders() == 0).await;

    let (new, path) = video_in_folder("named", scratch.path());
    drop(result(fixture.hold(named(new, "1")).await).await.unwrap());
    assert!(path.exists(), "it is kept for the same request");
    let (new, other) = video_in_folder("again", scratch.path());
    let again = result(fixture.hold(named(new, "1")).await).await.unwrap();
    assert!(!other.exists() && matches!(&again.output, JobOutput::Video(video) if video.path == path));
    eventually("what was not needed is gone", || folders() == 1).await;
    LATER.store(601, Ordering::Relaxed);
    fixture.jobs.sweep().await.unwrap();
    assert!(path.exists(), "it is being read");
    drop(again);
    eventually("it goes with its result", || folders() == 0).await;
}
