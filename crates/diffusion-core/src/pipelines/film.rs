//! Frames on their way to the sink: counted, reported, and left out where they are there already.
//!
//! It must not know models. The invariant: frames reach the sink in order, each once, and none before the first that is wanted.

use std::ops::ControlFlow;

use image::RgbImage;

use super::scenes::{Activity, SceneMonitor, SceneProgress};
use crate::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    frames::FrameSink,
};

/// The one way of frames and of progress out of a video in the making.
pub(super) struct Film<'a> {
    sink: &'a mut dyn FrameSink,
    monitor: &'a mut dyn SceneMonitor,
    /// Frames before this one are there already.
    first_frame: usize,
    progress: SceneProgress,
    /// Work before the model run that is on.
    work_before: f64,
    /// Work of the model run that is on.
    run_work: f64,
}

impl<'a> Film<'a> {
    pub(super) fn new(
        sink: &'a mut dyn FrameSink,
        monitor: &'a mut dyn SceneMonitor,
        first_frame: usize,
        (scenes, frames, work): (usize, usize, f64),
    ) -> Self {
        let progress = SceneProgress {
            scene: 0,
            scenes,
            activity: Activity::Picture,
            step: 0,
            steps: 0,
            frame: 0,
            frames,
            work_done: 0.0,
            work_total: work,
        };
        Self { sink, monitor, first_frame, progress, work_before: 0.0, run_work: 0.0 }
    }

    /// The frame that comes next, counted from the video's first.
    pub(super) fn position(&self) -> usize {
        self.progress.frame
    }

    /// Whether the frame that comes next is there already.
    pub(super) fn is_behind(&self) -> bool {
        self.position() < self.first_frame
    }

    /// Goes on to `frame`, past frames that are all there already.
    pub(super) fn skip_to(&mut self, frame: usize) {
        self.progress.frame = self.progress.frame.max(frame.min(self.first_frame));
    }

    /// Says what is being made from now on.
    pub(super) fn begin(&mut self, scene: usize, activity: Activity) -> Result<()> {
        self.progress = SceneProgress { scene, activity, step: 0, steps: 0, ..self.progress };
        self.report()
    }

    /// Says that a model run begins, which is so much of the whole work.
    pub(super) fn begin_run(&mut self, work: f64) {
        self.work_before += self.run_work;
        self.run_work = work;
        self.progress.work_done = self.work_before;
    }

    /// Says that no model run is on.
    pub(super) fn end_run(&mut self) {
        self.begin_run(0.0);
    }

    /// Hands the next frame on; one that is there already is not even made.
    pub(super) fn push(&mut self, frame: impl FnOnce() -> RgbImage) -> Result<()> {
        let is_behind = self.is_behind();
        self.progress.frame += 1;
        if is_behind {
            return Ok(());
        }
        self.sink.push(frame()).map_err(Error::Sink)?;
        self.report()
    }

    fn report(&mut self) -> Result<()> {
        match self.monitor.on_progress(&self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}

/// A model run's steps are the video's progress.
impl StepMonitor for Film<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        let share = step.step as f64 / step.steps.max(1) as f64;
        // Frames that were kept may have counted for more, if the rest is made again.
        let work_done = (self.work_before + self.run_work * share).max(self.progress.work_done);
        self.progress = SceneProgress { step: step.step, steps: step.steps, work_done, ..self.progress };
        self.monitor.on_model_step(step);
        self.monitor.on_progress(&self.progress)
    }

    fn on_kept(&mut self) {
        self.progress.work_done = self.work_before + self.run_work;
    }

    fn on_step_down(&mut self, what: &str) {
        self.monitor.on_step_down(what);
    }
}
