//! Jobs from submission to their files: order of events, failures, cancellation, idempotency, resuming after a restart, fairness, and
//! retention.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use generation::{
    Limits, LocalBackend, LocalSettings, Refusal, SubmitError,
    jobs::{
        Cancelled, DiskFault, Durability, Idempotency, Job, JobErrorKind, JobState, Jobs, JobsSettings, Metadata, NewJob, Page, Priority,
        Retention, StoreError, Work,
    },
    video::{SceneRequest, ScenesRequest, VideoSpec},
};
use generation_test::{Checked, PATIENCE, local};
use serde_json::json;

use crate::fake::{request, spec};

/// The offset of the store's clock in these tests from the real one, in seconds.
static LATER_SECONDS: AtomicU64 = AtomicU64::new(0);

fn now() -> SystemTime {
    SystemTime::now() + Duration::from_secs(LATER_SECONDS.load(Ordering::Relaxed))
}

fn settings(folder: &Path) -> JobsSettings {
    JobsSettings::new(folder, SystemTime::now)
}

async fn jobs(folder: &Path, places: usize) -> Checked {
    Checked::open(JobsSettings { queue_capacity: places, ..settings(folder) }, local().await).await.unwrap()
}

fn metadata() -> Metadata {
    Metadata { kind: "test".into(), data: json!({"api": "test"}), ..Metadata::default() }
}

pub(crate) fn image_job(id: &str, prompt: &str) -> NewJob {
    NewJob {
        id: id.into(),
        owner: String::new(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work: Work::Image(spec(prompt)),
        durability: Durability::Stored,
        metadata: metadata(),
        idempotency: None,
        callback_url: None,
    }
}

pub(crate) fn video(id: &str, prompt: &str) -> NewJob {
    let scene = |prompt: &str| SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() };
    let request = ScenesRequest {
        scenes: Some(vec![scene(prompt), scene("a star")]),
        duration_per_scene: Some(0.5),
        width: Some(64),
        height: Some(48),
        seed: Some(1),
        ..ScenesRequest::default()
    };
    NewJob { work: Work::Video(VideoSpec::Scenes(request.validate(&Limits::default()).unwrap())), ..image_job(id, prompt) }
}

pub(crate) async fn end_of(jobs: &Jobs, id: &str) -> Job {
    tokio::time::timeout(PATIENCE, jobs.finished("", id)).await.expect("it ends").unwrap().unwrap()
}

async fn kinds(jobs: &Jobs, id: &str) -> Vec<String> {
    let events = jobs.events("", id, 0, 1000).await.unwrap().unwrap();
    assert!(events.windows(2).all(|pair| pair[0].id < pair[1].id));
    events.into_iter().map(|event| event.kind).filter(|kind| kind != "progress" && kind != "part").collect()
}

/// Waits until a job has this state.
pub(crate) async fn until(jobs: &Jobs, id: &str, state: JobState) {
    let reached = jobs.until("", id, |job| job.state == state);
    tokio::time::timeout(PATIENCE, reached).await.expect("it gets there").unwrap();
}

#[tokio::test]
async fn a_job_runs_from_the_queue_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 4).await;
    let submitted = jobs.submit(video("vid_1", "a boat")).await.unwrap();
    assert!(!submitted.replayed && !submitted.job.state.is_final());
    let job = end_of(&jobs, "vid_1").await;
    assert_eq!((job.state, job.attempts, job.progress.share, &job.metadata), (JobState::Completed, 1, 1.0, &metadata()));
    assert_eq!(kinds(&jobs, "vid_1").await, ["queued", "started", "completed"]);
    let outcome = job.outcome.unwrap();
    assert_eq!((outcome.width, outcome.height, outcome.frames, outcome.fps.as_str(), outcome.seed), (64, 48, 36, "24", 1));

    let file = jobs.artifact("", "vid_1", "video.mp4").await.unwrap().unwrap();
    assert_eq!(jobs.open_artifact("vid_1", "video.mp4").await.unwrap().unwrap().bytes(), file.bytes);
    assert_eq!((file.media_type.as_str(), file.sha256.len()), ("video/mp4", 64));
    assert!(jobs.artifact("", "vid_1", "other").await.unwrap().is_none());
    for left in ["staging", "journal"] {
        assert_eq!(fs::read_dir(folder.path().join(left)).unwrap().count(), 0, "{left}");
    }
}

#[tokio::test]
async fn each_image_of_a_job_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 4).await;
    let spec = generation::ImageRequest { count: Some(3), ..request("a boat") };
    let work = Work::Image(spec.validate(&Limits::default(), &generation_test::info()).unwrap());
    jobs.submit(NewJob { work, ..image_job("img_1", "a boat") }).await.unwrap();
    let job = end_of(&jobs, "img_1").await;
    let names: Vec<&str> = job.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    assert_eq!(names, ["image-0.png", "image-1.png", "image-2.png"]);
    assert_eq!(job.outcome.unwrap().parameters.len(), 3);
}

#[tokio::test]
async fn a_failed_job_does_not_affect_others() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 32).await;
    for (prompt, kind, message) in [
        ("panic", JobErrorKind::Internal, "internal error"),
        ("broken", JobErrorKind::Model, "tokenizer: broken as told"),
        ("refuse", JobErrorKind::Refused, "num_inference_steps: not with this scheduler"),
        ("no scheduler", JobErrorKind::Refused, "scheduler: scheduler/scheduler_config.json: field _class_name: unsupported value \"Odd\""),
    ] {
        let name = prompt.replace(' ', "-");
        jobs.submit(image_job(&name, prompt)).await.unwrap();
        let after: Vec<String> = (0..10).map(|index| format!("{name}-{index}")).collect();
        for id in &after {
            jobs.submit(video(id, "a boat")).await.unwrap();
        }
        let job = end_of(&jobs, &name).await;
        let error = job.error.unwrap();
        assert_eq!((job.state, error.kind), (JobState::Failed, kind));
        assert!(error.message.contains(message), "{}", error.message);
        assert_eq!(kinds(&jobs, &name).await, ["queued", "started", "failed"]);
        for id in &after {
            assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
        }
    }
}

#[tokio::test]
async fn cancelling_works_before_during_and_not_after() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 4).await;
    jobs.submit(video("running", "slow")).await.unwrap();
    jobs.submit(video("waiting", "a boat")).await.unwrap();
    until(&jobs, "running", JobState::Running).await;
    assert_eq!(jobs.get("", "waiting").await.unwrap().unwrap().position, Some(0));
    assert!(matches!(jobs.cancel("other", "waiting").await.unwrap(), Cancelled::Unknown), "it is as if it were not there");
    assert!(matches!(jobs.cancel("", "unknown").await.unwrap(), Cancelled::Unknown));
    for id in ["waiting", "running"] {
        let Cancelled::Done(job) = jobs.cancel("", id).await.unwrap() else { panic!("{id} can be cancelled") };
        assert_eq!(job.state, JobState::Cancelled);
        let Cancelled::Finished(job) = jobs.cancel("", id).await.unwrap() else { panic!("{id} was cancelled") };
        assert_eq!(job.state, JobState::Cancelled);
    }
    // The device is free: the next job ends, and the others leave nothing behind.
    jobs.submit(video("next", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "next").await.state, JobState::Completed);
    assert_eq!(jobs.get("", "running").await.unwrap().unwrap().state, JobState::Cancelled);
    generation_test::eventually("their folders go", || fs::read_dir(folder.path().join("staging")).unwrap().count() == 0).await;
    let kept: Vec<_> = fs::read_dir(folder.path().join("artifacts")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept, ["next"]);
}

#[tokio::test]
async fn jobs_are_visible_to_their_owners_only() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 8).await;
    for (id, owner) in [("a1", "a"), ("b1", "b"), ("a2", "a")] {
        jobs.submit(NewJob { owner: owner.into(), ..image_job(id, "a boat") }).await.unwrap();
    }
    let list = async |owner: &str, newest_first: bool, beyond: Option<i64>| {
        let page = Page { beyond, limit: 1, newest_first, ..Page::default() };
        jobs.list(owner, page).await.unwrap().into_iter().map(|job| (job.id, job.number)).collect::<Vec<_>>()
    };
    let first = list("a", false, None).await;
    assert_eq!(first[0].0, "a1");
    assert_eq!(list("a", false, Some(first[0].1)).await[0].0, "a2");
    assert_eq!(list("a", true, None).await[0].0, "a2");
    assert_eq!(list("b", true, None).await[0].0, "b1");
    assert!(jobs.get("b", "a1").await.unwrap().is_none());
    assert!(jobs.events("b", "a1", 0, 10).await.unwrap().is_none());
    assert!(jobs.artifact("b", "a1", "image-0.png").await.unwrap().is_none());
    assert!(jobs.finished("b", "a1").await.unwrap().is_none());
}

#[tokio::test]
async fn the_same_request_makes_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 2).await;
    let named = |id: &str, fingerprint: &str, owner: &str| NewJob {
        idempotency: Some(Idempotency { key: "k".into(), fingerprint: fingerprint.into() }),
        owner: owner.into(),
        ..image_job(id, "slow")
    };
    jobs.submit(named("a", "1", "")).await.unwrap();
    jobs.submit(named("other", "1", "someone")).await.unwrap();
    // The queue is full, which must not refuse a repeated request.
    let again = jobs.submit(named("b", "1", "")).await.unwrap();
    assert!(again.replayed && again.job.id == "a");
    assert!(matches!(jobs.submit(named("c", "2", "")).await, Err(SubmitError::IdempotencyConflict { .. })));
    assert!(jobs.get("", "b").await.unwrap().is_none());
}

#[tokio::test]
async fn a_refused_job_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JobsSettings { queue_capacity: 3, capacity_per_owner: 2, ..settings(folder.path()) };
    let jobs = Checked::open(settings, local().await).await.unwrap();
    for id in ["a", "b"] {
        jobs.submit(image_job(id, "slow")).await.unwrap();
    }
    assert!(matches!(jobs.submit(image_job("c", "slow")).await, Err(SubmitError::TooManyWaiting { waiting: 2, limit: 2 })));
    jobs.submit(NewJob { owner: "someone".into(), ..image_job("d", "slow") }).await.unwrap();
    let full = jobs.submit(NewJob { owner: "else".into(), ..image_job("e", "slow") }).await;
    assert!(matches!(full, Err(SubmitError::QueueFull { places: 3, .. })));
    assert!(matches!(jobs.submit(image_job("../x", "slow")).await, Err(SubmitError::BadId(_))));
    jobs.cancel("", "b").await.unwrap();
    assert!(matches!(jobs.submit(image_job("a", "slow")).await, Err(SubmitError::IdTaken(_))));
    let all = Page { limit: 100, newest_first: false, ..Page::default() };
    assert_eq!(jobs.list("", all).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_job_that_exceeds_memory_is_refused_with_the_largest_size_that_fits() {
    use diffusion_core::{
        pipelines::{nano_sd, nano_svd},
        policy::ExecutionPolicy,
    };
    let folder = tempfile::tempdir().unwrap();
    let limit = Some(400 << 20);
    let load = move || generation::LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), limit);
    let local = LocalBackend::start(LocalSettings::new(std::time::Instant::now), load).unwrap();
    let info = local.loaded().await.unwrap();
    let jobs = Checked::open(settings(folder.path()), local).await.unwrap();
    let of = |width: u32, height: u32| {
        let request = generation::ImageRequest { width: Some(width.into()), height: Some(height.into()), ..request("a boat") };
        NewJob { work: Work::Image(request.validate(&Limits::default(), &info).unwrap()), ..image_job("a", "a boat") }
    };
    let Err(SubmitError::Refused(Refusal::TooLarge(refusal))) = jobs.submit(of(2048, 1024)).await else { panic!("it is too large") };
    assert_eq!(refusal.field(), "width");
    let Some(generation::MemoryRequest::Size((width, height))) = refusal.largest else { panic!("a smaller one would do: {refusal}") };
    assert!(width > 128 && width < 2048 && refusal.needed > refusal.available, "{refusal}");
    assert!(jobs.get("", "a").await.unwrap().is_none());
    // The suggested size is accepted.
    jobs.submit(of(width, height)).await.unwrap();
    jobs.cancel("", "a").await.unwrap();
}

#[tokio::test]
async fn a_second_program_cannot_open_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = jobs(folder.path(), 1).await;
    let error = Checked::open(settings(folder.path()), local().await).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

#[tokio::test]
async fn a_shutdown_requeues_jobs_and_the_next_start_runs_them() {
    let folder = tempfile::tempdir().unwrap();
    {
        let jobs = jobs(folder.path(), 8).await;
        jobs.submit(image_job("stuck", "slow")).await.unwrap();
        for id in ["a", "b"] {
            jobs.submit(video(id, "a boat")).await.unwrap();
        }
        until(&jobs, "stuck", JobState::Running).await;
        jobs.shut_down(Duration::ZERO).await;
        assert_eq!(kinds(&jobs, "stuck").await, ["queued", "started", "requeued"]);
        assert!(matches!(jobs.submit(image_job("late", "a boat")).await, Err(SubmitError::ShuttingDown)));
    }
    let jobs = reopened(folder.path(), 1).await;
    jobs.cancel("", "stuck").await.unwrap();
    for id in ["a", "b"] {
        let job = end_of(&jobs, id).await;
        assert_eq!((job.state, job.attempts), (JobState::Completed, 1), "{id}");
    }
    assert!(jobs.get("", "late").await.unwrap().is_none());
}

/// Retries while the last thread of an earlier program still has the folder.
async fn reopened(folder: &Path, places: usize) -> Checked {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        match Checked::open(JobsSettings { queue_capacity: places, ..settings(folder) }, local().await).await {
            Ok(jobs) => return jobs,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_running_job_may_end_before_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 8).await;
    jobs.submit(image_job("running", "stuck")).await.unwrap();
    jobs.submit(video("waiting", "a boat")).await.unwrap();
    until(&jobs, "running", JobState::Running).await;
    jobs.shut_down(PATIENCE).await;
    assert_eq!(jobs.get("", "running").await.unwrap().unwrap().state, JobState::Completed);
    assert_eq!(jobs.get("", "waiting").await.unwrap().unwrap().state, JobState::Queued);
}

#[tokio::test]
async fn a_disk_error_delays_a_job_and_does_not_fail_it() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 4).await;
    let staging = folder.path().join("staging");
    fs::remove_dir(&staging).unwrap();
    fs::write(&staging, "no folder").unwrap();
    jobs.submit(video("vid_1", "a boat")).await.unwrap();
    let job = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "vid_1")).await.expect("it is reported").unwrap().unwrap();
    assert_eq!((job.state, job.attempts, job.blocked_by), (JobState::Queued, 0, Some(DiskFault::Gone)));
    fs::remove_file(&staging).unwrap();
    assert_eq!(end_of(&jobs, "vid_1").await.state, JobState::Completed);
    assert_eq!(kinds(&jobs, "vid_1").await, ["queued", "started", "completed"]);
}

#[tokio::test]
async fn an_owner_with_many_jobs_does_not_block_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 32).await;
    jobs.submit(NewJob { owner: "z".into(), ..image_job("first", "slow") }).await.unwrap();
    let of = |owner: &str, id: String, priority| NewJob { owner: owner.into(), priority, ..image_job(&id, "a boat") };
    for index in 0..6 {
        jobs.submit(of("many", format!("many-{index}"), Priority::Normal)).await.unwrap();
    }
    for index in 0..2 {
        jobs.submit(of("few", format!("few-{index}"), Priority::Normal)).await.unwrap();
    }
    jobs.submit(of("many", "urgent".into(), Priority::High)).await.unwrap();
    jobs.submit(of("few", "whenever".into(), Priority::Low)).await.unwrap();
    let place = async |owner: &str, id: &str| jobs.get(owner, id).await.unwrap().unwrap().position.unwrap();
    assert_eq!(place("many", "urgent").await, 0);
    assert!(place("few", "few-0").await <= 3 && place("few", "few-1").await <= 4);
    assert_eq!((place("many", "many-5").await, place("few", "whenever").await), (8, 9));
    jobs.cancel("z", "first").await.unwrap();
    for (owner, id) in [("many", "many-5"), ("few", "whenever")] {
        let job = tokio::time::timeout(PATIENCE, jobs.finished(owner, id)).await.unwrap().unwrap().unwrap();
        assert_eq!(job.state, JobState::Completed);
    }
    let started = async |owner: &str, id: &str| jobs.get(owner, id).await.unwrap().unwrap().started_at.unwrap();
    assert!(started("few", "few-1").await <= started("many", "many-3").await);
    assert!(started("many", "urgent").await <= started("many", "many-0").await);
    assert!(started("few", "whenever").await >= started("many", "many-5").await);
}

#[tokio::test]
async fn old_files_and_their_jobs_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Retention { age: Duration::from_secs(3600), bytes: 1 << 40 };
    let settings = JobsSettings { keep, now, ..JobsSettings::new(folder.path(), now) };
    let jobs = Checked::open(settings, local().await).await.unwrap();
    jobs.submit(video("old", "a boat")).await.unwrap();
    let bytes = end_of(&jobs, "old").await.artifacts[0].bytes;
    assert_eq!(jobs.sweep().await.unwrap(), bytes);
    LATER_SECONDS.store(3000, Ordering::Relaxed);
    jobs.submit(video("new", "a boat")).await.unwrap();
    end_of(&jobs, "new").await;
    LATER_SECONDS.store(4000, Ordering::Relaxed);
    assert_eq!(jobs.sweep().await.unwrap(), bytes);
    assert!(jobs.get("", "old").await.unwrap().is_none(), "it is forgotten with its file");
    assert!(!folder.path().join("artifacts/old").exists() && folder.path().join("artifacts/new/video.mp4").exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_does_not_keep_others() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Retention { bytes: 0, ..Retention::default() };
    let jobs = Checked::open(JobsSettings { keep, ..settings(folder.path()) }, local().await).await.unwrap();
    for id in ["a", "b"] {
        jobs.submit(image_job(id, "a boat")).await.unwrap();
        end_of(&jobs, id).await;
    }
    let file = folder.path().join("artifacts/a/image-0.png");
    let aside = folder.path().join("aside.png");
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    let expired = async |id: &str| jobs.get("", id).await.unwrap().unwrap().artifacts[0].expired;
    let bytes = fs::metadata(&aside).unwrap().len();
    assert_eq!(jobs.sweep().await.unwrap(), bytes);
    assert_eq!((expired("a").await, expired("b").await), (false, true));
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    assert_eq!(jobs.sweep().await.unwrap(), 0);
    assert!(expired("a").await && !file.exists());
}

#[tokio::test]
async fn the_oldest_files_are_removed_above_the_size_limit() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = Checked::open(settings(folder.path()), local().await).await.unwrap();
    for id in ["a", "b"] {
        jobs.submit(video(id, "a boat")).await.unwrap();
        end_of(&jobs, id).await;
    }
    drop(jobs);
    let keep = Retention { bytes: 1, ..Retention::default() };
    let local = local().await;
    let opened = async {
        loop {
            match Checked::open(JobsSettings { keep, ..settings(folder.path()) }, local.clone()).await {
                Ok(jobs) => return jobs,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let jobs = tokio::time::timeout(PATIENCE, opened).await.unwrap();
    let job = jobs.get("", "a").await.unwrap().unwrap();
    assert!(job.state == JobState::Completed && job.artifacts[0].expired, "the expired file is still listed");
    assert!(!folder.path().join("artifacts/a").exists());
    assert_eq!(jobs.stats().await.unwrap().kept_bytes, 0);
}

#[tokio::test]
#[should_panic(expected = "a/image-0.png has 7 bytes, and its content differs from its row")]
async fn a_file_that_differs_from_its_row_fails_its_test() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 4).await;
    jobs.submit(image_job("a", "a boat")).await.unwrap();
    end_of(&jobs, "a").await;
    fs::write(folder.path().join("artifacts/a/image-0.png"), "another").unwrap();
}

#[tokio::test]
#[should_panic(expected = "b/image-0.png has no row")]
async fn a_file_without_a_row_fails_its_test() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path(), 4).await;
    jobs.submit(image_job("a", "a boat")).await.unwrap();
    end_of(&jobs, "a").await;
    fs::rename(folder.path().join("artifacts/a"), folder.path().join("artifacts/b")).unwrap();
}
