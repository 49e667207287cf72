//! Euler's method that steps below the next sigma and returns to it with fresh noise. Keeps no history; draws noise at every step.
//! Reference: diffusers' `scheduling_euler_ancestral_discrete.py`, after k-diffusion's `sample_euler_ancestral`, whose `eta` diffusers
//! lacks.

use candle_core::Tensor;

use super::{
    Run, Scheduler,
    config::SchedulerConfig,
    discrete::{Discrete, advance, derivative},
    latents::randn_like,
    sigmas::discrete_levels,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct EulerAncestralDiscreteScheduler {
    run: Discrete,
    eta: f32,
}

impl EulerAncestralDiscreteScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        Ok(Self { run: Discrete::new(config, discrete_levels(config, steps)), eta: config.eta as f32 })
    }
}

impl Scheduler for EulerAncestralDiscreteScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let (from, to) = self.run.sigmas(step_index)?;
        let original = self.run.predict_original(latents, model_output, from)?;
        // In f32 and in this order, because the difference of nearly equal squares keeps the rounding of both.
        let up = self.eta * (to * to * (from * from - to * to) / (from * from)).sqrt();
        let down = (to * to - up * up).sqrt();
        let prev = advance(latents, &derivative(latents, &original, from)?, down - from)?;
        advance(&prev, &randn_like(latents, noise)?, up)
    }
}
