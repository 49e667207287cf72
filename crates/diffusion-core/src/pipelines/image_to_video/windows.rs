//! Motion longer than one model run: a sequence of windows of the model's frames, each of which starts from the previous window's last
//! frame.
//!
//! This module must not depend on what consumes the frames. Invariants: the windows join without a gap: a later window's first frame
//! repeats the previous window's last, is emitted once, and the window is blended to continue from the emitted frame (see [`Seam`]); window
//! k uses the seed plus k; no more than two frames and a seam are held in memory.

use std::ops::ControlFlow;

use image::RgbImage;

use super::{ImageToVideoParams, MotionParams, RunOutput, StableVideoDiffusion};
use crate::{
    Result,
    denoise::{StepMonitor, StepReport},
    imaging::{Retime, Seam},
    journal::{Run, RunJournal},
    pipelines::progress::{FrameProgress, VideoRun},
};

/// Receives the frames one by one, and pushes the frames it derives from them.
pub(in crate::pipelines) type TakeFrame<'a> = &'a mut dyn FnMut(&RgbImage, &mut FrameProgress<'_>) -> Result<()>;

/// The model runs that set an image in motion for a given number of frames.
pub(in crate::pipelines) struct Windows<'a> {
    model: &'a StableVideoDiffusion,
    /// The motion, and the number of frames in a run.
    motion: &'a MotionParams,
    /// The number of model frames needed, including the image's own.
    pub(in crate::pipelines) needed: usize,
}

impl<'a> Windows<'a> {
    /// The runs for `frames` frames of a video at a rate of `fps`.
    pub(in crate::pipelines) fn new(model: &'a StableVideoDiffusion, motion: &'a MotionParams, frames: usize, fps: f64) -> Self {
        Self { model, motion, needed: Retime::needed(motion.conditioning_fps.into(), fps, frames) }
    }

    /// The number of frames in a run.
    pub(in crate::pipelines) fn frames_of_a_run(&self) -> usize {
        self.model.num_frames(self.motion)
    }

    /// The number of runs.
    pub(in crate::pipelines) fn runs(&self) -> usize {
        let new_frames = self.frames_of_a_run().saturating_sub(1).max(1);
        self.needed.saturating_sub(1).div_ceil(new_frames).max(1)
    }

    /// The model's work, in steps of an image: a step of a motion model counts once for each of its frames.
    pub(in crate::pipelines) fn work(&self) -> usize {
        self.runs() * self.work_of_a_run()
    }

    fn work_of_a_run(&self) -> usize {
        self.motion.num_inference_steps * self.frames_of_a_run()
    }

    /// Sets the image of a scene in motion, and passes the needed frames to `take`, in order. Parts of the scene's runs that the video's
    /// journal has are reused.
    ///
    /// # Errors
    /// As [`StableVideoDiffusion::image_to_video`], and any error of `take`, unchanged.
    pub(in crate::pipelines) fn run(
        &self,
        image: RgbImage,
        (scene, seed): (usize, u64),
        video: &mut VideoRun<'_>,
        take: TakeFrame<'_>,
    ) -> Result<()> {
        let VideoRun { progress, journal } = video;
        let window_frames = self.frames_of_a_run();
        let mut frames = WindowFrames { progress, take, left: self.needed, run: 0, index: 0, window_frames, seam: None, newest: image };
        for run in 0..self.runs() {
            frames.progress.begin_run(self.work_of_a_run() as f64);
            (frames.run, frames.index) = (run, 0);
            let seed = seed.wrapping_add(run as u64);
            let call = ImageToVideoParams { image: frames.newest.clone(), motion: self.motion.clone(), seed };
            self.model.run(&call, &mut frames, RunJournal::new(&mut **journal, Run::Motion { scene, run }))?;
            frames.progress.end_run();
        }
        Ok(())
    }
}

/// Passes the model's frames to `take`, and blends each window with the one before.
struct WindowFrames<'a, 'b> {
    progress: &'a mut FrameProgress<'b>,
    take: TakeFrame<'a>,
    /// Frames still to be passed on.
    left: usize,
    /// The current run, and the index of its next frame.
    run: usize,
    index: usize,
    window_frames: usize,
    /// The seam to the previous window, once this window's first frame has arrived.
    seam: Option<Seam>,
    /// The model's latest frame, at its native size.
    newest: RgbImage,
}

impl RunOutput for WindowFrames<'_, '_> {
    fn push_frame(&mut self, frame: RgbImage) -> Result<()> {
        let index = self.index;
        self.index += 1;
        if index == 0 && self.run > 0 {
            self.seam = Some(Seam::new(&self.newest, &frame, self.window_frames.saturating_sub(1)));
        } else if self.left > 0 {
            self.left -= 1;
            let blended = self.seam.as_ref().map(|seam| seam.blended(&frame, index));
            (self.take)(blended.as_ref().unwrap_or(&frame), self.progress)?;
        }
        self.newest = frame;
        Ok(())
    }
}

/// Reports the model's steps as the video's progress.
impl StepMonitor for WindowFrames<'_, '_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.progress.on_step(step)
    }

    fn on_kept(&mut self) {
        self.progress.on_kept();
    }

    fn on_step_down(&mut self, what: &str) {
        self.progress.on_step_down(what);
    }
}
