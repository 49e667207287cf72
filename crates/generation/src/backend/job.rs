//! A job's inputs and outputs as a backend sees them: plain data.
//!
//! It must not know who waits for the job or where it is kept.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

use diffusion_core::{journal::Journal, weights::StopCheck};
use image::RgbImage;
use tokio::sync::{Notify, watch};

use super::{
    parts::JobParts,
    remote::record::KeepRemote,
    video_file::{GeneratedVideo, VideoOutput},
};
use crate::{image_file::ImageFormat, model_info::TruncatedText, preview::PreviewSlot};

/// One finished image.
#[derive(Clone)]
pub struct GeneratedImage {
    /// The picture as PNG, with its parameters in a text chunk.
    pub png: Vec<u8>,
    /// The picture in the requested format and that file, if the format is not PNG.
    pub recoded: Option<(ImageFormat, Vec<u8>)>,
    /// The picture.
    pub image: RgbImage,
    /// The seed of this picture: the request's plus its index.
    pub seed: u64,
    /// The generation parameters, as in the PNG.
    pub parameters: String,
    /// The request's texts that were truncated because the model reads only so many tokens; empty if none was.
    pub truncated: Vec<TruncatedText>,
    /// Remarks on the adapters that the request chose, one sentence each.
    pub remarks: Vec<String>,
}

impl GeneratedImage {
    /// The picture's file in the requested format.
    pub fn file(&self) -> (ImageFormat, &[u8]) {
        self.recoded.as_ref().map_or((ImageFormat::Png, &self.png), |(format, file)| (*format, file))
    }
}

impl fmt::Debug for GeneratedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedImage").field("seed", &self.seed).field("png_bytes", &self.png.len()).finish_non_exhaustive()
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JobProgress {
    /// Whether the device has started the job; before that everything but `parts` is 0.
    pub started: bool,
    /// The index of the picture or the scene being made, from 0; equal to `parts` when all are done.
    pub part: u32,
    /// The number of pictures or scenes of the job.
    pub parts: u32,
    /// Steps done in the current model run.
    pub step: usize,
    /// Steps of that run (model calls); 0 until the first is done.
    pub steps: usize,
    /// Frames of the video that are done.
    pub frame: usize,
    /// Frames of a video; 0 for pictures.
    pub frames: usize,
    /// The fraction of the model's work that is done, 0 to 1.
    pub share: f64,
}

/// A job's result.
#[derive(Clone, Debug)]
pub enum JobOutput {
    /// The images, in order.
    Images(Vec<GeneratedImage>),
    /// The video.
    Video(GeneratedVideo),
}

/// Why a job stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its result is no longer wanted.
    Cancelled,
    /// Another worker, or this program after a restart, will continue it.
    Interrupted,
}

/// The end of one image of a job that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyEnd {
    /// The image is left out; the next one is made.
    Skipped,
    /// The image is left out, and no further one is made.
    Finished,
}

/// Stops a job at its next step or frame; clones share one switch. A stop cannot be undone.
#[derive(Clone, Debug, Default)]
pub struct CancelSwitch(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    state: AtomicU8,
    early: AtomicU8,
    changed: Notify,
}

impl CancelSwitch {
    const INTERRUPTED: u8 = 1;
    const CANCELLED: u8 = 2;
    const SKIPPED: u8 = 1;
    const FINISHED: u8 = 2;

    /// Stops the job: its result is no longer wanted.
    pub fn cancel(&self) {
        self.stop(Self::CANCELLED);
    }

    /// Stops the job here: another worker, or this program after a restart, will continue it.
    pub fn interrupt(&self) {
        self.stop(Self::INTERRUPTED);
    }

    /// Leaves out the image that is being made, at its next step. It has no effect on a job with a refiner.
    pub fn skip_image(&self) {
        self.0.early.fetch_max(Self::SKIPPED, Ordering::AcqRel);
    }

    /// As [`Self::skip_image`], and ends the job with the images that are finished.
    pub fn finish(&self) {
        self.0.early.fetch_max(Self::FINISHED, Ordering::AcqRel);
    }

    /// How the image that is being made ends early; `None` if it does not.
    pub fn early_end(&self) -> Option<EarlyEnd> {
        match self.0.early.load(Ordering::Acquire) {
            0 => None,
            Self::SKIPPED => Some(EarlyEnd::Skipped),
            _ => Some(EarlyEnd::Finished),
        }
    }

    /// Ends the skipping of an image, so that the next one is made.
    pub(crate) fn begin_next_image(&self) {
        // A job that is to finish stays so.
        let _other: Result<u8, u8> = self.0.early.compare_exchange(Self::SKIPPED, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    fn stop(&self, state: u8) {
        self.0.state.fetch_max(state, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }

    /// Whether the job was stopped, by this clone or another.
    pub fn is_cancelled(&self) -> bool {
        self.why().is_some()
    }

    /// A check whether the job was stopped, or whether its current image ends, if images can `end_early`.
    pub(crate) fn stop_check(&self, end_early: bool) -> StopCheck {
        let switch = self.clone();
        Arc::new(move || switch.is_cancelled() || (end_early && switch.early_end().is_some()))
    }

    /// Why the job was stopped; `None` if it was not.
    pub fn why(&self) -> Option<Stop> {
        match self.0.state.load(Ordering::Acquire) {
            0 => None,
            Self::INTERRUPTED => Some(Stop::Interrupted),
            _ => Some(Stop::Cancelled),
        }
    }

    /// Waits until the job is stopped.
    pub async fn stopped(&self) -> Stop {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if let Some(stop) = self.why() {
                return stop;
            }
            changed.await;
        }
    }
}

/// What a backend gets in addition to the work; empty by default.
pub struct JobContext {
    /// The job's id, for logs.
    pub id: String,
    /// Stops the job.
    pub cancel: CancelSwitch,
    /// Receives progress.
    pub progress: watch::Sender<JobProgress>,
    /// Receives previews while a client wants them.
    pub previews: PreviewSlot,
    /// Keeps finished pieces, so that an interrupted job resumes after them.
    pub journal: Box<dyn Journal + Send>,
    /// Where to write the video.
    pub output: Option<VideoOutput>,
    /// When the job arrived: a model that failed to load since then is not loaded again for it.
    pub since: Option<Instant>,
    /// Keeps a remote job's progress at its provider; `None` for local jobs.
    pub remote: Option<Arc<dyn KeepRemote>>,
    /// Where the parts of a video of scenes are kept, and reported.
    pub parts: JobParts,
}

impl Default for JobContext {
    fn default() -> Self {
        Self {
            id: String::new(),
            cancel: CancelSwitch::default(),
            progress: watch::Sender::new(JobProgress::default()),
            previews: PreviewSlot::default(),
            journal: Box::new(()),
            output: None,
            since: None,
            remote: None,
            parts: JobParts::default(),
        }
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext").field("id", &self.id).field("output", &self.output).finish_non_exhaustive()
    }
}
