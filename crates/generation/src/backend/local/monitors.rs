//! The monitors of a model's runs: progress, step times, previews and cancellation.
//!
//! It must not know models or who waits for a job.

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use diffusion_core::{
    denoise::{StepMonitor, StepReport},
    pipelines::{Activity, VideoMonitor, VideoProgress},
    weights::StopCheck,
};
use tokio::sync::watch;

use super::metrics::StepMetrics;
use crate::{
    backend::{JobProgress, parts::run::PartsRun},
    preview::Previewer,
};

/// Where progress and previews go, and where cancellation comes from.
pub(super) struct Watched<'a> {
    pub(super) progress: &'a watch::Sender<JobProgress>,
    pub(super) is_cancelled: &'a StopCheck,
    pub(super) previewer: &'a Previewer,
}

impl Watched<'_> {
    fn control_flow(&self) -> ControlFlow<()> {
        if (self.is_cancelled)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Times the steps of an image.
pub(super) struct StepClock {
    now: fn() -> Instant,
    pub(super) started: Instant,
    first: Option<Instant>,
    last: Option<(usize, Instant)>,
}

impl StepClock {
    pub(super) fn new(now: fn() -> Instant) -> Self {
        Self { now, started: now(), first: None, last: None }
    }

    /// Records a step and returns its duration; `None` for the first, whose start was not observed.
    fn tick(&mut self, step: usize) -> Option<Duration> {
        let now = (self.now)();
        self.first.get_or_insert(now);
        let before = self.last.replace((step, now));
        before.map(|(_, then)| now.saturating_duration_since(then))
    }

    /// Excludes time that was just spent on other work.
    fn exclude(&mut self, time: Duration) {
        self.started += time;
        for instant in self.first.iter_mut().chain(self.last.as_mut().map(|(_, instant)| instant)) {
            *instant += time;
        }
    }

    /// The number of steps and their total duration; the first, whose start was not observed, counts as an average one.
    pub(super) fn steps(&self) -> Option<(usize, Duration)> {
        let (steps, last) = self.last.filter(|(steps, _)| *steps > 1)?;
        let seconds = last.saturating_duration_since(self.first?).as_secs_f64() / (steps - 1) as f64;
        Some((steps, Duration::from_secs_f64(seconds * steps as f64)))
    }
}

/// Which part of an image a run makes, for its share of the work.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// All of it.
    Whole,
    /// The share of its steps before a refiner's; all images are begun before the first one is refined.
    Begun(f64),
    /// The rest.
    Refined(f64),
}

impl Stage {
    /// The share of the work for all images that is done, where this is image `part` and so much of its steps is done.
    pub(super) fn share(self, (part, parts): (u32, u32), done: f64) -> f64 {
        let (part, parts) = (f64::from(part), f64::from(parts.max(1)));
        match self {
            Self::Whole => (part + done) / parts,
            Self::Begun(share) => (part * share + done.min(share)) / parts,
            Self::Refined(share) => share + (part * (1.0 - share) + (done - share).max(0.0)) / parts,
        }
    }
}

pub(super) struct ImageJobMonitor<'a> {
    pub(super) watched: &'a Watched<'a>,
    pub(super) part: u32,
    pub(super) parts: u32,
    pub(super) stage: Stage,
    pub(super) clock: StepClock,
    /// None for a warm-up.
    pub(super) metrics: Option<&'a watch::Sender<StepMetrics>>,
}

impl StepMonitor for ImageJobMonitor<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        if let (Some(took), Some(metrics)) = (self.clock.tick(step.step), self.metrics) {
            metrics.send_modify(|metrics| metrics.image_steps.add(took));
        }
        self.clock.exclude(self.watched.previewer.look(self.part, step));
        let StepReport { step, steps, .. } = *step;
        let share = self.stage.share((self.part, self.parts), step as f64 / steps.max(1) as f64);
        let progress = JobProgress { started: true, part: self.part, parts: self.parts, step, steps, share, ..JobProgress::default() };
        self.watched.progress.send_replace(progress);
        self.watched.control_flow()
    }

    fn stop_check(&self) -> StopCheck {
        Arc::clone(self.watched.is_cancelled)
    }

    fn on_step_down(&mut self, what: &str) {
        tracing::warn!("{what}");
    }
}

pub(super) struct VideoJobMonitor<'a> {
    pub(super) watched: &'a Watched<'a>,
    pub(super) now: fn() -> Instant,
    /// The last completed step, and its time.
    pub(super) last: Option<(usize, Instant)>,
    pub(super) metrics: &'a watch::Sender<StepMetrics>,
    /// The parts of a video of scenes.
    pub(super) parts: Option<&'a PartsRun<'a>>,
}

impl VideoJobMonitor<'_> {
    /// Times a step that directly follows another of the same run; time between runs is not counted.
    fn time_step(&mut self, progress: &VideoProgress) {
        if self.last.is_some_and(|(step, _)| step == progress.step) {
            return;
        }
        let now = (self.now)();
        if let Some((_, then)) = self.last.filter(|(step, _)| step + 1 == progress.step) {
            let took = now.saturating_duration_since(then);
            self.metrics.send_modify(|metrics| match progress.activity {
                Activity::Image | Activity::Between => metrics.image_steps.add(took),
                Activity::Motion => metrics.motion_steps.add(took),
            });
        }
        self.last = (progress.step > 0).then_some((progress.step, now));
    }
}

impl VideoMonitor for VideoJobMonitor<'_> {
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
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
        self.watched.control_flow()
    }

    fn on_model_step(&mut self, step: &StepReport<'_>) {
        let took = self.watched.previewer.look(self.watched.progress.borrow().part, step);
        // The preview's time does not count towards the step.
        if let Some((_, then)) = &mut self.last {
            *then += took;
        }
    }

    fn on_step_down(&mut self, what: &str) {
        tracing::warn!("{what}");
        if let Some(parts) = self.parts {
            parts.step_down();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::job::CancelSwitch, preview::PreviewSlot};

    #[test]
    fn a_runs_stop_check_follows_the_jobs_switch() {
        let (progress, _) = watch::channel(JobProgress::default());
        let (cancel, previewer) = (CancelSwitch::default(), Previewer::new(PreviewSlot::default(), Instant::now));
        let switch = cancel.clone();
        let is_cancelled: StopCheck = Arc::new(move || switch.is_cancelled());
        let watched = Watched { progress: &progress, is_cancelled: &is_cancelled, previewer: &previewer };
        let monitor = ImageJobMonitor {
            watched: &watched,
            part: 0,
            parts: 1,
            stage: Stage::Whole,
            clock: StepClock::new(Instant::now),
            metrics: None,
        };
        let stop = monitor.stop_check();
        assert!(!stop());
        cancel.cancel();
        assert!(stop());
    }
}
