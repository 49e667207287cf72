//! The device of this machine as a backend: one operating-system thread that loads the model and owns it and its device.
//!
//! Async code talks to it by channel only, so that an image in the making never delays an answer. The invariants: a panic in a job is that
//! job's error, and the next job runs; the thread ends when the last [`LocalBackend`] is gone.

mod device;
mod local_model;
pub mod memory;
pub mod metrics;
pub mod model;
mod parameters;
pub mod timings;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use self::{
    device::{Device, DeviceRun},
    memory::MemoryPlan,
    metrics::StepMetrics,
    model::{LoadedModel, ModelStatus},
    timings::Timings,
};
use super::{Backend, BackendError, JobContext, JobOutput, Refusal, job::CancelSwitch};
use crate::{model_info::ModelInfo, spec::video::VideoSpec, work::Work};

/// How the device works; the operator's choice.
#[derive(Clone, Copy, Debug)]
pub struct LocalSettings {
    /// The clock that steps and jobs are timed with: `Instant::now`.
    pub now: fn() -> Instant,
    /// Whether a small image is made as soon as the model is loaded, so that forecasts exist. A job that arrives meanwhile is taken at that
    /// image's next step.
    pub measure_at_start: bool,
}

impl LocalSettings {
    /// The given clock (`Instant::now`), and no image before the first that is asked for.
    pub fn new(now: fn() -> Instant) -> Self {
        Self { now, measure_at_start: false }
    }
}

/// A handle to the device's thread; clones share it.
#[derive(Clone, Debug)]
pub struct LocalBackend {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    runs: mpsc::Sender<DeviceRun>,
    /// The jobs that are on their way to the device or there.
    wanted: Arc<AtomicUsize>,
    /// Known once the model is loaded.
    memory: Arc<OnceLock<MemoryPlan>>,
    status: watch::Receiver<ModelStatus>,
    timings: watch::Receiver<Timings>,
    metrics: watch::Receiver<StepMetrics>,
}

impl LocalBackend {
    /// Starts the device's thread, which calls `load` at once; the model is `Loading` until that returns.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn start(
        settings: LocalSettings,
        load: impl FnOnce() -> diffusion_core::Result<LoadedModel> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (runs, incoming) = mpsc::channel();
        let (status_sender, status) = watch::channel(ModelStatus::Loading);
        let (timings_sender, timings) = watch::channel(Timings::default());
        let (metrics_sender, metrics) = watch::channel(StepMetrics::default());
        let (wanted, memory) = (Arc::default(), Arc::default());
        let device = Device {
            wanted: Arc::clone(&wanted),
            memory: Arc::clone(&memory),
            status: status_sender,
            timings: timings_sender,
            metrics: metrics_sender,
            settings,
        };
        let _runs_until_the_last_handle_is_gone: JoinHandle<()> =
            std::thread::Builder::new().name("device".into()).spawn(move || device.run(load, &incoming))?;
        Ok(Self { inner: Arc::new(Inner { runs, wanted, memory, status, timings, metrics }) })
    }

    /// Where the model stands, now.
    pub fn status(&self) -> ModelStatus {
        self.inner.status.borrow().clone()
    }

    /// Facts about the model.
    ///
    /// # Errors
    /// [`Refusal::Loading`] or [`Refusal::Failed`] if it cannot be used now.
    pub fn model(&self) -> Result<Arc<ModelInfo>, Refusal> {
        match self.status() {
            ModelStatus::Ready(info) => Ok(info),
            ModelStatus::Loading => Err(Refusal::Loading),
            ModelStatus::Failed(reason) => Err(Refusal::Failed(reason)),
        }
    }

    /// Model timings so far.
    pub fn timings(&self) -> Timings {
        *self.inner.timings.borrow()
    }

    /// The steps that the device has done so far.
    pub fn metrics(&self) -> StepMetrics {
        self.inner.metrics.borrow().clone()
    }

    /// Waits until the model is loaded.
    ///
    /// # Errors
    /// The reason, in one line, if it cannot be.
    pub async fn loaded(&self) -> Result<Arc<ModelInfo>, String> {
        let mut status = self.inner.status.clone();
        let known = status.wait_for(|status| !matches!(status, ModelStatus::Loading)).await.map(|status| status.clone());
        match known {
            Ok(ModelStatus::Ready(info)) => Ok(info),
            Ok(ModelStatus::Failed(reason)) => Err(reason),
            Ok(ModelStatus::Loading) | Err(_) => Err("the device's thread ended while the model was being loaded".into()),
        }
    }

    /// Waits until the model has failed, however long that takes, and returns the reason. Never returns while the device works.
    pub async fn failed(&self) -> String {
        let mut status = self.inner.status.clone();
        let failed = status.wait_for(|status| matches!(status, ModelStatus::Failed(_))).await.map(|status| status.clone());
        match failed {
            Ok(ModelStatus::Failed(reason)) => reason,
            // The thread has ended without a failure.
            Ok(ModelStatus::Loading | ModelStatus::Ready(_)) | Err(_) => std::future::pending().await,
        }
    }
}

/// Cancels a job whose future is dropped before its end.
struct CancelOnDrop(Option<CancelSwitch>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.cancel();
        }
    }
}

#[async_trait]
impl Backend for LocalBackend {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn ready(&self) -> Result<(), String> {
        self.loaded().await.map(drop)
    }

    fn accepts(&self, work: &Work) -> Result<(), Refusal> {
        if work.remote().is_some() {
            return Err(Refusal::OtherKind { backend: self.name().to_owned(), kind: "a provider's videos" });
        }
        self.model()?;
        let Some(memory) = self.inner.memory.get() else { return Err(Refusal::Loading) };
        match work {
            Work::Image(spec) => memory.check_pictures(spec)?,
            Work::Video(spec) => memory.check_video(spec)?,
        }
        Ok(())
    }

    fn estimate(&self, work: &Work) -> Option<Duration> {
        match work {
            Work::Video(VideoSpec::Scenes(spec)) => self.timings().estimate(spec),
            Work::Video(VideoSpec::Clip(spec)) => self.timings().clip(spec),
            Work::Video(VideoSpec::Animation(_) | VideoSpec::Remote(_)) | Work::Image(_) => None,
        }
    }

    fn fingerprint(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        self.model().map_or_else(
            |_| String::new(),
            |model| {
                let ModelInfo { name, motion, device, precision, .. } = model.as_ref();
                format!("framewright {version}, {name}, {motion}, {precision} on {device}")
            },
        )
    }

    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError> {
        let mut unless_ended = CancelOnDrop(Some(job.cancel.clone()));
        let (result_sender, result) = oneshot::channel();
        self.inner.wanted.fetch_add(1, Ordering::Relaxed);
        let run = DeviceRun { work, job, result: result_sender };
        // A device that is lost takes nothing, and drops what it is sent.
        if self.inner.runs.send(run).is_err() {
            return Err(BackendError::Cancelled);
        }
        let result = result.await;
        unless_ended.0 = None;
        result.unwrap_or(Err(BackendError::Cancelled))
    }
}
