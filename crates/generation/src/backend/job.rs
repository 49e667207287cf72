//! What a backend is given with a job, and what it hands back: plain data.
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

use diffusion_core::journal::Journal;
use image::RgbImage;
use tokio::sync::{Notify, watch};

use super::{
    remote::record::KeepRemote,
    video_file::{GeneratedVideo, VideoOutput},
};
use crate::{model_info::TruncatedText, preview::PreviewSlot};

/// One finished image.
#[derive(Clone)]
pub struct GeneratedImage {
    /// The picture as PNG, with its parameters in a text chunk.
    pub png: Vec<u8>,
    /// The picture.
    pub image: RgbImage,
    /// The seed of this picture: the request's plus its index.
    pub seed: u64,
    /// How it was made, as it stands in the PNG.
    pub parameters: String,
    /// The texts of the request that were cut, for the model reads no more; empty if all was read.
    pub truncated: Vec<TruncatedText>,
}

impl fmt::Debug for GeneratedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedImage").field("seed", &self.seed).field("png_bytes", &self.png.len()).finish_non_exhaustive()
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JobProgress {
    /// Whether the device has taken the job; before that all counts but `parts` are 0.
    pub started: bool,
    /// The picture or the scene being made, from 0; equal to `parts` when all are done.
    pub part: u32,
    /// The pictures or scenes of the job.
    pub parts: u32,
    /// Steps done of the model run that is on.
    pub step: usize,
    /// Steps of that run (model calls); 0 until its first is done.
    pub steps: usize,
    /// Frames done of a video.
    pub frame: usize,
    /// Frames of a video; 0 for pictures.
    pub frames: usize,
    /// The share of the model's work that is done, 0 to 1.
    pub share: f64,
}

/// What came of a job.
#[derive(Clone, Debug)]
pub enum JobOutput {
    /// Its images, in order.
    Images(Vec<GeneratedImage>),
    /// Its video.
    Video(GeneratedVideo),
}

/// Why a job stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its result is not wanted any more.
    Cancelled,
    /// Another worker, or the program's next life, goes on with it.
    BrokenOff,
}

/// Stops a job at its next step or frame; clones are the same switch. A job that was told to stop stops, whatever it is told afterwards.
#[derive(Clone, Debug, Default)]
pub struct CancelSwitch(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    state: AtomicU8,
    changed: Notify,
}

impl CancelSwitch {
    const BROKEN_OFF: u8 = 1;
    const CANCELLED: u8 = 2;

    /// Stops the job: its result is not wanted any more.
    pub fn cancel(&self) {
        self.stop(Self::CANCELLED);
    }

    /// Stops the job here: another worker, or the program's next life, goes on with it.
    pub fn break_off(&self) {
        self.stop(Self::BROKEN_OFF);
    }

    fn stop(&self, state: u8) {
        self.0.state.fetch_max(state, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }

    /// Whether the job was told to stop, here or elsewhere.
    pub fn is_cancelled(&self) -> bool {
        self.why().is_some()
    }

    /// Why the job was told to stop; `None` if it was not.
    pub fn why(&self) -> Option<Stop> {
        match self.0.state.load(Ordering::Acquire) {
            0 => None,
            Self::BROKEN_OFF => Some(Stop::BrokenOff),
            _ => Some(Stop::Cancelled),
        }
    }

    /// Waits until the job is told to stop.
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

/// What a backend is given beside the work; by default nothing.
pub struct JobContext {
    /// The job's id, for logs.
    pub id: String,
    /// Stops it.
    pub cancel: CancelSwitch,
    /// Where progress goes.
    pub progress: watch::Sender<JobProgress>,
    /// Where previews go, for as long as they are wanted.
    pub previews: PreviewSlot,
    /// Keeps what is finished, so that the job resumes behind it after it was broken off.
    pub journal: Box<dyn Journal + Send>,
    /// Where a video is written.
    pub output: Option<VideoOutput>,
    /// When the job came in: a model that was tried since then and could not be loaded is not tried for it again.
    pub since: Option<Instant>,
    /// Keeps how far a job is that a provider makes; none for other jobs.
    pub remote: Option<Arc<dyn KeepRemote>>,
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
        }
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext").field("id", &self.id).field("output", &self.output).finish_non_exhaustive()
    }
}
