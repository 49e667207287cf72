//! Denoising diffusion implicit models without added noise (eta 0). Holds no history; draws nothing.
//! Reference: diffusers' `scheduling_ddim.py`; Song et al. 2020, equation 12.

use candle_core::Tensor;

use super::{
    Scheduler, at,
    config::{PredictionType, SchedulerConfig},
    latents::{Level, clip, combine},
    sigmas::{NoiseSchedule, spaced_timesteps},
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DdimScheduler {
    timesteps: Vec<f64>,
    /// The level of each step and the one it leads to.
    levels: Vec<(Level, Level)>,
    prediction: PredictionType,
    clip_sample_range: Option<f64>,
}

impl DdimScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = spaced_timesteps(config, steps, true);
        let ratio = (config.num_train_timesteps / steps) as i64;
        let level = |t: &f64| {
            let (t, prev) = (*t as i64, *t as i64 - ratio);
            let prev = if prev < 0 { final_alpha_cumprod(config, &schedule)? } else { schedule.at(prev)? };
            Ok((Level::from_alpha_cumprod(schedule.at(t)?), Level::from_alpha_cumprod(prev)))
        };
        let levels = timesteps.iter().map(level).collect::<Result<_>>()?;
        Ok(Self { timesteps, levels, prediction: config.prediction_type, clip_sample_range: config.clip_sample_range })
    }
}

/// What stands for alphas_cumprod before timestep 0.
pub(super) fn final_alpha_cumprod(config: &SchedulerConfig, schedule: &NoiseSchedule) -> Result<f32> {
    if config.set_alpha_to_one { Ok(1.0) } else { schedule.at(0) }
}

impl Scheduler for DdimScheduler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, step_index: usize) -> Result<Tensor> {
        at(&self.levels, step_index)?.0.add_noise(original, noise)
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let (level, prev) = at(&self.levels, step_index)?;
        // Diffusers derives the noise from the unclipped prediction.
        let epsilon = level.predict_epsilon(self.prediction, latents, model_output)?;
        let original = clip(level.predict_original(self.prediction, latents, model_output)?, self.clip_sample_range)?;
        combine(&[(prev.alpha, &original), (prev.sigma, &epsilon)])
    }
}
