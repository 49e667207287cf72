//! Latent consistency models: each step jumps to the clean latents, then, except for the last, back to the next level with fresh noise.
//! Keeps no history. Reference: diffusers' `scheduling_lcm.py`; Luo et al. 2023.

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    latents::{Bound, combine, randn_like},
    sigmas::NoiseSchedule,
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct LcmScheduler {
    run: VariancePreserving,
    bound: Bound,
    timestep_scaling: f64,
}

/// The standard deviation of the clean latents that the boundary condition assumes.
const SIGMA_DATA: f64 = 0.5;

impl LcmScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let schedule = NoiseSchedule::new(config);
        let run = VariancePreserving::from_schedule(config, &schedule, distilled_timesteps(config, steps))?;
        Ok(Self { run, bound: config.bound, timestep_scaling: config.timestep_scaling })
    }
}

/// `steps` of the `original_inference_steps` timesteps that a consistency model was distilled on, evenly spaced and falling from the last.
pub(super) fn distilled_timesteps(config: &SchedulerConfig, steps: usize) -> Vec<f64> {
    let original = config.original_inference_steps;
    let ratio = config.num_train_timesteps / original;
    let stride = original as f64 / steps as f64;
    (0..steps).map(|index| ((original - (index as f64 * stride).floor() as usize) * ratio) as f64 - 1.0).collect()
}

impl Scheduler for LcmScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let level = self.run.level(step_index)?;
        let original = self.bound.apply(level.predict_original(self.run.prediction, latents, model_output)?)?;
        let scaled = at(&self.run.timesteps, step_index)? * self.timestep_scaling;
        let power = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        let (skip, out) = (SIGMA_DATA * SIGMA_DATA / power, scaled / power.sqrt());
        match self.run.levels.get(step_index + 1) {
            Some(next) => {
                let noise = randn_like(latents, noise)?;
                combine(&[(next.alpha * out, &original), (next.alpha * skip, latents), (next.sigma, &noise)])
            }
            None => combine(&[(out, &original), (skip, latents)]),
        }
    }
}
