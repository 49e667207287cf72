//! The device's thread: owns the device and the loaded models, loads and drops them, and runs one job after another.
//!
//! It must not know who waits for a job, nor decide which model to load or drop: [`Pool`] does. The invariants: a panic in a job is that
//! job's error, and the next job runs; a cancelled job stops at its next step or frame, or at the next tensor of its model; the thread
//! exits when its backend is dropped or the device is lost.

mod finished;
mod first_load;
mod measured;
mod refined;
mod upscaled;

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use diffusion_core::{
    frames::FrameSink,
    journal::{Journal, Run},
    pipelines::{RunContext, VideoContext},
};
use tokio::sync::{oneshot, watch};

use self::finished::encoded;
use super::{
    LocalSettings,
    caught::{NotLoaded, panic_text},
    loader::{Loaded, Loader},
    masked::put_back,
    metrics::StepMetrics,
    model::{DeviceModel, ImageOutput, LoadedModel, ModelStatus},
    monitors::{ImageJobMonitor, Stage, StepClock, VideoJobMonitor, Watched},
    parameters,
    pool::{DEFAULT, Pool, Slot, Step},
    statement::seal,
    upscalers::Upscalers,
};
use crate::{
    backend::{
        BackendError, GeneratedImage, JobContext, JobOutput, JobProgress,
        job::{CancelSwitch, EarlyEnd},
        parts::{
            JobParts,
            keys::{Maker, PartKeys},
            run::PartsRun,
        },
        seal::Seal,
        video_file::{self, GeneratedVideo, VideoOutput, VideoWriter},
    },
    model_info::ModelInfo,
    preview::{Previewer, PreviewingSink},
    spec::{image::ImageSpec, video::VideoSpec},
    work::Work,
};

/// How often the thread checks for a model that is being loaded beside it.
const LOOK: Duration = Duration::from_millis(20);

/// A message to the device's thread.
pub(super) enum Message {
    /// A job.
    Run(Box<DeviceRun>),
    /// The pool may have a task.
    Look,
}

/// A job on its way to the device.
pub(super) struct DeviceRun {
    pub(super) work: Arc<Work>,
    pub(super) job: JobContext,
    pub(super) result: oneshot::Sender<RunResult>,
}

type RunResult<T = JobOutput> = Result<T, BackendError>;

/// A loaded model.
struct Resident {
    info: Arc<ModelInfo>,
    model: Box<dyn DeviceModel>,
}

/// The state of the device's thread.
pub(super) struct Device {
    /// The number of jobs sent to this thread or running.
    pub(super) wanted: Arc<AtomicUsize>,
    pub(super) pool: Arc<Pool>,
    pub(super) loader: Loader,
    pub(super) status: watch::Sender<ModelStatus>,
    /// Why the device is lost, if it is.
    pub(super) lost: watch::Sender<Option<String>>,
    pub(super) metrics: watch::Sender<StepMetrics>,
    pub(super) settings: LocalSettings,
    residents: HashMap<usize, Resident>,
    upscalers: Upscalers,
    /// Receives the models that were loaded beside this thread.
    loaded: mpsc::Receiver<Loaded>,
    /// Whether the first load has finished; the default model's status is not published before.
    is_started: bool,
    /// Whether a warm-up ran to its end, whatever came of it.
    is_measured: bool,
}

impl Device {
    pub(super) fn new(
        (pool, loader, loaded, upscalers): (Arc<Pool>, Loader, mpsc::Receiver<Loaded>, Upscalers),
        (status, lost, metrics): (watch::Sender<ModelStatus>, watch::Sender<Option<String>>, watch::Sender<StepMetrics>),
        wanted: Arc<AtomicUsize>,
        settings: LocalSettings,
    ) -> Self {
        Self {
            wanted,
            pool,
            loader,
            status,
            lost,
            metrics,
            settings,
            residents: HashMap::new(),
            upscalers,
            loaded,
            is_started: false,
            is_measured: false,
        }
    }

    /// Loads the default model, then runs incoming jobs until all senders are dropped or the device is lost.
    pub(super) fn run(mut self, incoming: &mpsc::Receiver<Message>) {
        self.upscalers.open_device();
        let mut waiting = VecDeque::new();
        // Beside this thread if it is free for enlargements meanwhile, which need no model.
        let first = if self.upscalers.is_on_cpu() { self.first_load_beside(incoming, &mut waiting) } else { self.load(DEFAULT, None) };
        if let Err(failure) = first
            && self.pool.count() == 1
        {
            // Published first: a job that waits for the device is then not started, but waits for the program's next start.
            return self.fail(failure.to_string());
        }
        self.is_started = true;
        self.publish_status();
        self.measure_default();
        loop {
            self.run_pool_steps();
            let wait = if self.pool.is_busy() { Some(LOOK) } else { self.pool.until_idle() };
            let message = match (waiting.pop_front(), wait) {
                (Some(run), _) => Ok(Message::Run(run)),
                (None, Some(wait)) => incoming.recv_timeout(wait),
                (None, None) => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::Run(run)) => {
                    if let Some(reason) = self.serve(*run) {
                        return self.fail(reason);
                    }
                }
                Ok(Message::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.pool.stop_loading(),
            }
        }
    }

    /// Runs a job and sends its result. Returns the reason if the device is lost.
    fn serve(&mut self, run: DeviceRun) -> Option<String> {
        let DeviceRun { work, job, result } = run;
        let started = self.now();
        let span = tracing::info_span!("job", id = job.id);
        let _entered = span.enter();
        let outcome = self.execute(&work, job);
        let took = self.since(started);
        match &outcome {
            Ok(_) => tracing::info!(?took, "done"),
            Err(BackendError::Cancelled) => tracing::info!(?took, "cancelled"),
            // The request's fault, of which its caller is told.
            Err(error) if error.refusal().is_some() => tracing::info!(?took, %error, "refused"),
            Err(error) => tracing::error!(?took, %error, "failed"),
        }
        let lost = outcome.as_ref().err().filter(|error| error.is_device_lost()).map(|error| super::caught::one_line(&error.to_string()));
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        if let Some(reason) = &lost {
            // Published before the job's result, so that no other job is submitted in between.
            self.fail(reason.clone());
        }
        // Fails only if the caller has disconnected.
        let _unread: Result<(), RunResult> = result.send(outcome);
        if lost.is_none() {
            // Again, because a job stops the warm-up at the start, and a video's images are not timed.
            self.measure_default();
        }
        lost
    }

    /// Loads the job's model and does the job's work.
    fn execute(&mut self, work: &Arc<Work>, job: JobContext) -> RunResult {
        if let Work::Image(spec) = work.as_ref()
            && let Some(refiner) = spec.refiner()
        {
            return self.refined_images((spec, refiner), work, job).map(JobOutput::Images);
        }
        if let Work::Upscale(spec) = work.as_ref() {
            return self.upscaled(spec, work, job).map(JobOutput::Images);
        }
        let JobContext { cancel, progress, previews, mut journal, output, since, parts, .. } = job;
        let index = self.index_of(work.model())?;
        self.ensure_loaded(index, work, &cancel, since)?;
        let is_cancelled = cancel.stop_check(matches!(work.as_ref(), Work::Image(_)));
        let previewer = Previewer::new(previews, self.settings.now);
        let watched = Watched { progress: &progress, is_cancelled: &is_cancelled, previewer: &previewer };
        self.with_resident(index, work, |device, resident| match (work.as_ref(), &output) {
            (Work::Image(spec), _) => {
                let seal = seal(device.settings.provenance.as_ref(), work, Some((&resident.info, None)))?;
                device.images((spec, seal.as_ref()), (index, resident), (&watched, &cancel), journal.as_mut()).map(JobOutput::Images)
            }
            (Work::Video(spec), Some(output)) => {
                let seal = seal(device.settings.provenance.as_ref(), work, Some((&resident.info, None)))?;
                device.video(spec, (output, seal), (index, resident), &watched, (journal.as_mut(), &parts)).map(JobOutput::Video)
            }
            (Work::Video(_), None) => Err(BackendError::Internal("the video job has no output".to_owned())),
            (Work::Upscale(_), _) => Err(BackendError::Internal("an enlargement has no model".to_owned())),
        })
    }

    fn index_of(&self, model: Option<&str>) -> RunResult<usize> {
        self.pool
            .index_of(model)
            .map_err(|refusal| BackendError::NotLoaded { model: model.unwrap_or_default().to_owned(), reason: refusal.to_string() })
    }

    /// Works with a loaded model.
    fn with_resident<T>(&mut self, index: usize, work: &Arc<Work>, run: impl FnOnce(&Self, &mut Resident) -> RunResult<T>) -> RunResult<T> {
        // Taken out while it works, so that nothing else can touch it; `caught` returns even after a panic, so it is always put back.
        let mut resident = self.residents.remove(&index).ok_or(BackendError::Cancelled)?;
        self.pool.runs(index, Some(Arc::clone(work)));
        let outcome = caught(|| run(self, &mut resident));
        self.pool.runs(index, None);
        self.pool.upscaler_holds(self.upscalers.held());
        self.residents.insert(index, resident);
        outcome
    }

    /// Ensures that a model is loaded and that the job fits beside the others.
    fn ensure_loaded(&mut self, index: usize, work: &Work, cancel: &CancelSwitch, since: Option<Instant>) -> RunResult<()> {
        self.receive_loaded();
        while self.pool.look(index, Slot::is_awaited) == Some(true) {
            if cancel.is_cancelled() {
                return Err(BackendError::Cancelled);
            }
            if let Ok(loaded) = self.loaded.recv_timeout(LOOK) {
                self.settle(loaded);
            }
        }
        let is_there = self.residents.contains_key(&index);
        let not_loaded = |device: &Self, reason: String| BackendError::NotLoaded { model: device.pool.name(index).to_owned(), reason };
        // Checked before other models are dropped for it.
        let failure = |slot: &Slot| since.filter(|since| slot.has_failed_since(*since)).and_then(|_| slot.failure());
        let hopeless = self.pool.look(index, failure).flatten().or_else(|| self.pool.too_large(index));
        if let Some(reason) = hopeless.filter(|_| !is_there) {
            return Err(not_loaded(self, reason));
        }
        self.make_room(index, work);
        if is_there {
            return Ok(());
        }
        match self.load(index, Some(cancel)) {
            Ok(()) => Ok(()),
            Err(NotLoaded::Stopped) if cancel.is_cancelled() => Err(BackendError::Cancelled),
            Err(failure) => {
                // The pool's text of it has no folders.
                let reason = self.pool.look(index, Slot::failure).flatten().unwrap_or_else(|| failure.to_string());
                Err(not_loaded(self, reason))
            }
        }
    }

    /// Loads a model on this thread. If the device runs out of memory, drops the least recently used model and tries again.
    fn load(&mut self, index: usize, job: Option<&CancelSwitch>) -> Result<(), NotLoaded> {
        loop {
            let watch = self.pool.new_watch().for_job(job.cloned());
            self.pool.begin(index, &watch);
            let started = self.now();
            let open = self.pool.open(index);
            if !self.is_started {
                // By now this thread has opened the device itself.
                self.pool.open_others();
            }
            let result = open.and_then(|open| self.pool.load(index, open, &watch));
            let failure = result.as_ref().err().cloned();
            self.settle(Loaded { index, result, took: self.since(started) });
            let going = match &failure {
                Some(NotLoaded::NoMemory(_)) => self.pool.least_used(index),
                Some(NotLoaded::Stopped | NotLoaded::Failed(_) | NotLoaded::Refused(..)) | None => None,
            };
            let Some(going) = going else { return failure.map_or(Ok(()), Err) };
            self.drop_models(&[going]);
        }
    }

    /// Receives the models that were loaded beside this thread.
    fn receive_loaded(&mut self) {
        while let Ok(loaded) = self.loaded.try_recv() {
            self.settle(loaded);
        }
    }

    fn settle(&mut self, Loaded { index, result, took }: Loaded) {
        match result {
            Ok(LoadedModel { info, memory, mut model }) => {
                tracing::info!(model = %info.name, device = %info.device, reason = %info.device_reason, ?took, "model loaded");
                let info = Arc::new(ModelInfo { upscalers: self.upscalers.folder().cloned(), ..info });
                model.set_upscalers(self.upscalers.clone());
                self.residents.insert(index, Resident { info: Arc::clone(&info), model });
                self.pool.loaded(index, Ok((info, memory)));
            }
            Err(failure) => {
                if !matches!(failure, NotLoaded::Stopped) {
                    tracing::error!(model = self.pool.name(index), reason = %failure, "a model cannot be loaded");
                }
                self.pool.loaded(index, Err(failure));
            }
        }
        if index == DEFAULT && self.is_started && self.lost.borrow().is_none() {
            self.publish_status();
        }
    }

    /// Publishes the default model's status. A dropped model counts as ready, because a job that needs it loads it.
    fn publish_status(&self) {
        let status = match self.pool.info(DEFAULT) {
            Ok(info) => ModelStatus::Ready(info),
            Err(crate::backend::Refusal::Failed(reason)) => ModelStatus::Failed(reason),
            Err(_) => ModelStatus::Loading,
        };
        self.status.send_replace(status);
    }

    /// Carries out the pool's tasks between jobs.
    fn run_pool_steps(&mut self) {
        self.receive_loaded();
        while let Some(step) = self.pool.next_step() {
            match step {
                Step::Drop(indices) => self.drop_models(&indices),
                Step::DropUpscaler => self.drop_upscaler(),
                Step::Refuse(index, reason) => self.pool.loaded(index, Err(NotLoaded::Failed(reason))),
                Step::Load { index, beside: true } => self.loader.start(index, self.pool.new_watch()),
                Step::Load { index, beside: false } => {
                    // The pool keeps the reason of a failure.
                    let _in_the_pool: Result<(), NotLoaded> = self.load(index, None);
                }
            }
        }
    }

    fn drop_models(&mut self, indices: &[usize]) {
        for index in indices {
            if let Some(resident) = self.residents.remove(index) {
                tracing::info!(model = self.pool.name(*index), "model dropped");
                drop(resident);
            }
        }
        self.pool.dropped(indices);
    }

    fn images(
        &self,
        (spec, seal): (&ImageSpec, Option<&Seal>),
        (index, resident): (usize, &mut Resident),
        (watched, cancel): (&Watched<'_>, &CancelSwitch),
        journal: &mut dyn Journal,
    ) -> RunResult<Vec<GeneratedImage>> {
        let mut images = Vec::new();
        for part in 0..spec.count() {
            cancel.begin_next_image();
            if cancel.is_cancelled() {
                return Err(BackendError::Cancelled);
            }
            if cancel.early_end() == Some(EarlyEnd::Finished) {
                break;
            }
            let parts = spec.count();
            let share = f64::from(part) / f64::from(parts.max(1));
            watched.progress.send_replace(JobProgress { started: true, part, parts, share, ..JobProgress::default() });
            let seed = spec.seed_of(part);
            let (stage, clock) = (Stage::Whole, StepClock::new(self.settings.now));
            let mut monitor = ImageJobMonitor { watched, part, parts, stage, clock, metrics: Some(&self.metrics) };
            let run = Run::Image { index: usize::try_from(part).unwrap_or(usize::MAX) };
            let context = RunContext::new(&mut monitor).with_journal(journal, run);
            let ImageOutput { image, truncated, remarks, loras, embeddings } = match of_model(|| resident.model.image(spec, seed, context))
            {
                Err(BackendError::Cancelled) if !cancel.is_cancelled() && cancel.early_end().is_some() => continue,
                made => made?,
            };
            self.learn(index, spec, &resident.info, &monitor.clock);
            let image = of_model(|| put_back(spec, image))?;
            let parameters = parameters::text(spec, seed, (&resident.info, None), (&loras, &embeddings));
            images.push(encoded(spec, image, (seed, seal), parameters, (truncated, remarks))?);
        }
        watched.progress.send_modify(|progress| progress.part = progress.parts);
        Ok(images)
    }

    fn video(
        &self,
        spec: &VideoSpec,
        (output, seal): (&VideoOutput, Option<Seal>),
        (index, resident): (usize, &mut Resident),
        watched: &Watched<'_>,
        (journal, parts): (&mut dyn Journal, &JobParts),
    ) -> RunResult<GeneratedVideo> {
        if (watched.is_cancelled)() {
            return Err(BackendError::Cancelled);
        }
        watched.progress.send_modify(|progress| progress.started = true);
        let keys_before = self.part_keys(spec, (index, resident), parts);
        let shape = of_model(|| resident.model.video_shape(spec, watched.is_cancelled))?;
        // The adapters were read meanwhile: keys that changed may be of either version.
        let keys = self.part_keys(spec, (index, resident), parts).filter(|keys| keys_before.as_ref() == Some(keys));
        // Loading a model takes a while; a caller who cancelled meanwhile wants no file.
        if (watched.is_cancelled)() {
            return Err(BackendError::Cancelled);
        }
        // Opened before the first frame, so that a missing encoder is reported at once.
        let mut writer = VideoWriter::open(output, &shape)?.sealed_by(seal);
        let first_frame = writer.first_frame();
        let started = self.now();
        let parts = if let VideoSpec::Scenes(spec) = spec { Some(PartsRun::new(spec, keys, parts)) } else { None };
        let mut monitor = VideoJobMonitor { watched, now: self.settings.now, last: None, metrics: &self.metrics, parts: parts.as_ref() };
        let mut sink = PreviewingSink::new(&mut writer, first_frame, watched.previewer);
        let mut run = |journal: &mut dyn Journal, sink: &mut dyn FrameSink| {
            let context = VideoContext::new(&mut monitor, sink).with_journal(journal);
            of_model(|| resident.model.video(spec, first_frame, context)).map_err(video_file::unwrapped)
        };
        let truncated = match &parts {
            Some(parts) => run(&mut parts.journal(journal), &mut parts.sink(&mut sink, first_frame))?,
            None => run(journal, &mut sink)?,
        };
        let took = self.since(started).saturating_sub(watched.previewer.spent());
        self.pool.learn(index, |timings| timings.video(spec, &shape, took));
        let video = GeneratedVideo { parts: parts.map(|parts| parts.end()), ..writer.finish(spec.seed(), truncated)? };
        watched.progress.send_modify(|progress| progress.part = progress.parts);
        Ok(video)
    }

    /// The keys of a video's parts; `None` if none are kept, or they are not known.
    fn part_keys(&self, spec: &VideoSpec, (index, resident): (usize, &Resident), parts: &JobParts) -> Option<PartKeys> {
        let VideoSpec::Scenes(spec) = spec else { return None };
        let (Some(_), memory) = (&parts.store, self.pool.memory(index)?) else { return None };
        Maker { build: &self.settings.build, owner: &parts.owner, model: &resident.info, memory: &memory }.keys(spec)
    }

    fn fail(&self, reason: String) {
        tracing::error!(%reason, "the device cannot be used");
        self.lost.send_replace(Some(reason.clone()));
        self.status.send_replace(ModelStatus::Failed(reason));
    }

    fn now(&self) -> Instant {
        (self.settings.now)()
    }

    fn since(&self, started: Instant) -> Duration {
        self.now().saturating_duration_since(started)
    }
}

/// Runs a job and turns a panic into an error. A model keeps no state between calls, so a panic leaves it consistent.
fn caught<T>(job: impl FnOnce() -> RunResult<T>) -> RunResult<T> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(BackendError::Internal(panic_text(panic.as_ref()))))
}

/// Calls a model.
fn of_model<T>(call: impl FnOnce() -> diffusion_core::Result<T>) -> RunResult<T> {
    call().map_err(
        |error| {
            if matches!(error, diffusion_core::Error::Cancelled) { BackendError::Cancelled } else { BackendError::Model(error) }
        },
    )
}
