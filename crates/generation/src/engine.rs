//! The engine: one operating-system thread that loads the model and owns it and its device, fed by a bounded queue.
//!
//! Async code talks to it by channel only, so a picture in the making never delays an answer. The invariants: a panic in a job is that
//! job's error, and the next job runs; the thread ends when the last [`Engine`] is gone.

use std::{
    any::Any,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use diffusion_core::denoise::{StepMonitor, StepReport};
use tokio::sync::watch;

use crate::{
    error::{GenerationError, SubmitError},
    job::{GeneratedImage, Job, JobHandle, JobProgress, JobResult},
    model::{EngineStatus, Generate, LoadedModel, ModelInfo, Picture},
    parameters, png,
    queue::{PushError, Queue},
    spec::ImageSpec,
};

/// How the engine works; the operator's choice.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// How many jobs may be held at once, the running one included; at least 1.
    pub queue_capacity: usize,
    /// The clock that jobs are timed with, for logs and for estimates of waiting times: `Instant::now`.
    pub now: fn() -> Instant,
}

impl EngineSettings {
    /// Sixteen places, and the given clock (`Instant::now`).
    pub fn new(now: fn() -> Instant) -> Self {
        Self { queue_capacity: 16, now }
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
        let queue = Arc::new(Queue::new(settings.queue_capacity.max(1)));
        let (status_sender, status) = watch::channel(EngineStatus::Loading);
        let device = Device { queue: Arc::clone(&queue), status: status_sender, now: settings.now };
        let _runs_until_the_queue_closes: JoinHandle<()> =
            std::thread::Builder::new().name("device".into()).spawn(move || device.run(load))?;
        Ok(Self { inner: Arc::new(Inner { queue, status, last_id: AtomicU64::new(0) }) })
    }

    /// Hands a job in; it waits its turn.
    ///
    /// # Errors
    /// [`SubmitError`] if the engine cannot take it now.
    pub fn submit(&self, spec: ImageSpec) -> Result<JobHandle, SubmitError> {
        match self.status() {
            EngineStatus::Ready(_) => {}
            EngineStatus::Loading => return Err(SubmitError::Loading),
            EngineStatus::Failed(reason) => return Err(SubmitError::Failed(reason)),
        }
        let id = self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (job, handle) = Job::new(id, spec, &self.inner.queue);
        match self.inner.queue.push(job) {
            Ok(()) => Ok(handle),
            Err(PushError::Full { retry_after }) => Err(SubmitError::QueueFull { places: self.inner.queue.places(), retry_after }),
            Err(PushError::Closed) => Err(SubmitError::ShuttingDown),
        }
    }

    /// Where the model stands, now.
    pub fn status(&self) -> EngineStatus {
        self.inner.status.borrow().clone()
    }

    /// The jobs that hold a place: those that wait and the one that runs.
    pub fn jobs(&self) -> usize {
        self.inner.queue.jobs()
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

    /// Lets the waiting jobs go, stops the running one at its next step, and takes no more jobs.
    pub fn shut_down(&self) {
        self.inner.queue.close();
    }
}

/// The device thread's own things.
struct Device {
    queue: Arc<Queue>,
    status: watch::Sender<EngineStatus>,
    now: fn() -> Instant,
}

impl Device {
    fn run(self, load: impl FnOnce() -> diffusion_core::Result<LoadedModel>) {
        let started = (self.now)();
        let LoadedModel { info, mut generate } = match catch_unwind(AssertUnwindSafe(load)) {
            Ok(Ok(model)) => model,
            Ok(Err(error)) => return self.fail(one_line(&error.to_string())),
            Err(panic) => return self.fail(format!("internal error: {}", panic_text(panic.as_ref()))),
        };
        tracing::info!(model = %info.name, device = %info.device, reason = %info.device_reason, took = ?self.since(started), "model loaded");
        let info = Arc::new(info);
        self.status.send_replace(EngineStatus::Ready(Arc::clone(&info)));

        while let Some(job) = self.queue.next() {
            let started = (self.now)();
            let span = tracing::info_span!("job", id = job.id);
            let _entered = span.enter();
            let result = run_job(&job, &mut generate, &info);
            let took = self.since(started);
            match &result {
                Ok(images) => tracing::info!(images = images.len(), ?took, "done"),
                Err(GenerationError::Cancelled) => tracing::info!(?took, "cancelled"),
                Err(error) => tracing::error!(?took, %error, "failed"),
            }
            let device_lost = match &result {
                Err(GenerationError::Model(error @ diffusion_core::Error::Device { .. })) => Some(one_line(&error.to_string())),
                Ok(_) | Err(_) => None,
            };
            // The place is free before the caller knows, so that whoever has an answer can ask again.
            self.queue.done(result.is_ok().then_some(took));
            // Nobody to send it to: the caller has hung up.
            let _unread: Result<(), JobResult> = job.result.send(result);
            if let Some(reason) = device_lost {
                return self.fail(reason);
            }
        }
    }

    fn fail(&self, reason: String) {
        tracing::error!(%reason, "the model cannot be used");
        self.status.send_replace(EngineStatus::Failed(reason));
        self.queue.close();
    }

    fn since(&self, started: Instant) -> std::time::Duration {
        (self.now)().saturating_duration_since(started)
    }
}

fn run_job(job: &Job, generate: &mut Generate, model: &ModelInfo) -> JobResult {
    let spec = &job.spec;
    let mut images = Vec::new();
    for image in 0..spec.count() {
        if job.is_cancelled() {
            return Err(GenerationError::Cancelled);
        }
        job.progress.send_replace(JobProgress { started: true, image, images: spec.count(), step: 0, steps: 0 });
        let mut monitor = Monitor { job, image };
        let seed = spec.seed_of(image);
        // A model keeps no state between pictures, so nothing half-changed survives the panic.
        let picture = catch_unwind(AssertUnwindSafe(|| generate(spec, seed, &mut monitor)))
            .map_err(|panic| GenerationError::Internal(panic_text(panic.as_ref())))?
            .map_err(|error| {
                if matches!(error, diffusion_core::Error::Cancelled) { GenerationError::Cancelled } else { GenerationError::Model(error) }
            })?;
        let parameters = parameters::text(spec, seed, model);
        let Picture { image, truncated } = picture;
        images.push(GeneratedImage { png: png::encode(&image, &parameters)?, image, seed, parameters, truncated });
    }
    job.progress.send_modify(|progress| progress.image = progress.images);
    Ok(images)
}

/// Carries progress out and cancellation in.
struct Monitor<'a> {
    job: &'a Job,
    image: u32,
}

impl StepMonitor for Monitor<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        let (images, image) = (self.job.spec.count(), self.image);
        self.job.progress.send_replace(JobProgress { started: true, image, images, step: step.step, steps: step.steps });
        if self.job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What a panic said, if it said something.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    one_line(text.unwrap_or("a panic without a message"))
}

/// Some tensor errors carry a backtrace behind their first line.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
