//! The caller's end of a job, and the device thread's end of the same.
//!
//! The invariant: a job whose [`JobHandle`] is gone takes no place: it leaves the queue at once, or stops at its next step.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use image::RgbImage;
use tokio::sync::{oneshot, watch};

use crate::{
    error::GenerationError,
    jobs::{FailHook, Priority, Work},
    model::TruncatedText,
    preview::PreviewSlot,
    queue::Queue,
    spec::ImageSpec,
    video::{GeneratedVideo, VideoOutput, VideoSpec},
};

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

/// What a job ends with: its pictures in order, or its video.
pub type JobResult<T> = Result<T, GenerationError>;

/// The caller's end of a job that makes a `T`. Dropping it cancels the job.
#[derive(Debug)]
pub struct JobHandle<T> {
    id: u64,
    result: oneshot::Receiver<JobResult<T>>,
    progress: watch::Receiver<JobProgress>,
    cancelled: Arc<AtomicBool>,
    queue: Arc<Queue>,
}

impl<T> JobHandle<T> {
    /// The job's number in this engine, from 1.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How far the job is, now and at every change.
    pub fn progress(&self) -> watch::Receiver<JobProgress> {
        self.progress.clone()
    }

    /// Stops the job from elsewhere, while its end is waited for.
    pub fn cancel_switch(&self) -> CancelSwitch {
        CancelSwitch(Arc::clone(&self.cancelled))
    }

    /// Waits for the job's end. Dropping the future cancels the job.
    ///
    /// # Errors
    /// [`GenerationError::Cancelled`] if the engine went down first; else whatever the model answered.
    pub async fn finished(mut self) -> JobResult<T> {
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

impl<T> Drop for JobHandle<T> {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.queue.remove(self.id);
    }
}

/// Stops a job at its next step or frame.
#[derive(Clone, Debug)]
pub struct CancelSwitch(Arc<AtomicBool>);

impl CancelSwitch {
    /// Stops the job.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop, here or elsewhere.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a job is given beside its spec; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct JobContext {
    /// Whose it is; empty where there are no owners.
    pub owner: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The folder where the job's finished pieces are kept, and found again by a job of the same spec that is given the same folder; `None`
    /// keeps nothing. Whoever gives it removes it when the job is done.
    pub journal: Option<PathBuf>,
    /// Where its previews come out, while somebody wants them.
    pub previews: PreviewSlot,
    /// For tests that kill the program.
    pub fail_hook: FailHook,
}

/// What a job makes, and where the result goes.
#[derive(Debug)]
pub(crate) enum Task {
    Pictures {
        spec: ImageSpec,
        result: oneshot::Sender<JobResult<Vec<GeneratedImage>>>,
    },
    Video {
        spec: VideoSpec,
        output: VideoOutput,
        result: oneshot::Sender<JobResult<GeneratedVideo>>,
    },
    /// What it makes lies on disk until its turn comes.
    Stored {
        begin: Begin,
        result: oneshot::Sender<JobResult<Made>>,
    },
}

/// Fetches a stored job when its turn has come, on the device's thread; an error ends it there.
pub(crate) struct Begin(pub(crate) Box<dyn FnOnce() -> JobResult<StoredWork> + Send>);

impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begin")
    }
}

/// A stored job whose turn has come.
#[derive(Debug)]
pub(crate) struct StoredWork {
    pub(crate) work: Work,
    /// Where a video goes.
    pub(crate) output: VideoOutput,
}

/// What was made of a stored job.
#[derive(Debug)]
pub(crate) enum Made {
    Pictures(Vec<GeneratedImage>),
    Video(GeneratedVideo),
}

/// The device thread's end of a job.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) task: Task,
    pub(crate) context: JobContext,
    pub(crate) progress: watch::Sender<JobProgress>,
    pub(crate) cancelled: Arc<AtomicBool>,
    /// When it came into the queue.
    pub(crate) handed_in: Option<Instant>,
}

impl Job {
    /// A job that makes pictures, and the caller's end of it.
    pub(crate) fn pictures(id: u64, spec: ImageSpec, context: JobContext, queue: &Arc<Queue>) -> (Self, JobHandle<Vec<GeneratedImage>>) {
        let parts = spec.count();
        Self::new((id, parts), context, queue, |result| Task::Pictures { spec, result })
    }

    /// A job that makes a video, and the caller's end of it.
    pub(crate) fn video(
        id: u64,
        spec: VideoSpec,
        output: VideoOutput,
        context: JobContext,
        queue: &Arc<Queue>,
    ) -> (Self, JobHandle<GeneratedVideo>) {
        let parts = spec.parts();
        Self::new((id, parts), context, queue, |result| Task::Video { spec, output, result })
    }

    /// A job that lies on disk, and the end of it that looks after it.
    pub(crate) fn stored(id: u64, (parts, begin): (u32, Begin), context: JobContext, queue: &Arc<Queue>) -> (Self, JobHandle<Made>) {
        Self::new((id, parts), context, queue, |result| Task::Stored { begin, result })
    }

    /// The queue is where the handle takes the job out of again.
    fn new<T>(
        (id, parts): (u64, u32),
        context: JobContext,
        queue: &Arc<Queue>,
        task: impl FnOnce(oneshot::Sender<JobResult<T>>) -> Task,
    ) -> (Self, JobHandle<T>) {
        let (result_sender, result) = oneshot::channel();
        let (progress_sender, progress) = watch::channel(JobProgress { parts, ..JobProgress::default() });
        let cancelled = Arc::new(AtomicBool::new(false));
        let handle = JobHandle { id, result, progress, cancelled: Arc::clone(&cancelled), queue: Arc::clone(queue) };
        (Self { id, task: task(result_sender), context, progress: progress_sender, cancelled, handed_in: None }, handle)
    }
}
