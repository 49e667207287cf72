//! Euler's method over sigmas (Karras et al. 2022, algorithm 2 without churn). Keeps no history. Reference: diffusers'
//! `scheduling_euler_discrete.py`.

use candle_core::Tensor;

use super::{
    Run, Scheduler,
    config::{PredictionType, SchedulerConfig},
    discrete::{Discrete, advance, derivative},
    sigmas::discrete_levels,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct EulerDiscreteScheduler {
    run: Discrete,
}

impl EulerDiscreteScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let mut levels = discrete_levels(config, steps);
        if config.continuous_timesteps && config.prediction_type == PredictionType::VPrediction {
            // The timestep of a model trained on continuous noise levels (Stable Video Diffusion).
            let timestep = |&sigma: &f32| 0.25 * f64::from(f64::from(sigma).ln() as f32);
            levels.timesteps = levels.sigmas.iter().take(levels.timesteps.len()).map(timestep).collect();
        }
        Ok(Self { run: Discrete::new(config, levels) })
    }
}

impl Scheduler for EulerDiscreteScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let (sigma, next) = self.run.sigmas(step_index)?;
        let original = self.run.predict_original(latents, model_output, sigma)?;
        advance(latents, &derivative(latents, &original, sigma)?, next - sigma)
    }
}
