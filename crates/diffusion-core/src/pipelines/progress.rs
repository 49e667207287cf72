//! The progress of a video, and its frames on their way to the sink: counted, reported, and left out where the caller has them already.
//!
//! It must not know models. The invariants: frames reach the sink in order, each once, and none before the first that is wanted; reported
//! work never goes back.

use std::ops::ControlFlow;

use image::RgbImage;

use super::{RunContext, VideoContext};
use crate::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    frames::FrameSink,
    journal::{Journal, Run},
};

/// What is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A scene's image, or the image that a clip repaints.
    Image,
    /// An image between two scenes.
    Between,
    /// An image in motion.
    Motion,
}

/// How far a video is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoProgress {
    /// The scene being made, from 0; of a join, the scene behind it. A clip and an animation are one scene.
    pub scene: usize,
    /// All scenes.
    pub scenes: usize,
    /// What is being made of it.
    pub activity: Activity,
    /// Steps done of the current model run.
    pub step: usize,
    /// Steps of that run; 0 until its first is done.
    pub steps: usize,
    /// Frames done, including those that the caller had before.
    pub frame: usize,
    /// All frames.
    pub frames: usize,
    /// Model work done, in steps of an image (of an animation, in its own steps); for an estimate of the time left.
    pub work_done: f64,
    /// Model work in all.
    pub work_total: f64,
}

/// Sees every step and every frame of a video; returns `Break` to stop, which the pipeline answers with [`Error::Cancelled`].
pub trait VideoMonitor {
    /// Called when another activity begins, after every model step, and after every frame that was pushed.
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()>;

    /// Called after every model step, before [`Self::on_progress`]: the step's latents and its preview.
    fn on_model_step(&mut self, _step: &StepReport<'_>) {}

    /// Called where memory did not suffice and the work goes on in smaller parts; `what` is a sentence for a log.
    fn on_step_down(&mut self, _what: &str) {}
}

/// A monitor that sees nothing and never stops.
impl VideoMonitor for () {
    fn on_progress(&mut self, _: &VideoProgress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// How large a video is, known before its first frame.
pub(super) struct VideoSize {
    pub(super) scenes: usize,
    pub(super) frames: usize,
    /// Model work, in the unit of [`VideoProgress::work_total`].
    pub(super) work: f64,
}

/// A video that is being made: its progress and frames, and the journal of its model runs.
pub(super) struct VideoRun<'a> {
    pub(super) progress: FrameProgress<'a>,
    pub(super) journal: &'a mut dyn Journal,
}

impl<'a> VideoRun<'a> {
    /// A video of which the caller has the frames before `first_frame`.
    pub(super) fn new(context: VideoContext<'a>, first_frame: usize, size: VideoSize) -> Self {
        let VideoContext { monitor, sink, journal } = context;
        Self { progress: FrameProgress::new(monitor, sink, first_frame, size), journal }
    }

    /// Makes one of the video's model runs; `work` is its part of the video's work.
    pub(super) fn run<T>(&mut self, run: Run, work: f64, make: impl FnOnce(RunContext<'_>) -> Result<T>) -> Result<T> {
        self.progress.begin_run(work);
        let made = make(RunContext { monitor: &mut self.progress, journal: &mut *self.journal, run })?;
        self.progress.end_run();
        Ok(made)
    }
}

/// Counts the frames and the work of a video, hands the frames to the sink, and reports to the monitor.
pub(super) struct FrameProgress<'a> {
    monitor: &'a mut dyn VideoMonitor,
    sink: &'a mut dyn FrameSink,
    /// The caller has the frames before this one.
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

    /// The next frame's number, counted from the video's first.
    pub(super) fn position(&self) -> usize {
        self.progress.frame
    }

    /// Whether the caller has the next frame already.
    pub(super) fn is_behind(&self) -> bool {
        self.position() < self.first_frame
    }

    /// Skips to `frame`, as far as the caller has the frames before it.
    pub(super) fn skip_to(&mut self, frame: usize) {
        self.progress.frame = self.progress.frame.max(frame.min(self.first_frame));
    }

    /// Sets what is being made from now on.
    pub(super) fn set_activity(&mut self, scene: usize, activity: Activity) {
        self.progress = VideoProgress { scene, activity, step: 0, steps: 0, ..self.progress };
    }

    /// Sets and reports what is being made from now on.
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

    /// Ends the model run: all of its work is done.
    pub(super) fn end_run(&mut self) {
        self.begin_run(0.0);
    }

    /// Hands the next frame on; one that the caller has is not even made.
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
impl StepMonitor for FrameProgress<'_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        let share = step.step as f64 / step.steps.max(1) as f64;
        // Kept frames may have counted for more, if the rest is made again.
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
