//! A provider as a backend: requests a video, polls for it, and downloads the file.
//!
//! It must not know any provider, nor stores. Invariants: the request and the provider's id are in the job's record before anything depends
//! on them; a waiting job holds no thread and none of its pictures; the file that it returns is a complete MP4 video; an interrupted job
//! continues at the provider, a cancelled one does not.

pub mod record;

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use remote_providers::{
    DownloadError, DownloadLimits, Durability, ErrorKind, Finished, Guard, InputImage, Interrogator, Provider, ProviderError, Run,
    RunError, Source, Stop as RunStop, VideoRequest, download, run,
};
use tokio::{sync::watch, time::timeout};
use video_encode::VideoFacts;

use self::record::{KeepRemote, RemoteRecord, StateOf};
use super::{
    Backend, BackendError, JobContext, JobOutput, JobProgress, Refusal,
    job::{CancelSwitch, Stop},
    video_file::{GeneratedVideo, VideoShape},
};
use crate::{
    spec::video::{RemoteVideoSpec, VideoSpec},
    work::Work,
};

/// How many recent videos the estimate averages.
const RECENT_VIDEOS: usize = 8;
/// The progress at which the provider is done: the rest is the download.
const SHARE_BEFORE_DOWNLOAD: f64 = 0.95;

/// How long a provider may take to answer a cancellation.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The operator's settings for a provider.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// The number of jobs that it works on at once; at least 1.
    pub slots: usize,
    /// Attempts of a call that fails for a transient reason, and of a download; at least 1.
    pub tries: u32,
    /// The pause after the first failed attempt.
    pub pause: Duration,
    /// The factor by which each further pause is longer, at least 1.
    pub backoff: f64,
    /// The limits of a video's download.
    pub download: DownloadLimits,
    /// The clock that times jobs: `Instant::now`.
    pub now: fn() -> Instant,
}

impl RemoteSettings {
    /// 8 jobs at once, 4 attempts, pauses of two seconds that double, the default download limits, and the given clock (`Instant::now`).
    pub fn new(now: fn() -> Instant) -> Self {
        Self { slots: 8, tries: 4, pause: Duration::from_secs(2), backoff: 2.0, download: DownloadLimits::default(), now }
    }
}

/// A provider as a backend.
#[derive(Debug)]
pub struct RemoteBackend {
    provider: Arc<dyn Provider>,
    guard: Guard,
    captions: Option<Arc<dyn Interrogator>>,
    settings: RemoteSettings,
    /// How long recent videos took.
    recent: Mutex<VecDeque<Duration>>,
}

impl RemoteBackend {
    /// Videos of the provider are fetched through the guard.
    pub fn new(provider: Arc<dyn Provider>, guard: Guard, settings: RemoteSettings) -> Self {
        Self { provider, guard, captions: None, settings, recent: Mutex::default() }
    }

    /// Adds an interrogator that can read a prompt from an image.
    #[must_use]
    pub fn with_captions(self, captions: Arc<dyn Interrogator>) -> Self {
        Self { captions: Some(captions), ..self }
    }

    fn error(&self, kind: ErrorKind, reason: &str) -> ProviderError {
        ProviderError::new(self.provider.name(), kind, reason)
    }

    fn check(&self, spec: &RemoteVideoSpec) -> Result<(), ProviderError> {
        if spec.caption_first {
            self.caption_of(&spec.request)?;
        }
        spec.check(self.provider.as_ref())
    }

    /// The interrogator that reads the prompt, and the image to read.
    fn caption_of<'a>(&'a self, request: &'a VideoRequest) -> Result<(&'a dyn Interrogator, &'a InputImage), ProviderError> {
        let unset = || self.error(ErrorKind::Settings, "prompt: no interrogator is set up that could read one from the image");
        let missing = || self.error(ErrorKind::InvalidRequest, "image: required where the prompt is to be read from it");
        Ok((self.captions.as_deref().ok_or_else(unset)?, request.image.as_ref().ok_or_else(missing)?))
    }

    /// Reads the prompt if that is still to be done, then requests the video.
    async fn make(&self, mut spec: RemoteVideoSpec, caller: &Caller, file: &Path) -> Result<(VideoFacts, u64), BackendError> {
        let Caller { id: job, cancel, progress, keep } = caller;
        let record = keep.record();
        if record.state.id.is_none() && spec.caption_first {
            spec.request.prompt = match record.prompt {
                Some(prompt) => prompt,
                None => self.read_prompt(&spec.request, caller).await?,
            };
            self.provider.check(spec.provider_model(), &spec.request)?;
        }
        let on_progress = |percent: Option<u32>| {
            let Some(percent) = percent else { return };
            progress
                .send_modify(|progress| progress.share = progress.share.max(f64::from(percent.min(100)) / 100.0 * SHARE_BEFORE_DOWNLOAD));
        };
        let mut tried = 1;
        loop {
            let this = Run {
                provider: self.provider.as_ref(),
                // Used in the first round only: later the record has the provider's id.
                request: std::mem::take(&mut spec.request),
                model: spec.provider_model(),
                memory: &StateOf(keep.as_ref()),
                progress: &on_progress,
                tries: self.settings.tries.max(1),
                pause: self.settings.pause,
                backoff: self.settings.backoff,
            };
            let Finished { id, source } = match run(this, keep.record().state, stop_of(cancel)).await {
                Ok(finished) => finished,
                Err(RunError::Provider(error)) => return Err(error.into()),
                Err(RunError::Lost(_)) => return Err(BackendError::Cancelled),
                Err(RunError::Stopped { stop, cancelled_at_provider }) => {
                    if cancelled_at_provider || self.cancel_late(stop, caller).await {
                        keep.told().await;
                    }
                    return Err(BackendError::Cancelled);
                }
            };
            progress.send_modify(|progress| progress.share = progress.share.max(SHARE_BEFORE_DOWNLOAD));
            let error = match self.fetch(source, cancel, file).await {
                // A link may have expired, or the file may have been cut off: the next answer of the provider may lead to a complete one.
                Err(BackendError::Remote(error)) if error.kind == ErrorKind::Result && !id.is_empty() && tried < self.settings.tries => {
                    error
                }
                other => return other,
            };
            tracing::info!(%job, %error, "the video could not be fetched; trying again");
            tried += 1;
            tokio::select! {
                () = tokio::time::sleep(self.settings.pause) => {}
                _ = cancel.stopped() => return Err(BackendError::Cancelled),
            }
        }
    }

    async fn read_prompt(&self, request: &VideoRequest, Caller { cancel, keep, .. }: &Caller) -> Result<String, BackendError> {
        let (captions, image) = self.caption_of(request)?;
        // Not retried here: the interrogator retries by itself, as long as that costs nothing.
        let prompt = tokio::select! {
            prompt = captions.caption(image) => prompt?,
            _ = cancel.stopped() => return Err(BackendError::Cancelled),
        };
        // Every start of the job must send the same prompt, even after a power loss.
        let record = RemoteRecord { prompt: Some(prompt.clone()), ..keep.record() };
        keep.keep(&record, Durability::Machine).await.map_err(|_| BackendError::Cancelled)?;
        Ok(prompt)
    }

    /// Cancels at the provider a job that was cancelled after its run had been interrupted; true if the provider accepted it.
    async fn cancel_late(&self, stop: RunStop, Caller { id: job, cancel, keep, .. }: &Caller) -> bool {
        let record = keep.record();
        let (RunStop::Shutdown, Some(Stop::Cancelled), Some(id)) = (stop, cancel.why(), record.id()) else { return false };
        let accepted = self.abandon(id).await;
        if let Err(error) = &accepted {
            tracing::warn!(%job, %error, "could not tell the provider that the job is cancelled");
        }
        accepted.is_ok()
    }

    /// Downloads and inspects the video; returns its length too.
    async fn fetch(&self, source: Source, cancel: &CancelSwitch, file: &Path) -> Result<(VideoFacts, u64), BackendError> {
        let fetched = tokio::select! {
            fetched = download(self.provider.name(), source, &self.guard, &self.settings.download, file) => fetched,
            _ = cancel.stopped() => return Err(BackendError::Cancelled),
        };
        let path = file.to_owned();
        let bytes = match fetched {
            Ok(bytes) => bytes,
            Err(DownloadError::Provider(error)) => return Err(error.into()),
            // A full disk is not the provider's fault: the job waits for space, and the video is fetched again.
            Err(DownloadError::Disk(source)) => return Err(video_encode::Error::File { path, doing: "writing", source }.into()),
        };
        let inspected = tokio::task::spawn_blocking(move || video_encode::inspect(&path)).await;
        match inspected {
            Ok(Ok(facts)) => Ok((facts, bytes)),
            Ok(Err(video_encode::Error::NotAVideo { reason, .. })) => {
                Err(self.error(ErrorKind::Result, &format!("the provider's file is not a usable video: {reason}")).into())
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(BackendError::Internal("the video could not be inspected".to_owned())),
        }
    }

    fn record_duration(&self, time: Duration) {
        // No code panics while it holds the lock.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(time);
        if recent.len() > RECENT_VIDEOS {
            recent.pop_front();
        }
    }
}

/// A job's id and channels, as its run uses them.
struct Caller {
    id: String,
    cancel: CancelSwitch,
    progress: watch::Sender<JobProgress>,
    keep: Arc<dyn KeepRemote>,
}

async fn stop_of(cancel: &CancelSwitch) -> RunStop {
    match cancel.stopped().await {
        Stop::Cancelled => RunStop::Cancelled,
        Stop::Interrupted => RunStop::Shutdown,
    }
}

#[async_trait]
impl Backend for RemoteBackend {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn slots(&self) -> usize {
        self.settings.slots.max(1)
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn accepts(&self, work: &Work) -> Result<(), Refusal> {
        let other = |kind| Err(Refusal::OtherKind { backend: self.name().to_owned(), kind });
        match work {
            Work::Image(_) => other("images"),
            Work::Upscale(_) => other("enlarged images"),
            Work::Video(VideoSpec::Remote(spec)) if spec.provider() == self.name() => self.check(spec).map_err(Refusal::Provider),
            Work::Video(VideoSpec::Remote(_)) => other("another provider's videos"),
            Work::Video(VideoSpec::Scenes(_) | VideoSpec::Animation(_) | VideoSpec::Clip(_)) => other("videos of local models"),
        }
    }

    fn estimate(&self, _: &Work) -> Option<Duration> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u32::try_from(recent.len()).ok().filter(|count| *count > 0)?;
        Some(recent.iter().sum::<Duration>() / count)
    }

    fn fingerprint(&self, _: &Work) -> String {
        self.name().to_owned()
    }

    async fn abandon(&self, remote_id: &str) -> Result<(), BackendError> {
        let late = |_| self.error(ErrorKind::Unavailable, "no answer in time");
        Ok(timeout(CANCEL_TIMEOUT, self.provider.cancel(remote_id)).await.map_err(late)??)
    }

    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError> {
        let began = (self.settings.now)();
        let missing = || BackendError::Internal("a provider's job needs a store and a place for its video".to_owned());
        let JobContext { id, cancel, progress, output, remote, .. } = job;
        let (keep, path) = (remote.ok_or_else(missing)?, output.ok_or_else(missing)?.path);
        let is_resumed = keep.record().state.id.is_some();
        // Usually this is the only reference, and nothing is copied.
        let Work::Video(VideoSpec::Remote(spec)) = Arc::unwrap_or_clone(work) else { return Err(missing()) };
        let seed = spec.request.seed.unwrap_or_default();
        progress.send_modify(|progress| progress.started = true);
        let (facts, bytes) = self.make(spec, &Caller { id, cancel, progress, keep }, &path).await?;
        if !is_resumed {
            self.record_duration((self.settings.now)().saturating_duration_since(began));
        }
        let VideoFacts { width, height, frames, frame_rate, codec, .. } = facts;
        let frames = usize::try_from(frames).unwrap_or(usize::MAX);
        let shape = VideoShape { width, height, fps: frame_rate, frames, native: None };
        Ok(JobOutput::Video(GeneratedVideo { path, shape, bytes, codec, seed, truncated: Vec::new(), parts: None }))
    }
}
