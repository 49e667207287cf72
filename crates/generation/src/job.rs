//! The caller's end of a job, and the device thread's end of the same.
//!
//! The invariant: a job whose [`JobHandle`] is gone takes no place: it leaves the queue at once, or stops at its next step.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use image::RgbImage;
use tokio::sync::{oneshot, watch};

use crate::{error::GenerationError, model::TruncatedText, queue::Queue, spec::ImageSpec};

/// One finished picture.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Whether the device has taken the job; before that all counts but `images` are 0.
    pub started: bool,
    /// The picture being made, from 0; equal to `images` when all are done.
    pub image: u32,
    /// The pictures of the job.
    pub images: u32,
    /// Steps done of this picture.
    pub step: usize,
    /// Steps of this picture (model calls); known after its first.
    pub steps: usize,
}

/// What a job ends with: its pictures, in order.
pub type JobResult = Result<Vec<GeneratedImage>, GenerationError>;

/// The caller's end of a job. Dropping it cancels the job.
#[derive(Debug)]
pub struct JobHandle {
    id: u64,
    result: oneshot::Receiver<JobResult>,
    progress: watch::Receiver<JobProgress>,
    cancelled: Arc<AtomicBool>,
    queue: Arc<Queue>,
}

impl JobHandle {
    /// The job's number in this engine, from 1.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How far the job is, now and at every change.
    pub fn progress(&self) -> watch::Receiver<JobProgress> {
        self.progress.clone()
    }

    /// Waits for the job's end. Dropping the future cancels the job.
    ///
    /// # Errors
    /// [`GenerationError::Cancelled`] if the engine went down first; else whatever the model answered.
    pub async fn finished(mut self) -> JobResult {
        tokio::select! {
            // A result that is there counts, even if the engine goes down.
            biased;
            // The sender is dropped unused only when the engine goes down with the job still waiting.
            result = &mut self.result => result.unwrap_or(Err(GenerationError::Cancelled)),
            // A running job's step may take long; nobody needs to wait for its end.
            () = self.queue.closed() => Err(GenerationError::Cancelled),
        }
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.queue.remove(self.id);
    }
}

/// The device thread's end of a job.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) spec: ImageSpec,
    pub(crate) result: oneshot::Sender<JobResult>,
    pub(crate) progress: watch::Sender<JobProgress>,
    pub(crate) cancelled: Arc<AtomicBool>,
}

impl Job {
    /// A job and the caller's end of it. The queue is where the handle takes the job out of again.
    pub(crate) fn new(id: u64, spec: ImageSpec, queue: &Arc<Queue>) -> (Self, JobHandle) {
        let (result_sender, result) = oneshot::channel();
        let (progress_sender, progress) = watch::channel(JobProgress { images: spec.count(), ..JobProgress::default() });
        let cancelled = Arc::new(AtomicBool::new(false));
        let handle = JobHandle { id, result, progress, cancelled: Arc::clone(&cancelled), queue: Arc::clone(queue) };
        (Self { id, spec, result: result_sender, progress: progress_sender, cancelled }, handle)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
