//! The device's thread: it loads the model, owns it, and runs one job after another.
//!
//! It must not know who waits for a job. The invariants: a panic in a job is that job's error, and the next job runs; a cancelled job
//! stops at its next step or frame; the thread ends when its backend is dropped or the device is lost.

use std::{
    any::Any,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use diffusion_core::{
    denoise::{StepMonitor, StepReport},
    journal::{Journal, Kept, Run},
    pipelines::scenes::{Activity, SceneMonitor, SceneProgress},
    preprocess::{self, Part},
    schedulers::SchedulerKind,
};
use image::RgbImage;
use tokio::sync::{oneshot, watch};

use super::{
    LocalSettings,
    memory::MemoryPlan,
    metrics::StepMetrics,
    model::{DeviceModel, LoadedModel, ModelStatus, Picture},
    parameters,
    timings::Timings,
};
use crate::{
    backend::{
        BackendError, GeneratedImage, JobContext, JobOutput, JobProgress,
        video_file::{self, GeneratedVideo, VideoOutput, VideoWriter},
    },
    model_info::ModelInfo,
    png,
    preview::{PreviewSlot, Previewer, PreviewingSink},
    spec::{
        image::{ImageMode, ImageRequest, ImageSpec},
        limits::Limits,
        video::VideoSpec,
    },
    work::Work,
};

/// Steps of the picture that is made to measure the model: enough for a mean, few enough to be over soon.
const MEASURED_STEPS: u32 = 3;

/// A job on its way to the device.
pub(super) struct DeviceRun {
    pub(super) work: Arc<Work>,
    pub(super) job: JobContext,
    pub(super) result: oneshot::Sender<RunResult>,
}

type RunResult<T = JobOutput> = Result<T, BackendError>;

/// The device thread's own things.
pub(super) struct Device {
    /// The jobs that are on their way here or run.
    pub(super) wanted: Arc<AtomicUsize>,
    pub(super) memory: Arc<OnceLock<MemoryPlan>>,
    pub(super) status: watch::Sender<ModelStatus>,
    pub(super) timings: watch::Sender<Timings>,
    pub(super) metrics: watch::Sender<StepMetrics>,
    pub(super) settings: LocalSettings,
}

impl Device {
    /// Loads the model, then runs what comes in until nobody can send any more, or the device is lost.
    pub(super) fn run(self, load: impl FnOnce() -> diffusion_core::Result<LoadedModel>, incoming: &mpsc::Receiver<DeviceRun>) {
        let started = self.now();
        let LoadedModel { info, memory, mut model } = match catch_unwind(AssertUnwindSafe(load)) {
            Ok(Ok(model)) => model,
            Ok(Err(error)) => return self.fail(one_line(&error.to_string())),
            Err(panic) => return self.fail(format!("internal error: {}", panic_text(panic.as_ref()))),
        };
        tracing::info!(model = %info.name, device = %info.device, reason = %info.device_reason, took = ?self.since(started), "model loaded");
        let info = Arc::new(info);
        self.memory.get_or_init(|| memory);
        self.status.send_replace(ModelStatus::Ready(Arc::clone(&info)));
        if self.settings.measure_at_start {
            self.measure(model.as_mut(), &info);
        }

        while let Ok(DeviceRun { work, job, result }) = incoming.recv() {
            let started = self.now();
            let span = tracing::info_span!("job", id = job.id);
            let _entered = span.enter();
            let JobContext { cancel, progress, previews, mut journal, output, .. } = job;
            let is_cancelled = || cancel.is_cancelled();
            let previewer = Previewer::new(previews, self.settings.now);
            let watched = Watched { progress: &progress, is_cancelled: &is_cancelled, previewer: &previewer };
            let made = caught(|| match (work.as_ref(), &output) {
                (Work::Image(spec), _) => self.images(spec, model.as_mut(), &info, &watched, journal.as_mut()).map(JobOutput::Images),
                (Work::Video(spec), Some(output)) => {
                    self.video(spec, output, model.as_mut(), &watched, journal.as_mut()).map(JobOutput::Video)
                }
                (Work::Video(_), None) => Err(BackendError::Internal("the video has no place to be written to".to_owned())),
            });
            let took = self.since(started);
            match &made {
                Ok(_) => tracing::info!(?took, "done"),
                Err(BackendError::Cancelled) => tracing::info!(?took, "cancelled"),
                Err(error) => tracing::error!(?took, %error, "failed"),
            }
            let lost = made.as_ref().err().filter(|error| error.is_device_lost()).map(|error| one_line(&error.to_string()));
            self.wanted.fetch_sub(1, Ordering::Relaxed);
            if let Some(reason) = lost {
                // Known before the job's end is, so that nobody hands in another in between.
                self.fail(reason);
                let _unread: Result<(), RunResult> = result.send(made);
                return;
            }
            // Nobody to send it to: the caller has hung up.
            let _unread: Result<(), RunResult> = result.send(made);
            if self.settings.measure_at_start && self.timings.borrow().step().is_none() {
                // It was broken off at the start, and a video's images are not timed.
                self.measure(model.as_mut(), &info);
            }
        }
    }

    fn images(
        &self,
        spec: &ImageSpec,
        model: &mut dyn DeviceModel,
        info: &ModelInfo,
        watched: &Watched<'_>,
        journal: &mut dyn Journal,
    ) -> RunResult<Vec<GeneratedImage>> {
        let mut images = Vec::new();
        for part in 0..spec.count() {
            if (watched.is_cancelled)() {
                return Err(BackendError::Cancelled);
            }
            let parts = spec.count();
            let share = f64::from(part) / f64::from(parts.max(1));
            watched.progress.send_replace(JobProgress { started: true, part, parts, share, ..JobProgress::default() });
            let seed = spec.seed_of(part);
            let mut monitor =
                PictureMonitor { watched, part, parts, clock: StepClock::new(self.settings.now), metrics: Some(&self.metrics) };
            let kept = Kept::new(journal, Run::Picture { index: usize::try_from(part).unwrap_or(usize::MAX) });
            let Picture { image, truncated } = of_model(|| model.picture(spec, seed, &mut monitor, kept))?;
            self.learn(spec, info, &monitor.clock);
            let image = of_model(|| brought_to(image, spec.output_size()))?;
            let parameters = parameters::text(spec, seed, info);
            images.push(GeneratedImage { png: png::encode(&image, &parameters)?, image, seed, parameters, truncated });
        }
        watched.progress.send_modify(|progress| progress.part = progress.parts);
        Ok(images)
    }

    fn video(
        &self,
        spec: &VideoSpec,
        output: &VideoOutput,
        model: &mut dyn DeviceModel,
        watched: &Watched<'_>,
        journal: &mut dyn Journal,
    ) -> RunResult<GeneratedVideo> {
        if (watched.is_cancelled)() {
            return Err(BackendError::Cancelled);
        }
        watched.progress.send_modify(|progress| progress.started = true);
        let shape = of_model(|| model.video_shape(spec))?;
        // To load a model takes a while, and who has hung up wants no file to be begun.
        if (watched.is_cancelled)() {
            return Err(BackendError::Cancelled);
        }
        // The encoder before the first frame: one that is missing is known at once.
        let mut writer = VideoWriter::open(output, &shape)?;
        let first_frame = writer.first_frame();
        let started = self.now();
        let mut monitor = VideoMonitor { watched, now: self.settings.now, last: None, metrics: &self.metrics };
        let mut shown = PreviewingSink::new(&mut writer, first_frame, watched.previewer);
        let made = of_model(|| model.video(spec, first_frame, &mut monitor, &mut shown, journal));
        let truncated = made.map_err(video_file::unwrapped)?;
        let took = self.since(started).saturating_sub(watched.previewer.spent());
        self.timings.send_modify(|timings| timings.video(spec, &shape, took));
        let video = writer.finish(spec.seed(), truncated)?;
        watched.progress.send_modify(|progress| progress.part = progress.parts);
        Ok(video)
    }

    /// Warm-up: times a three-step image so that forecasts exist; stops when a job arrives.
    fn measure(&self, model: &mut dyn DeviceModel, info: &ModelInfo) {
        let request = ImageRequest {
            prompt: Some("a picture".into()),
            num_inference_steps: Some(MEASURED_STEPS.into()),
            seed: Some(0),
            scheduler: info.scheduler.is_none().then(|| SchedulerKind::Euler.as_str().to_owned()),
            ..ImageRequest::default()
        };
        let Ok(spec) = request.validate(&Limits::DEFAULT, info) else { return };
        let (progress, _) = watch::channel(JobProgress::default());
        let previewer = Previewer::new(PreviewSlot::default(), self.settings.now);
        let watched = Watched { progress: &progress, is_cancelled: &|| self.wanted.load(Ordering::Relaxed) > 0, previewer: &previewer };
        let mut monitor = PictureMonitor { watched: &watched, part: 0, parts: 1, clock: StepClock::new(self.settings.now), metrics: None };
        match caught(|| of_model(|| model.picture(&spec, 0, &mut monitor, Kept::new(&mut (), Run::Picture { index: 0 })))) {
            Ok(_) => self.learn(&spec, info, &monitor.clock),
            Err(error) => tracing::debug!(%error, "nothing was measured"),
        }
    }

    /// Remembers how long a picture took, if it is of the size that estimates are made for.
    fn learn(&self, spec: &ImageSpec, info: &ModelInfo, clock: &StepClock) {
        let is_usual = matches!(spec.mode, ImageMode::TextToImage) && spec.guidance_scale > 1.0;
        if is_usual
            && (spec.width, spec.height) == (info.default_width, info.default_height)
            && let Some((steps, stepping)) = clock.steps()
        {
            self.timings.send_modify(|timings| timings.picture(steps, stepping, self.since(clock.started)));
        }
    }

    fn fail(&self, reason: String) {
        tracing::error!(%reason, "the model cannot be used");
        self.status.send_replace(ModelStatus::Failed(reason));
    }

    fn now(&self) -> Instant {
        (self.settings.now)()
    }

    fn since(&self, started: Instant) -> Duration {
        self.now().saturating_duration_since(started)
    }
}

/// Runs a job; a panic is an error like others. A model keeps no state between calls, so nothing half-changed survives it.
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

/// Where progress and previews go, and where cancellation comes from.
struct Watched<'a> {
    progress: &'a watch::Sender<JobProgress>,
    is_cancelled: &'a dyn Fn() -> bool,
    previewer: &'a Previewer,
}

impl Watched<'_> {
    fn go_on(&self) -> ControlFlow<()> {
        if (self.is_cancelled)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// When the steps of a picture were done.
struct StepClock {
    now: fn() -> Instant,
    started: Instant,
    first: Option<Instant>,
    last: Option<(usize, Instant)>,
}

impl StepClock {
    fn new(now: fn() -> Instant) -> Self {
        Self { now, started: now(), first: None, last: None }
    }

    /// A step is done. Returns what it took, unless it is the first, whose beginning nobody saw.
    fn tick(&mut self, step: usize) -> Option<Duration> {
        let now = (self.now)();
        self.first.get_or_insert(now);
        let before = self.last.replace((step, now));
        before.map(|(_, then)| now.saturating_duration_since(then))
    }

    /// Leaves out time that was just spent on something else.
    fn leave_out(&mut self, time: Duration) {
        self.started += time;
        for instant in self.first.iter_mut().chain(self.last.as_mut().map(|(_, instant)| instant)) {
            *instant += time;
        }
    }

    /// How many steps there were and what they took; the first, whose beginning nobody saw, is taken for one like the others.
    fn steps(&self) -> Option<(usize, Duration)> {
        let (steps, last) = self.last.filter(|(steps, _)| *steps > 1)?;
        let seconds = last.saturating_duration_since(self.first?).as_secs_f64() / (steps - 1) as f64;
        Some((steps, Duration::from_secs_f64(seconds * steps as f64)))
    }
}

struct PictureMonitor<'a> {
    watched: &'a Watched<'a>,
    part: u32,
    parts: u32,
    clock: StepClock,
    /// None for a warm-up.
    metrics: Option<&'a watch::Sender<StepMetrics>>,
}

impl StepMonitor for PictureMonitor<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        if let (Some(took), Some(metrics)) = (self.clock.tick(step.step), self.metrics) {
            metrics.send_modify(|metrics| metrics.picture_steps.add(took));
        }
        self.clock.leave_out(self.watched.previewer.look(self.part, step));
        let StepReport { step, steps, .. } = *step;
        let share = (f64::from(self.part) + step as f64 / steps.max(1) as f64) / f64::from(self.parts.max(1));
        let progress = JobProgress { started: true, part: self.part, parts: self.parts, step, steps, share, ..JobProgress::default() };
        self.watched.progress.send_replace(progress);
        self.watched.go_on()
    }

    fn on_step_down(&mut self, what: &str) {
        tracing::warn!("{what}");
    }
}

struct VideoMonitor<'a> {
    watched: &'a Watched<'a>,
    now: fn() -> Instant,
    /// The step that was last seen to be done, and when.
    last: Option<(usize, Instant)>,
    metrics: &'a watch::Sender<StepMetrics>,
}

impl VideoMonitor<'_> {
    /// Times a step that follows right upon another of the same run; what lies between runs is no step.
    fn time_step(&mut self, progress: &SceneProgress) {
        if self.last.is_some_and(|(step, _)| step == progress.step) {
            return;
        }
        let now = (self.now)();
        if let Some((_, then)) = self.last.filter(|(step, _)| step + 1 == progress.step) {
            let took = now.saturating_duration_since(then);
            self.metrics.send_modify(|metrics| match progress.activity {
                Activity::Picture | Activity::Between => metrics.picture_steps.add(took),
                Activity::Motion => metrics.motion_steps.add(took),
            });
        }
        self.last = (progress.step > 0).then_some((progress.step, now));
    }
}

impl SceneMonitor for VideoMonitor<'_> {
    fn on_progress(&mut self, progress: &SceneProgress) -> ControlFlow<()> {
        self.time_step(progress);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        self.watched.progress.send_replace(JobProgress {
            started: true,
            part: number(progress.scene),
            parts: number(progress.scenes),
            step: progress.step,
            steps: progress.steps,
            frame: progress.frame,
            frames: progress.frames,
            share: if progress.work_total > 0.0 { (progress.work_done / progress.work_total).min(1.0) } else { 1.0 },
        });
        self.watched.go_on()
    }

    fn on_model_step(&mut self, step: &StepReport<'_>) {
        let took = self.watched.previewer.look(self.watched.progress.borrow().part, step);
        // A preview is no part of the step.
        if let Some((_, then)) = &mut self.last {
            *then += took;
        }
    }

    fn on_step_down(&mut self, what: &str) {
        tracing::warn!("{what}");
    }
}

/// A finished picture in the size that was asked for: what its proportions have no room for is cut off at both ends, for nothing is squeezed.
fn brought_to(image: RgbImage, size: Option<(u32, u32)>) -> diffusion_core::Result<RgbImage> {
    match size.filter(|size| *size != image.dimensions()) {
        None => Ok(image),
        Some((width, height)) => preprocess::resized_part(&image, Part::covering(image.dimensions(), (width, height)), width, height),
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
