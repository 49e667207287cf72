//! The one denoising loop that every pipeline runs, and what a caller sees of it.

use std::ops::ControlFlow;

use candle_core::Tensor;

/// What is known after a step.
#[derive(Debug)]
pub struct StepReport<'a> {
    /// Steps done, from 1.
    pub step: usize,
    /// Steps in all (model calls).
    pub steps: usize,
    /// The timestep of the model call just made.
    pub timestep: f64,
    /// The latents after the step, [1, 4, height / 8, width / 8], f32.
    pub latents: &'a Tensor,
}

/// Sees every step; returns `Break` to stop, which the pipeline answers with [`crate::Error::Cancelled`].
pub trait StepMonitor {
    /// Called after every step.
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()>;
}

/// A monitor that sees nothing and never stops.
impl StepMonitor for () {
    fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
