//! What a backend is given with a job, and what it hands back: plain data.
//!
//! It must not know who waits for the job or where it is kept.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use diffusion_core::journal::Journal;
use image::RgbImage;
use tokio::sync::watch;

use super::video_file::{GeneratedVideo, VideoOutput};
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

/// Stops a job at its next step or frame; clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct CancelSwitch(Arc<AtomicBool>);

impl CancelSwitch {
    /// Stops the job.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the job was told to stop, here or elsewhere.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
        }
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext").field("id", &self.id).field("output", &self.output).finish_non_exhaustive()
    }
}
