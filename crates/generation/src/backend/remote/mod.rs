//! A provider as a backend: asks it for a video, waits, and brings the file here.
//!
//! It must not know any provider, nor stores. The invariants: what the provider is asked, and its id, are in the job's record before anything
//! else is done; a job that waits holds no thread and none of its pictures; the file that it returns is a whole MP4 video; a job that is
//! broken off goes on at the provider, and one that is cancelled does not.

mod asking;
pub mod captions;
pub mod slot;

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use remote_providers::{
    DownloadLimits, ErrorKind, Finished, Guard, Provider, ProviderError, Run, RunError, Source, Stop as RunStop, VideoRequest, download,
    run,
};
use tokio::{sync::watch, time::timeout};
use video_encode::VideoFacts;

use self::{
    asking::{Asking, Memory},
    captions::Captions,
    slot::RemoteSlot,
};
use super::{
    Backend, BackendError, JobContext, JobOutput, JobProgress, Refusal,
    job::{CancelSwitch, Stop},
    video_file::{GeneratedVideo, VideoShape},
};
use crate::{
    spec::video::{RemoteVideoSpec, VideoSpec},
    work::Work,
};

/// How many recent videos the estimate looks back on.
const REMEMBERED: usize = 8;
/// The share of the progress that is reached when the provider is done: what is left is the download.
const MADE: f64 = 0.95;

/// How long a provider is waited for that is told of a cancelled job.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a provider is used; the operator's choice.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Jobs that it works on at once; at least 1.
    pub slots: usize,
    /// Tries of a call that fails for a reason that passes, and of a download; at least 1.
    pub tries: u32,
    /// The pause after the first failed try.
    pub pause: Duration,
    /// How many times as long each further pause is, at least 1.
    pub backoff: f64,
    /// What a video may take.
    pub download: DownloadLimits,
    /// The clock that jobs are timed with: `Instant::now`.
    pub now: fn() -> Instant,
}

impl RemoteSettings {
    /// 8 jobs at once, 4 tries, two seconds of pause and each further one twice as long, the usual limits of downloads, and the given clock
    /// (`Instant::now`).
    pub fn new(now: fn() -> Instant) -> Self {
        Self { slots: 8, tries: 4, pause: Duration::from_secs(2), backoff: 2.0, download: DownloadLimits::default(), now }
    }
}

/// A provider as a backend.
#[derive(Debug)]
pub struct RemoteBackend {
    provider: Arc<dyn Provider>,
    guard: Guard,
    captions: Option<Arc<dyn Captions>>,
    settings: RemoteSettings,
    /// How long recent videos took.
    recent: Mutex<VecDeque<Duration>>,
}

impl RemoteBackend {
    /// The provider; its videos are fetched through the guard.
    pub fn new(provider: Arc<dyn Provider>, guard: Guard, settings: RemoteSettings) -> Self {
        Self { provider, guard, captions: None, settings, recent: Mutex::default() }
    }

    /// The same, which can read a prompt from a picture.
    #[must_use]
    pub fn with_captions(self, captions: Arc<dyn Captions>) -> Self {
        Self { captions: Some(captions), ..self }
    }

    /// The provider.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    fn error(&self, kind: ErrorKind, reason: &str) -> ProviderError {
        ProviderError::new(self.provider.name(), kind, reason)
    }

    fn check(&self, spec: &RemoteVideoSpec) -> Result<(), ProviderError> {
        if !spec.caption_first {
            return self.provider.check(spec.provider_model(), &spec.request);
        }
        if self.captions.is_none() {
            return Err(self.error(ErrorKind::Settings, "prompt: no interrogator is set up that could read one from the image"));
        }
        if spec.request.image.is_none() {
            return Err(self.error(ErrorKind::InvalidRequest, "image: required where the prompt is to be read from it"));
        }
        // The prompt is not known yet; any will do for the rest.
        let request = VideoRequest { prompt: "a prompt".to_owned(), ..spec.request.clone() };
        self.provider.check(spec.provider_model(), &request)
    }

    /// The prompt for a first frame, tried as often as other calls are.
    async fn caption(&self, request: &VideoRequest) -> Result<String, ProviderError> {
        let (Some(captions), Some(image)) = (&self.captions, &request.image) else {
            return Err(self.error(ErrorKind::Settings, "prompt: no interrogator is set up that could read one from the image"));
        };
        let mut tried = 1;
        loop {
            match captions.caption(image).await {
                Err(error) if error.is_retryable() && tried < self.settings.tries => {
                    tracing::info!(%error, "no caption; trying again");
                    tokio::time::sleep(error.retry_after.unwrap_or(self.settings.pause)).await;
                    tried += 1;
                }
                other => return other,
            }
        }
    }

    /// Asks for the prompt, if that is still to be done, and then for the video.
    async fn make(&self, spec: RemoteVideoSpec, slot: RemoteSlot, caller: &Caller, file: &Path) -> Result<VideoFacts, BackendError> {
        let Caller { id: job, cancel, progress } = caller;
        let RemoteSlot { record, keep } = slot;
        let RemoteVideoSpec { model, mut request, caption_first } = spec;
        let model = model.split_once('/').map_or("", |(_, model)| model);
        let memory = Memory::new(keep, record.clone());
        let mut request = if record.state.id.is_some() {
            // It is not asked for again, and its pictures are not held while it is waited for.
            drop(request);
            None
        } else {
            if caption_first {
                request.prompt = match record.prompt {
                    Some(prompt) => prompt,
                    None => self.read_prompt(&request, &memory, cancel).await?,
                };
                self.provider.check(model, &request)?;
            }
            Some(request)
        };
        let on_progress = |percent: Option<u32>| {
            let Some(percent) = percent else { return };
            progress.send_modify(|progress| progress.share = progress.share.max(f64::from(percent.min(100)) / 100.0 * MADE));
        };
        let nothing = VideoRequest::default();
        let mut tried = 1;
        loop {
            let asking = Asking::new(self.provider.as_ref(), request.take());
            let this = Run {
                provider: &asking,
                model,
                request: &nothing,
                memory: &memory,
                progress: &on_progress,
                tries: self.settings.tries.max(1),
                pause: self.settings.pause,
                backoff: self.settings.backoff,
            };
            let finished = run(this, memory.state().await, stop_of(cancel)).await;
            let Finished { id, source } = finished.map_err(|error| match error {
                RunError::Provider(error) => BackendError::Remote(error),
                RunError::Stopped(_) | RunError::Lost(_) => BackendError::Cancelled,
            })?;
            progress.send_modify(|progress| progress.share = progress.share.max(MADE));
            let error = match self.bring(source, cancel, file).await {
                // A link that has expired, or a file that was cut off, may be whole the next time that the provider is asked for it.
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

    async fn read_prompt(&self, request: &VideoRequest, memory: &Memory, cancel: &CancelSwitch) -> Result<String, BackendError> {
        let prompt = tokio::select! {
            prompt = self.caption(request) => prompt?,
            _ = cancel.stopped() => return Err(BackendError::Cancelled),
        };
        memory.record_prompt(&prompt).await.map_err(|_| BackendError::Cancelled)?;
        Ok(prompt)
    }

    /// Downloads the video and looks at it.
    async fn bring(&self, source: Source, cancel: &CancelSwitch, file: &Path) -> Result<VideoFacts, BackendError> {
        let fetched = tokio::select! {
            fetched = download(self.provider.name(), source, &self.guard, &self.settings.download, file) => fetched,
            _ = cancel.stopped() => return Err(BackendError::Cancelled),
        };
        let path = file.to_owned();
        if let Err(error) = fetched {
            // A full disk is none of the provider's faults: the job waits for room, and the video is fetched again.
            let is_writable = tokio::task::spawn_blocking(move || write_probe(&path)).await;
            return Err(is_writable.ok().and_then(Result::err).map_or(BackendError::Remote(error), BackendError::Video));
        }
        let inspected = tokio::task::spawn_blocking(move || video_encode::inspect(&path)).await;
        match inspected {
            Ok(Ok(facts)) => Ok(facts),
            Ok(Err(video_encode::Error::NotAVideo { reason, .. })) => {
                Err(self.error(ErrorKind::Result, &format!("what came in place of a video cannot be used: {reason}")).into())
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(BackendError::Internal("the video could not be looked at".to_owned())),
        }
    }

    fn took(&self, time: Duration) {
        // No code panics while it holds the lock.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(time);
        if recent.len() > REMEMBERED {
            recent.pop_front();
        }
    }
}

/// What a run tells the job, and is told by it.
struct Caller {
    id: String,
    cancel: CancelSwitch,
    progress: watch::Sender<JobProgress>,
}

/// Whether the file's folder takes a file; what it says if it does not.
fn write_probe(file: &Path) -> Result<(), video_encode::Error> {
    let refused = |source| video_encode::Error::File { path: file.to_owned(), doing: "writing", source };
    std::fs::write(file, [0; 1 << 16]).map_err(refused)?;
    std::fs::remove_file(file).map_err(refused)
}

async fn stop_of(cancel: &CancelSwitch) -> RunStop {
    match cancel.stopped().await {
        Stop::Cancelled => RunStop::Cancelled,
        Stop::BrokenOff => RunStop::GoingDown,
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

    fn fingerprint(&self) -> String {
        self.name().to_owned()
    }

    async fn abandon(&self, remote_id: &str) -> Result<(), BackendError> {
        let late = |_| self.error(ErrorKind::Unavailable, "no answer in time");
        Ok(timeout(PATIENCE, self.provider.cancel(remote_id)).await.map_err(late)??)
    }

    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError> {
        let began = (self.settings.now)();
        let missing = || BackendError::Internal("a provider's job needs a store and a place for its video".to_owned());
        let JobContext { id, cancel, progress, output, remote, .. } = job;
        let (slot, path) = (remote.ok_or_else(missing)?, output.ok_or_else(missing)?.path);
        let is_resumed = slot.record.state.id.is_some();
        // Usually nobody else has it, and nothing is copied.
        let Work::Video(VideoSpec::Remote(spec)) = Arc::unwrap_or_clone(work) else { return Err(missing()) };
        let seed = spec.request.seed.unwrap_or_default();
        progress.send_modify(|progress| progress.started = true);
        let facts = self.make(spec, slot, &Caller { id, cancel, progress }, &path).await?;
        if !is_resumed {
            self.took((self.settings.now)().saturating_duration_since(began));
        }
        let bytes = tokio::fs::metadata(&path).await.map_or(0, |file| file.len());
        let VideoFacts { width, height, frames, frame_rate, codec } = facts;
        let frames = usize::try_from(frames).unwrap_or(usize::MAX);
        let shape = VideoShape { width, height, fps: frame_rate, frames, native: None };
        Ok(JobOutput::Video(GeneratedVideo { path, shape, bytes, codec, seed, truncated: Vec::new() }))
    }
}
