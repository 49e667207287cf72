//! Jobs of a provider from submission to end: its requests, the errors of each end, and the costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use generation::{
    Backend, BackendError, Refusal, RemoteBackend, SubmitError, Work,
    jobs::{DiskFault, Durability, JobErrorKind, JobState, JobsSettings, NewJob},
    video::{RemoteVideoSpec, VideoSpec},
};
use generation_test::{Checked, PATIENCE, eventually, local, spend};
use remote_providers::{ErrorKind, ImageFormat, InputImage, Interrogator, Provider, ProviderError, Source, Started, Status, VideoRequest};

use crate::{
    full_disk::Disk,
    jobs::end_of,
    provider::{CLOUD, PRICE, ScriptedProvider, VIDEO, guard, opened, priced, remote_job, remote_settings, until_begun},
};

pub(crate) const MODEL: &str = "cloud/reel";

pub(crate) async fn kinds(jobs: &Checked, id: &str) -> Vec<String> {
    let events = jobs.events("", id, 0, 1000).await.unwrap().unwrap();
    events.into_iter().map(|event| event.kind).filter(|kind| kind != "progress").collect()
}

fn failed(kind: ErrorKind) -> ProviderError {
    ProviderError::new(CLOUD, kind, "a reason")
}

#[tokio::test]
async fn a_video_of_a_provider_is_a_file_of_its_job() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(ScriptedProvider::default());
    let jobs = opened(priced(folder.path(), None), &provider).await;
    let submitted = jobs.submit(remote_job("a", MODEL)).await.unwrap();
    assert_eq!((submitted.routed_to, spend(&jobs).await.0), (None, 1));
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.attempts, job.remote_id()), (JobState::Completed, 1, Some("cloud/a")));
    assert_eq!(kinds(&jobs, "a").await, ["queued", "started", "remote", "completed"]);
    let outcome = job.outcome.unwrap();
    assert_eq!((outcome.width, outcome.height, outcome.frames, outcome.fps.as_str()), (64, 48, 12, "24"));
    let [file] = job.artifacts.as_slice() else { panic!("{:?}", job.artifacts) };
    assert_eq!((file.name.as_str(), file.media_type.as_str(), file.bytes), ("video.mp4", "video/mp4", VIDEO.len() as u64));
    assert_eq!(std::fs::read(folder.path().join("artifacts/a/video.mp4")).unwrap(), *VIDEO);
    assert_eq!(spend(&jobs).await, (1, 0, PRICE));
    // The token is the job's own id; the model's name is the provider's own.
    assert_eq!(provider.log(), ["start reel a"]);
    assert_eq!(jobs.find_by_remote_id("", "cloud/a").await.unwrap().unwrap().id, "a");
    assert!(jobs.find_by_remote_id("another", "cloud/a").await.unwrap().is_none());
    let metrics = &jobs.provider_metrics()[0];
    assert_eq!((metrics.provider.as_str(), metrics.completed, metrics.running, metrics.waiting), (CLOUD, 1, 0, 0));
}

#[tokio::test]
async fn an_unsupported_request_is_refused_before_anything_is_stored_or_sent() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(ScriptedProvider::default());
    let jobs = opened(priced(folder.path(), None), &provider).await;
    let error = jobs.submit(remote_job("a", "nowhere/reel")).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Refused(refusal) if refusal.field() == Some("model")), "{error:?}");
    assert_eq!(error.to_string(), "no provider \"nowhere\" is set up; there are cloud");
    let request = VideoRequest { prompt: "a boat".into(), seconds: Some(7), ..VideoRequest::default() };
    let spec = RemoteVideoSpec::new(MODEL, request);
    let error = jobs.submit(NewJob { work: Work::Video(VideoSpec::Remote(spec.clone())), ..remote_job("b", MODEL) }).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Refused(refusal) if refusal.field() == Some("seconds")), "{error:?}");
    // Reading the prompt from an image needs an interrogator.
    let spec = RemoteVideoSpec { caption_first: true, ..spec };
    let error = jobs.submit(NewJob { work: Work::Video(VideoSpec::Remote(spec)), ..remote_job("c", MODEL) }).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Refused(Refusal::Provider(error)) if error.kind == ErrorKind::Settings), "{error:?}");
    let held = NewJob { durability: Durability::Held { video: None }, ..remote_job("d", MODEL) };
    let error = jobs.submit(held).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Refused(Refusal::StoredOnly { .. })), "{error:?}");
    for id in ["a", "b", "c", "d"] {
        assert!(jobs.get("", id).await.unwrap().is_none(), "{id}");
    }
    assert_eq!((provider.log(), spend(&jobs).await), (vec![], (0, 0, 0)));
}

/// A provider's answers, how the job ends then, how often the provider was asked, and whether the job costs anything.
struct End {
    starts: Vec<ProviderError>,
    polls: Vec<Result<Status, ProviderError>>,
    kind: JobErrorKind,
    is_retryable: bool,
    asked: usize,
    is_spent: bool,
}

fn ends() -> Vec<End> {
    let refused = |kind| vec![failed(kind)];
    let at_start = |kind, of| End { starts: refused(kind), polls: vec![], kind: of, is_retryable: false, asked: 1, is_spent: false };
    let later = |kind, of, is_spent| End {
        starts: vec![],
        polls: vec![Ok(Status::Pending(None)), Ok(Status::Failed(failed(kind)))],
        kind: of,
        is_retryable: false,
        asked: 1,
        is_spent,
    };
    let not_a_video = || Ok(Status::Finished(Source::Bytes(b"<html>sorry</html>".to_vec())));
    let cut_off = || Ok(Status::Finished(Source::Bytes(VIDEO[..VIDEO.len() - 100].to_vec())));
    let too_large = || Ok(Status::Finished(Source::Bytes(vec![0; (1 << 20) + 1])));
    let delivered = |polls: Vec<Result<Status, ProviderError>>, is_retryable| End {
        polls,
        is_retryable,
        ..later(ErrorKind::Failed, JobErrorKind::Provider, true)
    };
    vec![
        at_start(ErrorKind::InvalidRequest, JobErrorKind::Provider),
        at_start(ErrorKind::ContentFilter, JobErrorKind::ContentFilter),
        at_start(ErrorKind::Credentials, JobErrorKind::Provider),
        at_start(ErrorKind::Forbidden, JobErrorKind::Provider),
        at_start(ErrorKind::NotFound, JobErrorKind::Provider),
        at_start(ErrorKind::Quota, JobErrorKind::Provider),
        at_start(ErrorKind::Settings, JobErrorKind::Provider),
        // A transient error is retried, and the job may be submitted again later.
        End {
            starts: vec![failed(ErrorKind::RateLimited); 3],
            is_retryable: true,
            asked: 3,
            ..at_start(ErrorKind::RateLimited, JobErrorKind::Provider)
        },
        End {
            starts: vec![failed(ErrorKind::Unavailable); 3],
            is_retryable: true,
            asked: 3,
            ..at_start(ErrorKind::Unavailable, JobErrorKind::Provider)
        },
        // It is unknown whether a lost answer was a success.
        End {
            starts: vec![failed(ErrorKind::Unavailable).maybe_started()],
            is_spent: true,
            ..at_start(ErrorKind::Unavailable, JobErrorKind::Uncertain)
        },
        later(ErrorKind::ContentFilter, JobErrorKind::ContentFilter, false),
        later(ErrorKind::Failed, JobErrorKind::Provider, false),
        delivered(vec![Err(failed(ErrorKind::Credentials))], false),
        delivered((0..4).map(|_| Err(failed(ErrorKind::Protocol))).collect(), false),
        delivered(vec![not_a_video(), not_a_video(), not_a_video()], true),
        delivered(vec![cut_off(), cut_off(), cut_off()], true),
        delivered(vec![too_large()], false),
    ]
}

#[tokio::test]
async fn every_error_ends_the_job_with_advice_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(ScriptedProvider::default());
    let jobs = opened(priced(folder.path(), None), &provider).await;
    let mut expected_spent = 0;
    for (index, end) in ends().into_iter().enumerate() {
        let id = format!("job-{index}");
        end.starts.into_iter().for_each(|error| provider.next_start(Err(error)));
        end.polls.into_iter().for_each(|poll| provider.next_poll(poll));
        jobs.submit(remote_job(&id, MODEL)).await.unwrap();
        let job = end_of(&jobs, &id).await;
        let error = job.error.unwrap();
        assert_eq!((job.state, error.kind, error.retryable), (JobState::Failed, end.kind, end.is_retryable), "{index}: {error:?}");
        let does_advise = ErrorKind::ALL.iter().any(|kind| error.message.ends_with(kind.advice()));
        assert!(error.message.starts_with("cloud: ") && does_advise && !error.message.contains('\n'), "{index}: {}", error.message);
        assert_eq!(provider.count(&format!("start reel {id}")), end.asked, "{index}: {error:?}");
        expected_spent += if end.is_spent { PRICE } else { 0 };
        assert_eq!(spend(&jobs).await, (index as u64 + 1, 0, expected_spent), "{index}: {error:?}");
        for place in ["artifacts", "staging"] {
            eventually("nothing is left", || !folder.path().join(place).join(&id).exists()).await;
        }
    }
    let metrics = &jobs.provider_metrics()[0];
    assert_eq!((metrics.failed, metrics.errors["content_filter"], metrics.errors["uncertain"]), (17, 2, 1));
}

#[tokio::test]
async fn transient_errors_are_retried() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(ScriptedProvider::default());
    let jobs = opened(priced(folder.path(), None), &provider).await;
    provider.next_start(Err(failed(ErrorKind::RateLimited)));
    provider.next_start(Err(failed(ErrorKind::Unavailable)));
    for _ in 0..5 {
        provider.next_poll(Err(failed(ErrorKind::Unavailable)));
    }
    // A truncated file is fetched again.
    provider.next_poll(Ok(Status::Finished(Source::Bytes(VIDEO[..500].to_vec()))));
    jobs.submit(remote_job("a", MODEL)).await.unwrap();
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    assert_eq!((provider.count("start"), spend(&jobs).await), (3, (1, 0, PRICE)));
}

#[tokio::test]
async fn a_video_that_is_finished_at_once_needs_no_id() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(ScriptedProvider::default());
    let jobs = opened(priced(folder.path(), None), &provider).await;
    provider.next_start(Ok(Started::Finished(String::new(), Source::Bytes(VIDEO.clone()))));
    jobs.submit(remote_job("a", MODEL)).await.unwrap();
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.remote_id()), (JobState::Completed, None));
    assert_eq!(spend(&jobs).await, (1, 0, PRICE));
}

#[tokio::test]
async fn a_video_that_takes_too_long_is_cancelled_at_the_provider() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider { deadline: Duration::from_millis(20), ..ScriptedProvider::default() }.shut();
    let jobs = opened(priced(folder.path(), None), &provider).await;
    jobs.submit(remote_job("a", MODEL)).await.unwrap();
    let error = end_of(&jobs, "a").await.error.unwrap();
    assert_eq!((error.kind, error.retryable), (JobErrorKind::Deadline, true));
    assert_eq!(provider.log(), ["start reel a", "cancel cloud/a"]);
    assert_eq!(spend(&jobs).await, (1, 0, PRICE), "it may have to be paid");
}

#[tokio::test]
async fn a_provider_works_on_as_many_jobs_as_it_has_slots() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let settings = JobsSettings { queue_capacity: 1, ..priced(folder.path(), None) };
    let jobs = opened(settings, &provider).await;
    // Two slots have four places, whatever the capacity for local jobs is.
    for id in ["a", "b", "c", "d"] {
        jobs.submit(remote_job(id, MODEL)).await.unwrap();
    }
    let full = jobs.submit(remote_job("e", MODEL)).await.unwrap_err();
    assert!(matches!(full, SubmitError::QueueFull { places: 4, .. }), "{full}");
    until_begun(&jobs, "a").await;
    until_begun(&jobs, "b").await;
    assert_eq!(spend(&jobs).await, (4, 4 * PRICE, 0), "what was refused reserves nothing");
    let metrics = &jobs.provider_metrics()[0];
    assert_eq!((metrics.running, metrics.waiting, provider.count("start")), (2, 2, 2));
    // Local jobs have their own places.
    jobs.submit(crate::jobs::image_job("local", "a boat")).await.unwrap();
    assert_eq!(end_of(&jobs, "local").await.state, JobState::Completed);
    provider.is_open.send_replace(true);
    for id in ["a", "b", "c", "d"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    assert_eq!((provider.most(), provider.count("start")), (2, 4));
}

#[tokio::test]
async fn a_backend_without_a_store_says_so() {
    let provider = Arc::new(ScriptedProvider::default());
    let backend = crate::provider::backend(&provider);
    let work = Arc::new(remote_job("a", MODEL).work);
    let error = backend.run(work, generation::JobContext::default()).await.unwrap_err();
    assert!(matches!(error, BackendError::Internal(_)), "{error}");
    assert_eq!(provider.log(), Vec::<String>::new());
}

#[tokio::test]
async fn a_video_that_meets_a_full_disk_is_not_requested_again() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let disk = Disk::default();
    let settings = JobsSettings { fail_hook: disk.hook(), ..priced(folder.path(), None) };
    let jobs = opened(settings, &provider).await;
    jobs.submit(remote_job("a", MODEL)).await.unwrap();
    until_begun(&jobs, "a").await;
    disk.fill(true);
    provider.is_open.send_replace(true);
    let held_up = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.expect("it is reported").unwrap().unwrap();
    assert_eq!((held_up.state.is_final(), held_up.blocked_by), (false, Some(DiskFault::Full)));
    assert_eq!(spend(&jobs).await, (1, PRICE, 0));
    disk.fill(false);
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    assert_eq!((provider.log(), spend(&jobs).await), (vec!["start reel a".to_owned()], (1, 0, PRICE)));
}

#[tokio::test]
async fn a_full_disk_during_a_download_is_not_the_providers_error() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let jobs = opened(priced(folder.path(), None), &provider).await;
    jobs.submit(remote_job("a", MODEL)).await.unwrap();
    until_begun(&jobs, "a").await;
    // A file that accepts no bytes; the folder's disk has space all the time.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("staging/a/video.mp4")).unwrap();
    provider.is_open.send_replace(true);
    let held_up = tokio::time::timeout(PATIENCE, jobs.finished_or_held_up("", "a")).await.expect("it is reported").unwrap().unwrap();
    // It waits, or is already being tried again.
    assert_eq!((held_up.state.is_final(), held_up.blocked_by), (false, Some(DiskFault::Full)));
    assert_eq!(spend(&jobs).await, (1, PRICE, 0));
    let job = end_of(&jobs, "a").await;
    assert_eq!((job.state, job.attempts), (JobState::Completed, 2));
    assert_eq!(kinds(&jobs, "a").await, ["queued", "started", "remote", "requeued", "started", "completed"]);
    assert_eq!((provider.log(), spend(&jobs).await), (vec!["start reel a".to_owned()], (1, 0, PRICE)));
}

/// An interrogator that may have started, but does not answer in time.
#[derive(Debug, Default)]
struct Late(AtomicUsize);

#[async_trait]
impl Interrogator for Late {
    async fn caption(&self, _: &InputImage) -> Result<String, ProviderError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(ProviderError::new("late", ErrorKind::Deadline, "the caption was not ready").maybe_started())
    }
}

#[tokio::test]
async fn a_caption_that_may_have_to_be_paid_is_requested_once() {
    let folder = tempfile::tempdir().unwrap();
    let (provider, late) = (Arc::new(ScriptedProvider::default()), Arc::new(Late::default()));
    let backend = RemoteBackend::new(Arc::clone(&provider) as Arc<dyn Provider>, guard(), remote_settings());
    let backend = backend.with_captions(Arc::clone(&late) as Arc<dyn Interrogator>);
    let jobs = Checked::open_with(priced(folder.path(), None), local().await, vec![Arc::new(backend) as Arc<dyn Backend>]).await.unwrap();
    let image = InputImage { bytes: vec![7; 9], format: ImageFormat::Png, source_url: None };
    let request = VideoRequest { image: Some(image), ..VideoRequest::default() };
    let spec = RemoteVideoSpec { caption_first: true, ..RemoteVideoSpec::new(MODEL, request) };
    jobs.submit(NewJob { work: Work::Video(VideoSpec::Remote(spec)), ..remote_job("a", MODEL) }).await.unwrap();
    let error = end_of(&jobs, "a").await.error.unwrap();
    assert_eq!((error.kind, error.retryable), (JobErrorKind::Deadline, true));
    assert_eq!((late.0.load(Ordering::Relaxed), provider.log()), (1, vec![]));
}
