//! A scripted backend, so that jobs can be tested without a device: its slots, the kinds that it accepts, its estimate, and when each run
//! ends.
//!
//! Runs wait while the gate is shut. The prompt selects the outcome: "broken" fails, "lost" loses the backend, "panic" panics, "stubborn"
//! does not stop when it is cancelled, and everything else is an image in the colour of its seed, or a file of a few bytes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use diffusion_core::Error;
use generation::{
    Backend, BackendError, CancelSwitch, GeneratedImage, JobContext, JobOutput, JobProgress, LocalBackend, LocalSettings, Refusal, Work,
    png,
    video::{GeneratedVideo, VideoShape, VideoSpec},
};
use image::{Rgb, RgbImage};
use tokio::sync::watch;
use video_encode::FrameRate;

use generation_test::model;

#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) name: &'static str,
    pub(crate) slots: usize,
    pub(crate) images: bool,
    pub(crate) videos: bool,
    pub(crate) estimate: Option<Duration>,
    /// The sides of its images.
    pub(crate) side: u32,
    /// Why it will never be ready.
    pub(crate) fault: Option<&'static str>,
    pub(crate) is_open: watch::Sender<bool>,
    pub(crate) share: watch::Sender<f64>,
    pub(crate) seen: Mutex<Seen>,
}

/// The runs that it has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) running: Vec<String>,
    /// The maximum number of concurrent runs.
    pub(crate) most: usize,
    /// All runs, in the order in which they began.
    pub(crate) ran: Vec<String>,
}

impl Default for Scripted {
    /// One slot, all kinds accepted, and an open gate.
    fn default() -> Self {
        Self {
            name: "scripted",
            slots: 1,
            images: true,
            videos: true,
            estimate: None,
            side: 8,
            fault: None,
            is_open: watch::Sender::new(true),
            share: watch::Sender::new(0.0),
            seen: Mutex::default(),
        }
    }
}

impl Scripted {
    /// A backend with a shut gate.
    pub(crate) fn shut(self) -> Arc<Self> {
        self.is_open.send_replace(false);
        Arc::new(self)
    }

    pub(crate) fn open_gate(&self) {
        self.is_open.send_replace(true);
    }

    pub(crate) fn shut_gate(&self) {
        self.is_open.send_replace(false);
    }

    /// Sets the progress of every run.
    pub(crate) fn progress(&self, share: f64) {
        self.share.send_replace(share);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    async fn wait(&self, sender: &watch::Sender<JobProgress>, cancel: &CancelSwitch, is_stubborn: bool) -> Result<(), BackendError> {
        let (mut is_open, mut share) = (self.is_open.subscribe(), self.share.subscribe());
        sender.send_modify(|progress| progress.started = true);
        loop {
            tokio::select! {
                opened = is_open.wait_for(|is_open| *is_open) => return opened.map(drop).map_err(|_| BackendError::Cancelled),
                Ok(()) = share.changed() => {
                    let share = *share.borrow_and_update();
                    sender.send_modify(|progress| progress.share = share);
                }
                () = tokio::time::sleep(Duration::from_millis(1)) => {
                    if cancel.is_cancelled() && !is_stubborn {
                        return Err(BackendError::Cancelled);
                    }
                }
            }
        }
    }

    fn image(&self, seed: u64) -> Result<GeneratedImage, BackendError> {
        let image = RgbImage::from_pixel(self.side, self.side, Rgb([(seed % 256) as u8, 3, 4]));
        let parameters = format!("Seed: {seed}");
        let png = png::encode(&image, &parameters)?;
        Ok(GeneratedImage { png, recoded: None, image, seed, parameters, truncated: Vec::new(), remarks: Vec::new() })
    }
}

/// An active run, until it is dropped.
struct Running<'a>(&'a Scripted, String);

impl<'a> Running<'a> {
    fn new(backend: &'a Scripted, id: &str) -> Self {
        let mut seen = backend.lock();
        seen.running.push(id.to_owned());
        seen.ran.push(id.to_owned());
        seen.most = seen.most.max(seen.running.len());
        Self(backend, id.to_owned())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running.retain(|id| *id != self.1);
    }
}

#[async_trait]
impl Backend for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn slots(&self) -> usize {
        self.slots
    }

    async fn ready(&self) -> Result<(), String> {
        self.fault.map_or(Ok(()), |fault| Err(fault.to_owned()))
    }

    fn accepts(&self, work: &Work) -> Result<(), Refusal> {
        let (is_made, kind) = match work {
            Work::Image(_) => (self.images, "images"),
            Work::Video(VideoSpec::Remote(_)) => (false, "a provider's videos"),
            Work::Video(_) => (self.videos, "videos"),
            Work::Upscale(_) => (false, "enlarged images"),
        };
        if is_made { Ok(()) } else { Err(Refusal::OtherKind { backend: self.name.to_owned(), kind }) }
    }

    fn estimate(&self, _: &Work) -> Option<Duration> {
        self.estimate
    }

    fn fingerprint(&self, _: &Work) -> String {
        format!("{} of a test", self.name)
    }

    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError> {
        let _running = Running::new(self, &job.id);
        let prompt = match work.as_ref() {
            Work::Image(spec) => spec.prompt(),
            Work::Video(VideoSpec::Scenes(spec)) => spec.scenes()[0].prompt(),
            Work::Video(VideoSpec::Animation(_) | VideoSpec::Clip(_) | VideoSpec::Remote(_)) | Work::Upscale(_) => "",
        };
        self.wait(&job.progress, &job.cancel, prompt.contains("stubborn")).await?;
        assert!(!prompt.contains("panic"), "the scripted backend panics as it was told");
        if prompt.contains("broken") {
            return Err(BackendError::Model(Error::Tokenizer("broken as told".into())));
        }
        if prompt.contains("lost") {
            return Err(BackendError::Model(Error::Device { wanted: "cloud", reason: "it rained".into() }));
        }
        match work.as_ref() {
            Work::Image(spec) => {
                Ok(JobOutput::Images((0..spec.count()).map(|part| self.image(spec.seed_of(part))).collect::<Result<_, _>>()?))
            }
            Work::Upscale(_) => Err(BackendError::Cancelled),
            Work::Video(spec) => {
                let path = job.output.ok_or(BackendError::Cancelled)?.path;
                std::fs::write(&path, "a video").unwrap();
                let fps = FrameRate { numerator: 24, denominator: 1 };
                let shape = VideoShape { width: self.side, height: self.side, fps, frames: 1, native: None };
                Ok(JobOutput::Video(GeneratedVideo {
                    path,
                    shape,
                    bytes: 7,
                    codec: "none".into(),
                    seed: spec.seed(),
                    truncated: Vec::new(),
                    parts: None,
                }))
            }
        }
    }
}

/// A device whose model is loaded when the sender sends; it fails when the sender is dropped.
pub(crate) fn loading() -> (LocalBackend, mpsc::Sender<()>) {
    let (load, wait) = mpsc::channel();
    let local = LocalBackend::start(LocalSettings::new(Instant::now), move || match wait.recv() {
        Ok(()) => Ok(model()),
        Err(_) => Err(Error::file("unet/config.json", "missing")),
    });
    (local.unwrap(), load)
}
