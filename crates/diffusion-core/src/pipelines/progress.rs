//! The progress of a video and the path of its frames to the sink: counted, reported, and skipped where the caller already has them.
//!
//! This module must not depend on models. Invariants: frames reach the sink in order, each once, from the first requested frame on;
//! reported work never decreases.

use std::ops::ControlFlow;

use image::RgbImage;

use super::{RunContext, VideoContext};
use crate::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    frames::FrameSink,
    journal::{Journal, Run},
};

/// The current activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A scene's image, or the image that a clip repaints.
    Image,
    /// An image between two scenes.
    Between,
    /// An image in motion.
    Motion,
}

/// The progress of a video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoProgress {
    /// The current scene, from 0; during a join, the scene after it. A clip and an animation are one scene.
    pub scene: usize,
    /// The number of scenes.
    pub scenes: usize,
    /// The current activity in the scene.
    pub activity: Activity,
    /// Completed steps of the current model run.
    pub step: usize,
    /// Steps of that run; 0 until its first is done.
    pub steps: usize,
    /// Completed frames, including those that the caller already had.
    pub frame: usize,
    /// The number of frames.
    pub frames: usize,
    /// Completed model work, in steps of an image (for an animation, in its own steps); for an estimate of the remaining time.
    pub work_done: f64,
    /// Total model work.
    pub work_total: f64,
}

/// Observes every step and every frame of a video; a `Break` stops the pipeline with [`Error::Cancelled`].
pub trait VideoMonitor {
    /// Called when the activity changes, after every model step, and after every pushed frame.
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()>;

    /// Called after every model step, before [`Self::on_progress`]: the step's latents and its preview.
    fn on_model_step(&mut self, _step: &StepReport<'_>) {}

    /// Called when memory is insufficient and the work continues in smaller parts; `what` is a sentence for a log.
    fn on_step_down(&mut self, _what: &str) {}
}

/// A monitor that does nothing and never stops.
impl VideoMonitor for () {
    fn on_progress(&mut self, _: &VideoProgress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The size of a video, known before its first frame.
pub(super) struct VideoSize {
    pub(super) scenes: usize,
    pub(super) frames: usize,
    /// Model work, in the unit of [`VideoProgress::work_total`].
    pub(super) work: f64,
}

/// A video in progress: its progress and frames, and the journal of its model runs.
pub(super) struct VideoRun<'a> {
    pub(super) progress: FrameProgress<'a>,
    pub(super) journal: &'a mut dyn Journal,
}

impl<'a> VideoRun<'a> {
    /// A video whose frames before `first_frame` the caller already has.
    pub(super) fn new(context: VideoContext<'a>, first_frame: usize, size: VideoSize) -> Self {
        let VideoContext { monitor, sink, journal } = context;
        Self { progress: FrameProgress::new(monitor, sink, first_frame, size), journal }
    }

    /// Performs one of the video's model runs; `work` is its part of the video's work.
    pub(super) fn run<T>(&mut self, run: Run, work: f64, make: impl FnOnce(RunContext<'_>) -> Result<T>) -> Result<T> {
        self.progress.begin_run(work);
        let output = make(RunContext { monitor: &mut self.progress, journal: &mut *self.journal, run })?;
        self.progress.end_run();
        Ok(output)
    }
}

/// Counts the frames and the work of a video, pushes the frames to the sink, and reports to the monitor.
pub(super) struct FrameProgress<'a> {
    monitor: &'a mut dyn VideoMonitor,
    sink: &'a mut dyn FrameSink,
    /// The caller already has the frames before this one.
    first_frame: usize,
    progress: VideoProgress,
    /// Work before the current model run.
    work_before: f64,
    /// Work of the current model run.
    run_work: f64,
}

impl<'a> FrameProgress<'a> {
    pub(super) fn new(monitor: &'a mut dyn VideoMonitor, sink: &'a mut dyn FrameSink, first_frame: usize, size: VideoSize) -> Self {
        let VideoSize { scenes, frames, work: work_total } = size;
        let activity = Activity::Image;
        let progress = VideoProgress { scene: 0, scenes, activity, step: 0, steps: 0, frame: 0, frames, work_done: 0.0, work_total };
        Self { monitor, sink, first_frame, progress, work_before: 0.0, run_work: 0.0 }
    }

    /// The index of the next frame, counted from the video's first.
    pub(super) fn position(&self) -> usize {
        self.progress.frame
    }

    /// Whether the caller already has the next frame.
    pub(super) fn is_behind(&self) -> bool {
        self.position() < self.first_frame
    }

    /// Skips to `frame`, or to the first frame that the caller does not have.
    pub(super) fn skip_to(&mut self, frame: usize) {
        self.progress.frame = self.progress.frame.max(frame.min(self.first_frame));
    }

    /// Sets the current activity.
    pub(super) fn set_activity(&mut self, scene: usize, activity: Activity) {
        self.progress = VideoProgress { scene, activity, step: 0, steps: 0, ..self.progress };
    }

    /// Sets and reports the current activity.
    pub(super) fn begin(&mut self, scene: usize, activity: Activity) -> Result<()> {
        self.set_activity(scene, activity);
        self.report()
    }

    /// Begins a model run; `work` is its part of the video's work.
    pub(super) fn begin_run(&mut self, work: f64) {
        self.work_before += self.run_work;
        self.run_work = work;
        self.progress.work_done = self.work_before;
    }

    /// Ends the model run: all its work counts as done.
    pub(super) fn end_run(&mut self) {
        self.begin_run(0.0);
    }

    /// Pushes the next frame. Does not call `frame` if the caller already has it.
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

/// Reports a model run's steps as the video's progress.
impl StepMonitor for FrameProgress<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        let share = step.step as f64 / step.steps.max(1) as f64;
        // Kept frames may already have counted as more, if the rest has to be generated again.
        let work_done = (self.work_before + self.run_work * share).max(self.progress.work_done);
        self.progress = VideoProgress { step: step.step, steps: step.steps, work_done, ..self.progress };
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
