//! The engine: one operating-system thread that loads the model and owns it and its device, fed by a bounded queue.
//!
//! Async code talks to it by channel only, so a picture in the making never delays an answer. The invariants: a panic in a job is that
//! job's error, and the next job runs; the thread ends when the last [`Engine`] is gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    device::Device,
    error::SubmitError,
    job::{Begin, GeneratedImage, Job, JobContext, JobHandle, Made},
    jobs::Work,
    measured::Measured,
    model::{EngineStatus, LoadedModel, ModelInfo},
    queue::{Place, PushError, Queue},
    spec::ImageSpec,
    video::{GeneratedVideo, Timings, VideoOutput, VideoSpec},
};

/// How the engine works; the operator's choice.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// How many jobs may be held at once, the running one included; at least 1.
    pub queue_capacity: usize,
    /// How many of them one owner may hold; at least 1.
    pub places_per_owner: usize,
    /// The clock that jobs are timed with, for logs and for estimates of waiting times: `Instant::now`.
    pub now: fn() -> Instant,
    /// Whether a small picture is made as soon as the model is loaded, so that estimates have something to go by. A job that comes in
    /// meanwhile is taken at the picture's next step.
    pub measure_at_start: bool,
}

impl EngineSettings {
    /// Sixteen places, the given clock (`Instant::now`), and no picture before the first that is asked for.
    pub fn new(now: fn() -> Instant) -> Self {
        Self { queue_capacity: 16, places_per_owner: usize::MAX, now, measure_at_start: false }
    }
}

/// A handle to the engine; clones share it. The thread ends after the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    status: watch::Receiver<EngineStatus>,
    timings: watch::Receiver<Timings>,
    measured: watch::Receiver<Measured>,
    now: fn() -> Instant,
    last_id: AtomicU64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Engine {
    /// Starts the device's thread, which calls `load` at once; the engine is `Loading` until that returns.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn start(
        settings: EngineSettings,
        load: impl FnOnce() -> diffusion_core::Result<LoadedModel> + Send + 'static,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.queue_capacity.max(1), settings.places_per_owner.max(1)));
        let (status_sender, status) = watch::channel(EngineStatus::Loading);
        let (timings_sender, timings) = watch::channel(Timings::default());
        let (measured_sender, measured) = watch::channel(Measured::default());
        let now = settings.now;
        let device =
            Device { queue: Arc::clone(&queue), status: status_sender, timings: timings_sender, measured: measured_sender, settings };
        let _runs_until_the_queue_closes: JoinHandle<()> =
            std::thread::Builder::new().name("device".into()).spawn(move || device.run(load))?;
        Ok(Self { inner: Arc::new(Inner { queue, status, timings, measured, now, last_id: AtomicU64::new(0) }) })
    }

    /// Hands in a job that makes pictures; it waits its turn.
    ///
    /// # Errors
    /// [`SubmitError`] if the engine cannot take it now.
    pub fn submit(&self, spec: ImageSpec) -> Result<JobHandle<Vec<GeneratedImage>>, SubmitError> {
        self.submit_in(spec, JobContext::default())
    }

    /// As [`Self::submit`], with more than a spec.
    ///
    /// # Errors
    /// [`SubmitError`] if the engine cannot take it now.
    pub fn submit_in(&self, spec: ImageSpec, context: JobContext) -> Result<JobHandle<Vec<GeneratedImage>>, SubmitError> {
        self.ready()?.memory.check_pictures(&spec)?;
        self.push(|id, queue| Job::pictures(id, spec, context, queue))
    }

    /// Hands in a job that makes a video and writes it where `output` says; it waits its turn.
    ///
    /// # Errors
    /// [`SubmitError`] if the engine cannot take it now.
    pub fn submit_video(&self, spec: VideoSpec, output: VideoOutput) -> Result<JobHandle<GeneratedVideo>, SubmitError> {
        self.submit_video_in(spec, output, JobContext::default())
    }

    /// As [`Self::submit_video`], with more than a spec.
    ///
    /// # Errors
    /// [`SubmitError`] if the engine cannot take it now.
    pub fn submit_video_in(
        &self,
        spec: VideoSpec,
        output: VideoOutput,
        context: JobContext,
    ) -> Result<JobHandle<GeneratedVideo>, SubmitError> {
        self.ready()?.memory.check_video(&spec)?;
        self.push(|id, queue| Job::video(id, spec, output, context, queue))
    }

    fn push<T>(&self, make: impl FnOnce(u64, &Arc<Queue>) -> (Job, JobHandle<T>)) -> Result<JobHandle<T>, SubmitError> {
        let (mut job, handle) = make(self.next_id(), &self.inner.queue);
        job.handed_in = Some((self.inner.now)());
        self.inner.queue.push(job).map_err(|error| self.refusal(error))?;
        Ok(handle)
    }

    /// Whether a job of this owner's would be taken now, for those who would otherwise read or fetch much for one that is not.
    ///
    /// # Errors
    /// As [`Self::submit`], but for what depends on the job.
    pub fn check_room(&self, owner: &str) -> Result<(), SubmitError> {
        self.ready()?;
        self.inner.queue.check_room(owner).map_err(|error| self.refusal(error))
    }

    /// Keeps a place for a job that is still to be written down.
    pub(crate) fn reserve(&self, owner: &str, work: &Work) -> Result<Place, SubmitError> {
        let memory = &self.ready()?.memory;
        match work {
            Work::Pictures(spec) => memory.check_pictures(spec)?,
            Work::Video(spec) => memory.check_video(spec)?,
        }
        self.inner.queue.reserve(owner).map_err(|error| self.refusal(error))
    }

    /// Hands in a job that is written down, with the place that was kept for it; one of an earlier life of the program has none, and
    /// needs none. It waits for the model too.
    pub(crate) fn submit_stored(
        &self,
        (parts, begin): (u32, Begin),
        context: JobContext,
        place: Option<Place>,
    ) -> Result<JobHandle<Made>, SubmitError> {
        let (mut job, handle) = Job::stored(self.next_id(), (parts, begin), context, &self.inner.queue);
        job.handed_in = Some((self.inner.now)());
        self.inner.queue.push_taken(job, place).map_err(|error| self.refusal(error))?;
        Ok(handle)
    }

    fn next_id(&self) -> u64 {
        self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Facts about the model, if it can be asked.
    fn ready(&self) -> Result<Arc<ModelInfo>, SubmitError> {
        match self.status() {
            EngineStatus::Ready(model) => Ok(model),
            EngineStatus::Loading => Err(SubmitError::Loading),
            EngineStatus::Failed(reason) => Err(SubmitError::Failed(reason)),
        }
    }

    fn refusal(&self, error: PushError) -> SubmitError {
        match error {
            PushError::Full { retry_after } => SubmitError::QueueFull { places: self.inner.queue.places(), retry_after },
            PushError::OwnerFull { waiting } => SubmitError::TooManyWaiting { waiting, limit: self.inner.queue.places_per_owner() },
            PushError::Closed => SubmitError::ShuttingDown,
        }
    }

    /// The numbers of the waiting jobs, in the order in which they will be served as things stand.
    pub(crate) fn order(&self) -> Vec<u64> {
        self.inner.queue.order()
    }

    /// The number of the job that the device works on.
    pub(crate) fn running(&self) -> Option<u64> {
        self.inner.queue.running()
    }

    /// How long a job takes, by the recent ones; `None` if there are none yet.
    pub(crate) fn usual_time(&self) -> Option<Duration> {
        self.inner.queue.usual_time()
    }

    /// What was measured of the model so far.
    pub fn timings(&self) -> Timings {
        *self.inner.timings.borrow()
    }

    /// What the device has done so far.
    pub fn measured(&self) -> Measured {
        self.inner.measured.borrow().clone()
    }

    /// Where the model stands, now.
    pub fn status(&self) -> EngineStatus {
        self.inner.status.borrow().clone()
    }

    /// The jobs that hold a place: those that wait and the one that runs.
    pub fn jobs(&self) -> usize {
        self.inner.queue.jobs()
    }

    /// The jobs that wait for the device.
    pub fn waiting(&self) -> usize {
        self.inner.queue.waiting()
    }

    /// Waits until the model is loaded.
    ///
    /// # Errors
    /// The reason, in one line, if it cannot be.
    pub async fn loaded(&self) -> Result<Arc<ModelInfo>, String> {
        let mut status = self.inner.status.clone();
        let known = status.wait_for(|status| !matches!(status, EngineStatus::Loading)).await.map(|status| status.clone());
        match known {
            Ok(EngineStatus::Ready(info)) => Ok(info),
            Ok(EngineStatus::Failed(reason)) => Err(reason),
            Ok(EngineStatus::Loading) | Err(_) => Err("the engine went down while the model was being loaded".into()),
        }
    }

    /// Waits until the engine has failed, however long that takes, and returns the reason.
    /// Never returns while the engine works.
    pub async fn failed(&self) -> String {
        let mut status = self.inner.status.clone();
        let failed = status.wait_for(|status| matches!(status, EngineStatus::Failed(_))).await.map(|status| status.clone());
        match failed {
            Ok(EngineStatus::Failed(reason)) => reason,
            // The thread has ended without a failure: the engine was shut down.
            Ok(EngineStatus::Loading | EngineStatus::Ready(_)) | Err(_) => std::future::pending().await,
        }
    }

    /// Takes a waiting job out of the queue; nothing happens if it runs or is gone.
    pub(crate) fn remove(&self, id: u64) {
        self.inner.queue.remove(id);
    }

    /// Takes no more jobs and begins none of those that wait, while the running one goes on.
    pub fn drain(&self) {
        self.inner.queue.drain();
    }

    /// Lets the waiting jobs go, stops the running one at its next step, and takes no more jobs.
    pub fn shut_down(&self) {
        self.inner.queue.close();
    }
}
