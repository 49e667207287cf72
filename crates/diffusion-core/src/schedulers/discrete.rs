//! The common part of the schedulers derived from k-diffusion (Euler, Euler ancestral, LMS, Heun): latents = clean + sigma * noise,
//! unscaled.
//!
//! This module must not depend on how any of them steps. Invariant: every tensor operation is the same as in diffusers, in the same order
//! and in f32: with zero terminal signal the first sigma is 4096, and the rounding of latents of that size remains visible steps later.
//! Reference: diffusers' `scheduling_euler_discrete.py`, after Karras et al. 2022, algorithm 2.

use candle_core::Tensor;

use super::{
    Run, at,
    config::{PredictionType, SchedulerConfig, TimestepSpacing},
    latents::divide,
    sigmas::Levels,
};
use crate::Result;

/// A run's levels, and everything that does not depend on the solver.
#[derive(Debug)]
pub(super) struct Discrete {
    /// One timestep for each sigma except the last.
    pub(super) levels: Levels,
    prediction: PredictionType,
    init_noise_sigma: f32,
}

impl Discrete {
    pub(super) fn new(config: &SchedulerConfig, levels: Levels) -> Self {
        let max = levels.max_sigma();
        let init_noise_sigma = match config.timestep_spacing {
            TimestepSpacing::Linspace | TimestepSpacing::Trailing => max,
            TimestepSpacing::Leading => (max * max + 1.0).sqrt(),
        };
        Self { levels, prediction: config.prediction_type, init_noise_sigma }
    }

    /// The sigmas before and after a step.
    pub(super) fn sigmas(&self, step_index: usize) -> Result<(f32, f32)> {
        at(&self.levels.timesteps, step_index)?;
        Ok((at(&self.levels.sigmas, step_index)?, at(&self.levels.sigmas, step_index + 1)?))
    }

    /// The clean latents that the model's output predicts.
    pub(super) fn predict_original(&self, latents: &Tensor, model_output: &Tensor, sigma: f32) -> Result<Tensor> {
        let power = sigma * sigma + 1.0;
        match self.prediction {
            PredictionType::Epsilon => Ok((latents - model_output.affine(f64::from(sigma), 0.0)?)?),
            PredictionType::VPrediction => {
                let scaled = model_output.affine(f64::from(-sigma / power.sqrt()), 0.0)?;
                Ok((scaled + divide(latents, power)?)?)
            }
            PredictionType::Sample => Ok(model_output.clone()),
        }
    }
}

impl Run for Discrete {
    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        f64::from(self.init_noise_sigma)
    }

    fn scale_model_input(&self, latents: &Tensor, step_index: usize) -> Result<Tensor> {
        let (sigma, _) = self.sigmas(step_index)?;
        divide(latents, (sigma * sigma + 1.0).sqrt())
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        let (sigma, _) = self.sigmas(step_index)?;
        Ok((original + noise.affine(f64::from(sigma), 0.0)?)?)
    }

    fn clean(&self, latents: &Tensor, model_output: &Tensor, step_index: usize) -> Result<Tensor> {
        let (sigma, _) = self.sigmas(step_index)?;
        self.predict_original(latents, model_output, sigma)
    }
}

/// The derivative of the latents with respect to sigma.
pub(super) fn derivative(latents: &Tensor, original: &Tensor, sigma: f32) -> Result<Tensor> {
    divide(&(latents - original)?, sigma)
}

/// The latents after a step of `stretch` in sigma along a derivative.
pub(super) fn advance(latents: &Tensor, derivative: &Tensor, stretch: f32) -> Result<Tensor> {
    Ok((latents + derivative.affine(f64::from(stretch), 0.0)?)?)
}
