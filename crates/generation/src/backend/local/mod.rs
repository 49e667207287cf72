//! The device of this machine as a backend: one operating-system thread that owns the device and the models that are loaded.
//!
//! Async code reaches it by channel only, so that a running job never delays an HTTP response. The invariants: a panic in a job is that
//! job's error, and the next job runs; the thread exits when the last [`LocalBackend`] is dropped.

mod caught;
mod device;
mod loader;
pub mod local_model;
mod masked;
pub mod memory;
pub mod metrics;
pub mod model;
mod monitors;
pub mod parameters;
pub mod pool;
mod statement;
pub mod timings;
pub mod upscalers;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use diffusion_core::weights::{ModelFamily, VaeChoice};
use provenance::Signer;
use tokio::sync::{oneshot, watch};

use self::{
    device::{Device, DeviceRun, Message},
    loader::Loader,
    memory::MemoryPlan,
    metrics::StepMetrics,
    model::{LoadedModel, ModelStatus},
    pool::{DEFAULT, LoadWatch, ModelSetup, ModelView, MotionView, OpenModel, Pool, PoolSettings, Slot},
    timings::Timings,
    upscalers::Upscalers,
};
use super::{
    Backend, BackendError, JobContext, JobOutput, Readiness, Refusal,
    job::CancelSwitch,
    parts::keys::{Maker, PartKeys},
};
use crate::{
    model_info::ModelInfo,
    spec::{
        image::{ImageSpec, RefinerSpec},
        video::{DEFAULT_CONDITIONING_FPS, ScenesSpec, VideoSpec},
    },
    work::Work,
};

/// The operator's settings for the device.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// The clock that steps and jobs are timed with: `Instant::now`.
    pub now: fn() -> Instant,
    /// Whether to warm up: generate a small image as soon as the model is loaded, so that forecasts exist. A job that arrives meanwhile
    /// stops the warm-up at its next step.
    pub measure_at_start: bool,
    /// Signs every file that a job makes; `None` signs none.
    pub provenance: Option<Arc<Signer>>,
    /// The program and the processor, as far as they decide the bits of results: parts of videos that another build made are not used.
    pub build: String,
}

impl LocalSettings {
    /// The given clock (`Instant::now`), no warm-up, no signatures, and this version as the build.
    pub fn new(now: fn() -> Instant) -> Self {
        Self { now, measure_at_start: false, provenance: None, build: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// A handle to the device's thread; clones share it.
#[derive(Clone, Debug)]
pub struct LocalBackend {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    messages: mpsc::Sender<Message>,
    /// The number of jobs sent to the device or running on it.
    wanted: Arc<AtomicUsize>,
    pool: Arc<Pool>,
    upscalers: Upscalers,
    loader: Loader,
    status: watch::Receiver<ModelStatus>,
    lost: watch::Receiver<Option<String>>,
    metrics: watch::Receiver<StepMetrics>,
    build: String,
}

impl LocalBackend {
    /// Starts the device's thread with one model and calls `load` for it at once; the model is `Loading` until that returns.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn start(
        settings: LocalSettings,
        load: impl FnOnce() -> diffusion_core::Result<LoadedModel> + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::start_beside(settings, load, Vec::new(), PoolSettings::default())
    }

    /// As [`Self::start`], with other models beside it, which are loaded when a job needs them.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_beside(
        settings: LocalSettings,
        load: impl FnOnce() -> diffusion_core::Result<LoadedModel> + Send + 'static,
        others: Vec<ModelSetup>,
        pool: PoolSettings,
    ) -> std::io::Result<Self> {
        let load = Mutex::new(Some(load));
        let again = || diffusion_core::Error::file("model", "it can be loaded once only");
        let once = move || {
            let load = load.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(again)?;
            Ok(OpenModel::new(|_: &LoadWatch| load()))
        };
        let models = std::iter::once(ModelSetup::new("default", once)).chain(others).collect();
        Self::start_pool(settings, models, pool)
    }

    /// Starts the device's thread with several models. The first is the default and is loaded at once; the facts of the others are read
    /// meanwhile.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn start_pool(settings: LocalSettings, models: Vec<ModelSetup>, pool: PoolSettings) -> std::io::Result<Self> {
        Self::start_with(settings, models, pool, Upscalers::default())
    }

    /// As [`Self::start_pool`], with upscalers beside the models, which are loaded when a job needs one.
    ///
    /// # Errors
    /// As [`Self::start_pool`].
    pub fn start_with(settings: LocalSettings, models: Vec<ModelSetup>, pool: PoolSettings, upscalers: Upscalers) -> std::io::Result<Self> {
        let (messages, incoming) = mpsc::channel();
        let (loaded_sender, loaded) = mpsc::channel();
        let (status_sender, status) = watch::channel(ModelStatus::Loading);
        let (lost_sender, lost) = watch::channel(None);
        let (metrics_sender, metrics) = watch::channel(StepMetrics::default());
        let pool = Arc::new(Pool::new(models, pool, settings.now).with_upscalers(upscalers.folder().cloned()));
        let loader = Loader { pool: Arc::clone(&pool), loaded: loaded_sender, now: settings.now };
        let wanted: Arc<AtomicUsize> = Arc::default();
        let (senders, counted) = ((status_sender, lost_sender, metrics_sender), Arc::clone(&wanted));
        let parts = (Arc::clone(&pool), loader.clone(), loaded, upscalers.clone());
        let build = settings.build.clone();
        let _runs_until_the_last_handle_is_gone: JoinHandle<()> = std::thread::Builder::new()
            .name("device".into())
            .spawn(move || Device::new(parts, senders, counted, settings).run(&incoming))?;
        Ok(Self { inner: Arc::new(Inner { messages, wanted, pool, upscalers, loader, status, lost, metrics, build }) })
    }

    /// The current state of the default model.
    pub fn status(&self) -> ModelStatus {
        self.inner.status.borrow().clone()
    }

    /// Facts about the default model.
    ///
    /// # Errors
    /// As [`Self::model_named`].
    pub fn model(&self) -> Result<Arc<ModelInfo>, Refusal> {
        self.model_named(None)
    }

    /// Facts about a model by the name in a request; about the default model without a name. They may be known before it is loaded.
    ///
    /// # Errors
    /// [`Refusal::UnknownModel`]; [`Refusal::Loading`] or [`Refusal::Failed`] if it cannot take requests now.
    pub fn model_named(&self, name: Option<&str>) -> Result<Arc<ModelInfo>, Refusal> {
        if let Some(reason) = self.inner.lost.borrow().clone() {
            return Err(Refusal::Failed(reason));
        }
        self.inner.pool.info(self.inner.pool.index_of(name)?)
    }

    /// As [`Self::model_named`], but waits until the model's files have been opened.
    ///
    /// # Errors
    /// As [`Self::model_named`].
    pub async fn opened_model(&self, name: Option<&str>) -> Result<Arc<ModelInfo>, Refusal> {
        let index = self.inner.pool.index_of(name)?;
        let (mut changes, mut lost) = (self.changes(), self.inner.lost.clone());
        while self.inner.pool.look(index, Slot::is_opened) == Some(false) && lost.borrow().is_none() {
            tokio::select! {
                // The senders live as long as this handle and the device's thread; without that thread there is nothing to wait for.
                changed = changes.changed() => if changed.is_err() { break },
                lost = lost.changed() => if lost.is_err() { break },
            }
        }
        self.model_named(name)
    }

    /// All models with their states, the default one first.
    pub fn models(&self) -> Vec<ModelView> {
        self.inner.pool.views()
    }

    /// Requests that a model be loaded. Where memory does not suffice for all, other models are dropped for it, once the running job has
    /// finished.
    ///
    /// # Errors
    /// [`Refusal::UnknownModel`]; [`Refusal::Failed`] if the device is lost.
    pub fn load_model(&self, name: &str) -> Result<(), Refusal> {
        if let Some(reason) = self.inner.lost.borrow().clone() {
            return Err(Refusal::Failed(reason));
        }
        self.request_load(self.inner.pool.index_of(Some(name))?, true);
        Ok(())
    }

    /// The keys of the parts of an owner's video of scenes; `None` if they are not known, because its model has not been loaded yet, or its
    /// files have changed.
    pub(crate) fn part_keys(&self, owner: &str, spec: &ScenesSpec) -> Option<PartKeys> {
        let Inner { pool, build, .. } = self.inner.as_ref();
        let index = pool.index_of(spec.model()).ok()?;
        let (model, memory) = (pool.info(index).ok()?, pool.memory(index)?);
        Maker { build, owner, model: &model, memory: &memory }.keys(spec)
    }

    /// As [`Backend::estimate`], for a video of scenes of which the parts in `kept` need not be made; those of
    /// [`ScenePart::all`](crate::backend::parts::ScenePart::all), in order.
    pub fn estimate_scenes(&self, spec: &ScenesSpec, kept: &[bool]) -> Option<Duration> {
        self.inner.pool.timings(self.inner.pool.index_of(spec.model()).ok()?).estimate_but(spec, kept)
    }

    /// The upscalers.
    pub fn upscalers(&self) -> &Upscalers {
        &self.inner.upscalers
    }

    /// Drops a model once no job runs with it, and stops its loading. It is loaded again when a job needs it.
    ///
    /// # Errors
    /// [`Refusal::UnknownModel`].
    pub fn unload_model(&self, name: &str) -> Result<(), Refusal> {
        self.inner.pool.request_unload(self.inner.pool.index_of(Some(name))?);
        self.look();
        Ok(())
    }

    /// Notifies of every change of a model's state.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.pool.changes()
    }

    fn request_load(&self, index: usize, may_swap: bool) {
        match self.inner.pool.request_load(index, may_swap) {
            Some(watch) => {
                self.inner.loader.start(index, watch);
                // Wakes the device's thread, which receives the loaded model.
                self.look();
            }
            None if may_swap => self.look(),
            None => {}
        }
    }

    /// Whether a refiner is there, fits the model before it, and finds memory.
    fn accepts_refiner(&self, spec: &ImageSpec, refiner: &RefinerSpec) -> Result<(), Refusal> {
        let unfit = |reason: String| Err(Refusal::Unfit { field: "refiner", reason });
        let (pool, name) = (&self.inner.pool, refiner.model());
        let index = match pool.index_of(Some(name)) {
            Ok(index) => index,
            Err(refusal) => return unfit(refusal.to_string()),
        };
        if index == pool.index_of(spec.model())? {
            return unfit(format!("{name:?} is the model itself: name another one"));
        }
        let (model, of_refiner) = (self.model_named(spec.model())?, self.model_named(Some(name))?);
        let is_xl = |info: &ModelInfo| info.family.map(ModelFamily::is_xl);
        if is_xl(&model) != is_xl(&of_refiner) {
            return unfit(format!("{name:?} and the model are of different families: both must be of Stable Diffusion XL, or neither"));
        }
        if !of_refiner.vaes.contains(&spec.vae()) && spec.vae() == VaeChoice::Tiny {
            return unfit(format!("{name:?} has no TAESD, and decodes the image: choose the vae \"full\""));
        }
        pool.memory(index).map_or(Err(Refusal::Loading), |memory| Ok(memory.check_images(&spec.refining(refiner))?))
    }

    /// Whether the network of a second pass is there, and finds memory beside the model.
    fn accepts_upscaler(&self, spec: &ImageSpec, work: &Work, memory: &MemoryPlan) -> Result<(), Refusal> {
        let enlarging = self.inner.upscalers.needs_of(spec)?;
        let needed = memory.beside_enlarging(work, 0, enlarging);
        match memory.limit() {
            Some(available) if enlarging.weights > 0 && needed > available => {
                let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
                let reason = format!(
                    "the upscaler would need {:.1} GiB of memory beside the model, but {:.1} GiB are available; choose another upscaler, or a \
                     smaller size",
                    gib(needed),
                    gib(available)
                );
                Err(Refusal::Unfit { field: "hires", reason })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn look(&self) {
        // Fails only if the device is lost; it manages no models then.
        let _lost: Result<(), mpsc::SendError<Message>> = self.inner.messages.send(Message::Look);
    }

    /// The default model's timings so far.
    pub fn timings(&self) -> Timings {
        self.inner.pool.timings(DEFAULT)
    }

    /// The motion model; `None` without one, and until the default model's files have been opened.
    pub fn motion(&self) -> Option<MotionView> {
        let info = self.inner.pool.info(DEFAULT).ok()?;
        let ((width, height), frames) = self.inner.pool.memory(DEFAULT)?.motion_shape()?;
        Some(MotionView { name: info.motion.clone(), width, height, frames, fps: DEFAULT_CONDITIONING_FPS })
    }

    /// The limit of the models' memory, in bytes.
    pub fn memory_budget(&self) -> Option<u64> {
        self.inner.pool.budget()
    }

    /// Metrics of the steps that the device has completed so far.
    pub fn metrics(&self) -> StepMetrics {
        self.inner.metrics.borrow().clone()
    }

    /// Waits until the default model is loaded.
    ///
    /// # Errors
    /// The reason, in one line, if it cannot be loaded.
    pub async fn loaded(&self) -> Result<Arc<ModelInfo>, String> {
        let mut status = self.inner.status.clone();
        let known = status.wait_for(|status| !matches!(status, ModelStatus::Loading)).await.map(|status| status.clone());
        match known {
            Ok(ModelStatus::Ready(info)) => Ok(info),
            Ok(ModelStatus::Failed(reason)) => Err(reason),
            Ok(ModelStatus::Loading) | Err(_) => Err("the device's thread ended while the model was being loaded".into()),
        }
    }

    /// The setting or the flag at fault, by its request field or its setting's name, if the default model cannot be loaded because of one.
    pub fn refused_setting(&self) -> Option<&'static str> {
        self.inner.pool.look(DEFAULT, Slot::refused_setting).flatten()
    }

    /// Waits until the device is lost or its only model cannot be loaded, and returns the reason. Never returns while the device works.
    pub async fn failed(&self) -> String {
        let mut lost = self.inner.lost.clone();
        let reason = lost.wait_for(Option::is_some).await.ok().and_then(|lost| lost.clone());
        match reason {
            Some(reason) => reason,
            // The thread has exited without a failure.
            None => std::future::pending().await,
        }
    }
}

/// Cancels a job whose future is dropped before the job has finished.
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
        // Enlargements need no model, and jobs that do wait for theirs one by one.
        if self.inner.upscalers.opened_on_cpu().await {
            return self.inner.lost.borrow().clone().map_or(Ok(()), Err);
        }
        // If the default model cannot be loaded, the backend still serves the others.
        let _is_settled: Result<Arc<ModelInfo>, String> = self.loaded().await;
        self.inner.lost.borrow().clone().map_or(Ok(()), Err)
    }

    fn accepts(&self, work: &Work) -> Result<(), Refusal> {
        if work.remote().is_some() {
            return Err(Refusal::OtherKind { backend: self.name().to_owned(), kind: "a provider's videos" });
        }
        if let Work::Upscale(spec) = work {
            return match self.inner.lost.borrow().clone() {
                Some(reason) => Err(Refusal::Failed(reason)),
                None => self.inner.upscalers.check(spec),
            };
        }
        self.model_named(work.model())?;
        let pool = &self.inner.pool;
        let Some(memory) = pool.memory(pool.index_of(work.model())?) else { return Err(Refusal::Loading) };
        match work {
            Work::Image(spec) => {
                memory.check_images(spec)?;
                self.accepts_upscaler(spec, work, &memory)?;
                spec.refiner().map_or(Ok(()), |refiner| self.accepts_refiner(spec, refiner))?;
            }
            Work::Video(spec) => memory.check_video(spec)?,
            Work::Upscale(_) => {}
        }
        Ok(())
    }

    fn readiness(&self, model: Option<&str>, since: Instant) -> Readiness {
        // A job with an unknown model fails with that reason when it runs.
        self.inner.pool.index_of(model).map_or(Readiness::Ready, |index| self.inner.pool.readiness(index, since))
    }

    fn prepare(&self, model: Option<&str>, may_swap: bool) {
        if let Ok(index) = self.inner.pool.index_of(model) {
            self.request_load(index, may_swap);
        }
    }

    fn estimate(&self, work: &Work) -> Option<Duration> {
        let timings = self.inner.pool.timings(self.inner.pool.index_of(work.model()).ok()?);
        match work {
            Work::Video(VideoSpec::Scenes(spec)) => timings.estimate(spec),
            Work::Video(VideoSpec::Clip(spec)) => timings.clip(spec),
            Work::Video(VideoSpec::Animation(_) | VideoSpec::Remote(_)) | Work::Image(_) | Work::Upscale(_) => None,
        }
    }

    fn fingerprint(&self, work: &Work) -> String {
        let version = env!("CARGO_PKG_VERSION");
        if let Work::Upscale(spec) = work {
            return format!("framewright {version}, {}", self.inner.upscalers.fingerprint(spec.upscaler()));
        }
        self.model_named(work.model()).map_or_else(
            |_| String::new(),
            |model| {
                let ModelInfo { name, motion, device, precision, .. } = model.as_ref();
                let refiner = if let Work::Image(spec) = work { spec.refiner() } else { None };
                let refiner = refiner.and_then(|refiner| self.model_named(Some(refiner.model())).ok());
                let refiner = refiner.map(|refiner| format!(", refiner {}", refiner.name)).unwrap_or_default();
                let upscaler = if let Work::Image(spec) = work { spec.hires().and_then(|hires| hires.upscaler().network()) } else { None };
                let upscaler = upscaler.map(|name| format!(", {}", self.inner.upscalers.fingerprint(name))).unwrap_or_default();
                let other_parts: String = model.other_parts().iter().map(|(part, name)| format!(", {part} {name}")).collect();
                format!("framewright {version}, {name}{other_parts}{refiner}{upscaler}, {motion}, {precision} on {device}")
            },
        )
    }

    async fn run(&self, work: Arc<Work>, job: JobContext) -> Result<JobOutput, BackendError> {
        let mut cancel_on_drop = CancelOnDrop(Some(job.cancel.clone()));
        let (result_sender, result) = oneshot::channel();
        self.inner.wanted.fetch_add(1, Ordering::Relaxed);
        let run = Message::Run(Box::new(DeviceRun { work, job, result: result_sender }));
        // A lost device accepts no jobs, and drops those in its channel.
        if self.inner.messages.send(run).is_err() {
            return Err(BackendError::Cancelled);
        }
        let result = result.await;
        cancel_on_drop.0 = None;
        result.unwrap_or(Err(BackendError::Cancelled))
    }
}
