//! An image in motion for longer than a model runs: window after window of the model's frames, each from the last frame of the one before.
//!
//! It must not know what becomes of the frames. The invariants: the frames follow one another without a gap: the first of a later window
//! is the last of the one before, and is shown once, and the window continues from that frame as it was shown (see [`Seam`]); window k has
//! the seed plus k; no more than two frames and a seam are held.

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

/// Takes the frames one by one, and hands on what it makes of them.
pub(in crate::pipelines) type TakeFrame<'a> = &'a mut dyn FnMut(&RgbImage, &mut FrameProgress<'_>) -> Result<()>;

/// The model runs that make so many frames of an image.
pub(in crate::pipelines) struct Windows<'a> {
    model: &'a StableVideoDiffusion,
    /// How the image moves, and how many frames a run has.
    motion: &'a MotionParams,
    /// Frames that are wanted, the image's own included.
    pub(in crate::pipelines) needed: usize,
}

impl<'a> Windows<'a> {
    /// The runs for so many frames of a video at a rate of `fps`.
    pub(in crate::pipelines) fn new(model: &'a StableVideoDiffusion, motion: &'a MotionParams, frames: usize, fps: f64) -> Self {
        Self { model, motion, needed: Retime::needed(motion.conditioning_fps.into(), fps, frames) }
    }

    /// Frames of one run.
    pub(in crate::pipelines) fn frames_of_a_run(&self) -> usize {
        self.model.num_frames(self.motion)
    }

    /// How often the model runs.
    pub(in crate::pipelines) fn runs(&self) -> usize {
        let new_frames = self.frames_of_a_run().saturating_sub(1).max(1);
        self.needed.saturating_sub(1).div_ceil(new_frames).max(1)
    }

    /// The model's work, in steps of an image: a step of a motion model counts for each of its frames.
    pub(in crate::pipelines) fn work(&self) -> usize {
        self.runs() * self.work_of_a_run()
    }

    fn work_of_a_run(&self) -> usize {
        self.motion.num_inference_steps * self.frames_of_a_run()
    }

    /// Sets the image of a scene in motion, and hands the frames that are wanted to `take`, in order. What the video's journal has of the
    /// scene's runs is not made again.
    ///
    /// # Errors
    /// As [`StableVideoDiffusion::image_to_video`], and whatever `take` returns, as it is.
    pub(in crate::pipelines) fn show(
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

/// The model's frames on their way to `take`.
struct WindowFrames<'a, 'b> {
    progress: &'a mut FrameProgress<'b>,
    take: TakeFrame<'a>,
    /// Frames that are still wanted.
    left: usize,
    /// The current run, and its next frame.
    run: usize,
    index: usize,
    window_frames: usize,
    /// Between the window before and this one, once its first frame is there.
    seam: Option<Seam>,
    /// The model's last frame, at its own size.
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
            let mended = self.seam.as_ref().map(|seam| seam.mended(&frame, index));
            (self.take)(mended.as_ref().unwrap_or(&frame), self.progress)?;
        }
        self.newest = frame;
        Ok(())
    }
}

/// The model's steps are the video's progress.
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
