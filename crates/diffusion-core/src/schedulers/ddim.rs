//! Denoising diffusion implicit models without added noise (eta 0). Holds no history; draws nothing.
//! Reference: diffusers' `scheduling_ddim.py`; Song et al. 2020, equation 12.

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    latents::{Bound, Level, combine},
    sigmas::{NoiseSchedule, spaced_timesteps},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DdimScheduler {
    run: VariancePreserving,
    /// The level that each step leads to.
    prev: Vec<Level>,
    bound: Bound,
}

impl DdimScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let timesteps = spaced_timesteps(config, steps, true);
        let ratio = (config.num_train_timesteps / steps) as i64;
        let prev = |t: &f64| {
            let prev = *t as i64 - ratio;
            let prev = if prev < 0 { final_alpha_cumprod(config, &schedule)? } else { schedule.at(prev)? };
            Ok(Level::from_alpha_cumprod(prev))
        };
        let prev = timesteps.iter().map(prev).collect::<Result<_>>()?;
        let run = VariancePreserving::from_schedule(config, &schedule, timesteps)?;
        Ok(Self { run, prev, bound: config.bound })
    }
}

/// What stands for alphas_cumprod before timestep 0.
pub(super) fn final_alpha_cumprod(config: &SchedulerConfig, schedule: &NoiseSchedule) -> Result<f32> {
    if config.set_alpha_to_one { Ok(1.0) } else { schedule.at(0) }
}

impl Scheduler for DdimScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let (level, prev) = (self.run.level(step_index)?, at(&self.prev, step_index)?);
        // Diffusers derives the noise from the unbounded prediction.
        let epsilon = level.predict_epsilon(self.run.prediction, latents, model_output)?;
        let original = self.bound.apply(level.predict_original(self.run.prediction, latents, model_output)?)?;
        combine(&[(prev.alpha, &original), (prev.sigma, &epsilon)])
    }
}
