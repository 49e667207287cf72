//! A picture in motion for longer than a model runs: window after window of its frames, each from the last frame of the one before.
//!
//! It must not know what becomes of the frames. The invariants: the frames follow one another without a gap: the first of a later window
//! is the last of the one before, and is shown once, and the window goes on from that frame as it was shown (see [`Seam`]); window k has
//! the seed plus k; no more than two frames and a seam are held.

use std::{cell::RefCell, ops::ControlFlow};

use image::RgbImage;

use super::{ImageToVideoParams, MotionParams, StableVideoDiffusion, film::Film, seam::Seam};
use crate::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    error::BoxError,
    frames::FrameSink,
    journal::{Journal, Kept, Run},
};

/// What takes the frames, one by one; it hands on what it makes of them to the film.
pub(super) type TakeFrame<'a> = &'a mut dyn FnMut(&RgbImage, &mut Film<'_>) -> Result<()>;

/// The runs of a model that make so many frames of a picture.
pub(super) struct Windows<'a> {
    /// The model.
    pub(super) model: &'a StableVideoDiffusion,
    /// How the picture moves, and how many frames a run has.
    pub(super) motion: &'a MotionParams,
    /// Frames that are wanted, the picture's own included.
    pub(super) needed: usize,
}

impl Windows<'_> {
    /// Frames of one run.
    pub(super) fn frames_of_a_run(&self) -> usize {
        self.motion.num_frames.unwrap_or_else(|| self.model.default_num_frames())
    }

    /// How often the model runs.
    pub(super) fn runs(&self) -> usize {
        let new_frames = self.frames_of_a_run().saturating_sub(1).max(1);
        self.needed.saturating_sub(1).div_ceil(new_frames).max(1)
    }

    /// The model's work, in steps of a picture: a step of a motion model counts for each of its frames.
    pub(super) fn work(&self) -> usize {
        self.runs() * self.work_of_a_run()
    }

    fn work_of_a_run(&self) -> usize {
        self.motion.num_inference_steps * self.frames_of_a_run()
    }

    /// Sets the picture of a scene in motion, and hands the frames that are wanted to `take`, in order. What was kept of the scene's runs
    /// is not made again.
    ///
    /// # Errors
    /// As [`StableVideoDiffusion::image_to_video`], and whatever `take` returns, as it is.
    pub(super) fn show(
        &self,
        picture: RgbImage,
        (scene, seed): (usize, u64),
        film: &mut Film<'_>,
        take: TakeFrame<'_>,
        journal: &mut dyn Journal,
    ) -> Result<()> {
        let film = RefCell::new(film);
        let mut shown = Shown {
            film: &film,
            take,
            left: self.needed,
            run: 0,
            index: 0,
            window_frames: self.frames_of_a_run(),
            seam: None,
            newest: picture,
        };
        for run in 0..self.runs() {
            film.borrow_mut().begin_run(self.work_of_a_run() as f64);
            (shown.run, shown.index) = (run, 0);
            let seed = seed.wrapping_add(run as u64);
            let call = ImageToVideoParams { image: shown.newest.clone(), motion: self.motion.clone(), seed };
            let kept = Kept::new(journal, Run::Motion { scene, run });
            self.model.image_to_video_kept(&call, &mut Watch(&film), &mut shown, kept).map_err(own_error)?;
            film.borrow_mut().end_run();
        }
        Ok(())
    }
}

/// An error that came by way of the sink is what it was all the same.
fn own_error(error: Error) -> Error {
    if let Error::Sink(source) = error {
        return match source.downcast::<Error>() {
            Ok(inner) => *inner,
            Err(source) => Error::Sink(source),
        };
    }
    error
}

/// The model's steps as the video's.
struct Watch<'a, 'b, 'c>(&'a RefCell<&'b mut Film<'c>>);

impl StepMonitor for Watch<'_, '_, '_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.0.borrow_mut().on_step(step)
    }

    fn on_kept(&mut self) {
        self.0.borrow_mut().on_kept();
    }

    fn on_step_down(&mut self, what: &str) {
        self.0.borrow_mut().on_step_down(what);
    }
}

/// The model's frames on their way to whoever takes them.
struct Shown<'a, 'b, 'c> {
    film: &'a RefCell<&'b mut Film<'c>>,
    take: TakeFrame<'a>,
    /// Frames that are still wanted.
    left: usize,
    /// The run that is on, and the frame of it that comes next.
    run: usize,
    index: usize,
    window_frames: usize,
    /// Between the window before and this one, once its first frame is there.
    seam: Option<Seam>,
    /// The model's last frame, at its own size.
    newest: RgbImage,
}

impl FrameSink for Shown<'_, '_, '_> {
    fn push(&mut self, frame: RgbImage) -> std::result::Result<(), BoxError> {
        let index = self.index;
        self.index += 1;
        if index == 0 && self.run > 0 {
            self.seam = Some(Seam::new(&self.newest, &frame, self.window_frames.saturating_sub(1)));
        } else if self.left > 0 {
            self.left -= 1;
            let mended = self.seam.as_ref().map(|seam| seam.mended(&frame, index));
            (self.take)(mended.as_ref().unwrap_or(&frame), *self.film.borrow_mut())?;
        }
        self.newest = frame;
        Ok(())
    }
}
