//! The device's thread: it loads the model, owns it, and runs one job after another.
//!
//! It must not know who waits for a job. The invariants: a panic in a job is that job's error, and the next job runs; a cancelled job
//! stops at its next step or frame; the thread ends when the queue closes or the device is lost.

use std::{
    any::Any,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
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

use crate::{
    engine::EngineSettings,
    error::GenerationError,
    job::{Begin, GeneratedImage, Job, JobProgress, JobResult, Made, StoredWork, Task},
    jobs::Work,
    journal::FolderJournal,
    limits::Limits,
    measured::{Ending, Measured},
    model::{DeviceModel, EngineStatus, LoadedModel, ModelInfo, Picture},
    parameters, png,
    preview::{PreviewSlot, Previewer, Shown},
    queue::Queue,
    request::ImageRequest,
    spec::{ImageMode, ImageSpec},
    video::{GeneratedVideo, Timings, VideoOutput, VideoSpec, VideoWriter, output},
};

/// Steps of the picture that is made to measure the model: enough for a mean, few enough to be over soon.
const MEASURED_STEPS: u32 = 3;

/// The device thread's own things.
pub(crate) struct Device {
    pub(crate) queue: Arc<Queue>,
    pub(crate) status: watch::Sender<EngineStatus>,
    pub(crate) timings: watch::Sender<Timings>,
    pub(crate) measured: watch::Sender<Measured>,
    pub(crate) settings: EngineSettings,
}

impl Device {
    pub(crate) fn run(self, load: impl FnOnce() -> diffusion_core::Result<LoadedModel>) {
        let started = self.now();
        let LoadedModel { info, mut model } = match catch_unwind(AssertUnwindSafe(load)) {
            Ok(Ok(model)) => model,
            Ok(Err(error)) => return self.fail(one_line(&error.to_string())),
            Err(panic) => return self.fail(format!("internal error: {}", panic_text(panic.as_ref()))),
        };
        tracing::info!(model = %info.name, device = %info.device, reason = %info.device_reason, took = ?self.since(started), "model loaded");
        let info = Arc::new(info);
        self.status.send_replace(EngineStatus::Ready(Arc::clone(&info)));
        if self.settings.measure_at_start {
            self.measure(model.as_mut(), &info);
        }

        while let Some(Job { id, task, context, progress, cancelled, handed_in }) = self.queue.next() {
            let started = self.now();
            let waited = handed_in.map_or(Duration::ZERO, |then| started.saturating_duration_since(then));
            self.measured.send_modify(|measured| measured.began(waited));
            let span = tracing::info_span!("job", id);
            let _entered = span.enter();
            let is_cancelled = || cancelled.load(std::sync::atomic::Ordering::Relaxed);
            let previewer = Previewer::new(context.previews, self.settings.now);
            let watched = Watched { progress: &progress, is_cancelled: &is_cancelled, previewer: &previewer };
            let mut journal: Box<dyn Journal> = match context.journal {
                Some(folder) => Box::new(FolderJournal::new(folder).watched(context.fail_hook)),
                None => Box::new(()),
            };
            let lost = match task {
                Task::Pictures { spec, result } => {
                    let made = caught(|| self.pictures(&spec, model.as_mut(), &info, &watched, journal.as_mut()));
                    self.end(started, made, result)
                }
                Task::Video { spec, output, result } => {
                    let made = caught(|| self.video(&spec, &output, model.as_mut(), &watched, journal.as_mut()));
                    self.end(started, made, result)
                }
                Task::Stored { begin, result } => {
                    let made = caught(|| self.stored(begin, model.as_mut(), &info, &watched, journal.as_mut()));
                    self.end(started, made, result)
                }
            };
            if let Some(reason) = lost {
                return self.fail(reason);
            }
            if self.settings.measure_at_start && self.timings.borrow().step().is_none() {
                // It was broken off at the start, and a video's pictures are not timed.
                self.measure(model.as_mut(), &info);
            }
        }
    }

    fn stored(
        &self,
        begin: Begin,
        model: &mut dyn DeviceModel,
        info: &ModelInfo,
        watched: &Watched<'_>,
        journal: &mut dyn Journal,
    ) -> JobResult<Made> {
        let StoredWork { work, output } = (begin.0)()?;
        match work {
            Work::Pictures(spec) => self.pictures(&spec, model, info, watched, journal).map(Made::Pictures),
            Work::Video(spec) => self.video(&spec, &output, model, watched, journal).map(Made::Video),
        }
    }

    /// Says how a job ended, and tells if its device is lost.
    fn end<T>(&self, started: Instant, made: JobResult<T>, result: oneshot::Sender<JobResult<T>>) -> Option<String> {
        let took = self.since(started);
        let ending = match &made {
            Ok(_) => {
                tracing::info!(?took, "done");
                Ending::Completed
            }
            Err(GenerationError::Cancelled) => {
                tracing::info!(?took, "cancelled");
                Ending::Cancelled
            }
            Err(error) => {
                tracing::error!(?took, %error, "failed");
                Ending::Failed
            }
        };
        self.measured.send_modify(|measured| measured.ended(ending, took));
        let lost = match &made {
            Err(GenerationError::Model(error @ diffusion_core::Error::Device { .. })) => Some(one_line(&error.to_string())),
            Ok(_) | Err(_) => None,
        };
        // The place is free before the caller knows, so that whoever has an answer can ask again.
        self.queue.done(took, made.is_ok());
        // Nobody to send it to: the caller has hung up.
        let _unread: Result<(), JobResult<T>> = result.send(made);
        lost
    }

    fn pictures(
        &self,
        spec: &ImageSpec,
        model: &mut dyn DeviceModel,
        info: &ModelInfo,
        watched: &Watched<'_>,
        journal: &mut dyn Journal,
    ) -> JobResult<Vec<GeneratedImage>> {
        let mut images = Vec::new();
        for part in 0..spec.count() {
            if (watched.is_cancelled)() {
                return Err(GenerationError::Cancelled);
            }
            let parts = spec.count();
            let share = f64::from(part) / f64::from(parts.max(1));
            watched.progress.send_replace(JobProgress { started: true, part, parts, share, ..JobProgress::default() });
            let seed = spec.seed_of(part);
            let mut monitor =
                PictureMonitor { watched, part, parts, clock: StepClock::new(self.settings.now), measured: Some(&self.measured) };
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
    ) -> JobResult<GeneratedVideo> {
        if (watched.is_cancelled)() {
            return Err(GenerationError::Cancelled);
        }
        watched.progress.send_modify(|progress| progress.started = true);
        let shape = of_model(|| model.video_shape(spec))?;
        // To load a model takes a while, and who has hung up wants no file to be begun.
        if (watched.is_cancelled)() {
            return Err(GenerationError::Cancelled);
        }
        // The encoder before the first frame: one that is missing is known at once.
        let mut writer = VideoWriter::open(output, &shape)?;
        let first_frame = writer.first_frame();
        let started = self.now();
        let mut monitor = VideoMonitor { watched, now: self.settings.now, last: None, measured: &self.measured };
        let mut shown = Shown::new(&mut writer, first_frame, watched.previewer);
        let made = of_model(|| model.video(spec, first_frame, &mut monitor, &mut shown, journal));
        let truncated = made.map_err(output::unwrapped)?;
        let took = self.since(started).saturating_sub(watched.previewer.spent());
        self.timings.send_modify(|timings| timings.video(spec, &shape, took));
        let video = writer.finish(spec.seed(), truncated)?;
        watched.progress.send_modify(|progress| progress.part = progress.parts);
        Ok(video)
    }

    /// Makes a small picture for nobody, unless somebody wants something.
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
        let watched = Watched { progress: &progress, is_cancelled: &|| self.queue.jobs() > 0, previewer: &previewer };
        let mut monitor = PictureMonitor { watched: &watched, part: 0, parts: 1, clock: StepClock::new(self.settings.now), measured: None };
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
        self.status.send_replace(EngineStatus::Failed(reason));
        self.queue.close();
    }

    fn now(&self) -> Instant {
        (self.settings.now)()
    }

    fn since(&self, started: Instant) -> Duration {
        self.now().saturating_duration_since(started)
    }
}

/// Runs a job; a panic is an error like others. A model keeps no state between calls, so nothing half-changed survives it.
fn caught<T>(job: impl FnOnce() -> JobResult<T>) -> JobResult<T> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(GenerationError::Internal(panic_text(panic.as_ref()))))
}

/// Calls a model.
fn of_model<T>(call: impl FnOnce() -> diffusion_core::Result<T>) -> JobResult<T> {
    call().map_err(|error| {
        if matches!(error, diffusion_core::Error::Cancelled) { GenerationError::Cancelled } else { GenerationError::Model(error) }
    })
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
    /// None where the picture is nobody's.
    measured: Option<&'a watch::Sender<Measured>>,
}

impl StepMonitor for PictureMonitor<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        if let (Some(took), Some(measured)) = (self.clock.tick(step.step), self.measured) {
            measured.send_modify(|measured| measured.picture_step(took));
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
    measured: &'a watch::Sender<Measured>,
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
            self.measured.send_modify(|measured| match progress.activity {
                Activity::Picture | Activity::Between => measured.picture_step(took),
                Activity::Motion => measured.motion_step(took),
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
