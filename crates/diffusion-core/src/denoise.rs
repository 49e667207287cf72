//! The denoising loop of every pipeline, and its progress reports.
//!
//! This module must not depend on models or prompts: the noise prediction arrives as a function. Invariant: latents are f32, NCHW and on
//! the CPU between steps, so that the scheduler's arithmetic is the same on every device, and the run fails if they are not finite.

use std::{ops::ControlFlow, sync::Arc};

use candle_core::Tensor;
use image::RgbImage;

use crate::{Error, Result, frames::check_finite, noise::SeededNoise, schedulers::Scheduler, weights::StopCheck};

/// The state after a step.
pub struct StepReport<'a> {
    /// Completed steps, from 1.
    pub step: usize,
    /// Total steps (model calls).
    pub steps: usize,
    /// The timestep of the last model call.
    pub timestep: f64,
    /// The latents after the step, [frames, 4, height / 8, width / 8], f32; one frame for a single image.
    pub latents: &'a Tensor,
    /// Renders a small preview of the clean latents that this step's model output predicts. It shows something from the first step on, when
    /// the latents themselves are still noise. For a video it shows the middle frame.
    ///
    /// Costs nothing unless it is called. A model's first call fits the colours of its latents, which costs as much as decoding a quarter
    /// of an image of 512 x 512 pixels; each later call takes at most 2 ms on the CPU.
    pub preview: &'a dyn Fn() -> Result<RgbImage>,
}

/// Observes every step; a `Break` stops the pipeline with [`crate::Error::Cancelled`].
pub trait StepMonitor {
    /// Called after every step.
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()>;

    /// Called instead of [`Self::on_step`] for a run whose steps are skipped, because a journal has their result.
    fn on_kept(&mut self) {}

    /// A check for work of the run that reports no steps: the load of a ControlNet stops when it returns true. The default never does.
    fn stop_check(&self) -> StopCheck {
        Arc::new(|| false)
    }

    /// Called when memory is insufficient and the work continues in smaller parts; `what` is a sentence for a log.
    fn on_step_down(&mut self, _what: &str) {}
}

/// A monitor that does nothing and never stops.
impl StepMonitor for () {
    fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A run of the loop, before it starts.
pub struct Denoising<'a> {
    /// The scheduler, started but not yet stepped.
    pub scheduler: &'a mut dyn Scheduler,
    /// The first step: 0, or later if a given image is only partly noised.
    pub first_step: usize,
    /// The request's only noise stream, for the schedulers that draw from it.
    pub noise: &'a mut SeededNoise,
    /// Renders a small image of clean latents, [1, channels, height, width].
    pub paint: &'a dyn Fn(&Tensor) -> Result<RgbImage>,
    /// Observes every step.
    pub monitor: &'a mut dyn StepMonitor,
}

impl Denoising<'_> {
    /// Runs every step from the first one on.
    ///
    /// `predict(scaled_latents, timestep, call)` is the guided model, whose calls are counted from 0; `after_step(step_index, scheduler, latents)` may change the latents after
    /// each step (inpainting restores the area that it keeps).
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the monitor breaks; [`Error::NonFinite`] if a step's latents overflow; any error of the functions.
    pub fn run(
        self,
        latents: Tensor,
        predict: impl FnMut(&Tensor, f64, usize) -> Result<Tensor>,
        after_step: impl FnMut(usize, &dyn Scheduler, Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let end = self.scheduler.timesteps().len();
        self.run_until(end, latents, predict, after_step)
    }

    /// As [`Self::run`], without the steps from `end` on.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_until(
        self,
        end: usize,
        mut latents: Tensor,
        mut predict: impl FnMut(&Tensor, f64, usize) -> Result<Tensor>,
        mut after_step: impl FnMut(usize, &dyn Scheduler, Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Self { scheduler, first_step, noise, paint, monitor } = self;
        let timesteps: Vec<f64> = scheduler.timesteps().iter().copied().take(end).collect();
        let steps = timesteps.len().saturating_sub(first_step);
        for (step_index, timestep) in timesteps.into_iter().enumerate().skip(first_step) {
            let latent_model_input = scheduler.scale_model_input(&latents, step_index)?;
            let noise_pred = predict(&latent_model_input, timestep, step_index - first_step)?;
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
