//! The common part of the schedulers whose latents keep their variance: latents = alpha * clean + sigma * noise with alpha^2 + sigma^2 = 1.
//! The model takes such latents unscaled, and the initial ones are plain noise.
//!
//! This module must not depend on how any of them steps. Invariant: there is a level for each timestep, plus one more if the last step has
//! its own end level. Reference: Song et al. 2020, arXiv 2011.13456, section 3.4; `add_noise` of diffusers' scheduler classes.

use candle_core::Tensor;

use super::{
    Run, at,
    config::{PredictionType, SchedulerConfig},
    latents::Level,
    sigmas::{Levels, NoiseSchedule},
};
use crate::Result;

/// A run's timesteps and levels, and the model's prediction type.
#[derive(Debug)]
pub(super) struct VariancePreserving {
    pub(super) timesteps: Vec<f64>,
    pub(super) levels: Vec<Level>,
    pub(super) prediction: PredictionType,
}

impl VariancePreserving {
    /// The run of a class that steps in alphas_cumprod: as many levels as timesteps.
    pub(super) fn from_schedule(config: &SchedulerConfig, schedule: &NoiseSchedule, timesteps: Vec<f64>) -> Result<Self> {
        let level = |&t: &f64| Ok(Level::from_alpha_cumprod(schedule.at(t as i64)?));
        Ok(Self { levels: timesteps.iter().map(level).collect::<Result<_>>()?, timesteps, prediction: config.prediction_type })
    }

    /// The run of a class that steps in sigmas: one more level than timesteps.
    pub(super) fn from_sigmas(config: &SchedulerConfig, levels: &Levels) -> Self {
        Self {
            timesteps: levels.timesteps.clone(),
            levels: levels.sigmas.iter().copied().map(Level::from_sigma).collect(),
            prediction: config.prediction_type,
        }
    }

    /// The level of the model call at a step.
    pub(super) fn level(&self, step_index: usize) -> Result<Level> {
        at(&self.timesteps, step_index)?;
        at(&self.levels, step_index)
    }

    /// The levels before and after a step of a class that steps in sigmas.
    pub(super) fn ends(&self, step_index: usize) -> Result<(Level, Level)> {
        Ok((self.level(step_index)?, at(&self.levels, step_index + 1)?))
    }
}

impl Run for VariancePreserving {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    fn scale_model_input(&self, latents: &Tensor, step_index: usize) -> Result<Tensor> {
        at(&self.timesteps, step_index)?;
        Ok(latents.clone())
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        self.level(step_index)?.add_noise(original, noise)
    }

    fn clean(&self, latents: &Tensor, model_output: &Tensor, step_index: usize) -> Result<Tensor> {
        self.level(step_index)?.predict_original(self.prediction, latents, model_output)
    }
}
