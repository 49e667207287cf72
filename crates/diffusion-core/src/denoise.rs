//! The one denoising loop that every pipeline runs, and what a caller sees of it.
//!
//! It must not know models or prompts: the noise prediction arrives as a function. The invariant: latents are f32, NCHW and on the CPU
//! between steps, so that the scheduler's arithmetic is the same on every device, and they are finite or the run ends.

use std::ops::ControlFlow;

use candle_core::Tensor;
use image::RgbImage;

use crate::{Error, Result, frames::check_finite, noise::SeededNoise, schedulers::Scheduler};

/// What is known after a step.
pub struct StepReport<'a> {
    /// Steps done, from 1.
    pub step: usize,
    /// Steps in all (model calls).
    pub steps: usize,
    /// The timestep of the model call just made.
    pub timestep: f64,
    /// The latents after the step, [frames, 4, height / 8, width / 8], f32; one frame where a single image is made.
    pub latents: &'a Tensor,
    /// Makes a small image of where the run is going: of the clean latents that this step's model output points at. They show something
    /// from the first step on, when the latents themselves are still noise. Of many frames, it shows the middle one.
    ///
    /// Costs nothing unless it is called. A model's first call finds out its latents' colours, which costs as much as decoding a quarter of
    /// an image of 512 x 512 pixels; each later call takes the CPU 2 ms or less.
    pub preview: &'a dyn Fn() -> Result<RgbImage>,
}

/// Sees every step; returns `Break` to stop, which the pipeline answers with [`crate::Error::Cancelled`].
pub trait StepMonitor {
    /// Called after every step.
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()>;

    /// Called instead of [`Self::on_step`] for a run whose steps are not made, because a journal kept their result.
    fn on_kept(&mut self) {}

    /// Called where memory did not suffice and the work goes on in smaller parts; `what` is a sentence for a log.
    fn on_step_down(&mut self, _what: &str) {}
}

/// A monitor that sees nothing and never stops.
impl StepMonitor for () {
    fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A run of the loop, before it starts.
pub struct Denoising<'a> {
    /// The scheduler, started and not yet stepped.
    pub scheduler: &'a mut dyn Scheduler,
    /// The step to begin with: 0, or later where a given image is only partly noised.
    pub first_step: usize,
    /// The request's one stream of noise, for the schedulers that draw from it.
    pub noise: &'a mut SeededNoise,
    /// Makes a small image of clean latents, [1, channels, height, width].
    pub paint: &'a dyn Fn(&Tensor) -> Result<RgbImage>,
    /// Sees every step.
    pub monitor: &'a mut dyn StepMonitor,
}

impl Denoising<'_> {
    /// Runs every step from the first one on.
    ///
    /// `predict(scaled_latents, timestep)` is the guided model; `after_step(step_index, scheduler, latents)` may change the latents that
    /// a step gave (inpainting puts back what it keeps).
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the monitor breaks; [`Error::NonFinite`] if a step's latents overflow; whatever the functions return.
    pub fn run(
        self,
        mut latents: Tensor,
        mut predict: impl FnMut(&Tensor, f64) -> Result<Tensor>,
        mut after_step: impl FnMut(usize, &dyn Scheduler, Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Self { scheduler, first_step, noise, paint, monitor } = self;
        let timesteps = scheduler.timesteps().to_vec();
        let steps = timesteps.len().saturating_sub(first_step);
        for (step_index, timestep) in timesteps.into_iter().enumerate().skip(first_step) {
            let latent_model_input = scheduler.scale_model_input(&latents, step_index)?;
            let noise_pred = predict(&latent_model_input, timestep)?;
            let before = latents;
            latents = scheduler.step(&noise_pred, step_index, &before, noise)?;
            latents = after_step(step_index, &*scheduler, latents)?;
            let step = step_index - first_step + 1;
            check_finite(&latents.flatten_all()?.to_vec1::<f32>()?, || format!("the latents of step {step}"))?;
            let preview = || {
                let middle = before.dim(0)? / 2;
                let (before, noise_pred) = (before.narrow(0, middle, 1)?, noise_pred.narrow(0, middle, 1)?);
                paint(&scheduler.run().clean(&before, &noise_pred, step_index)?)
            };
            if monitor.on_step(&StepReport { step, steps, timestep, latents: &latents, preview: &preview }).is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(latents)
    }
}
