//! Heun's method over sigmas: each step but the last calls the model twice, at its start and at its end, and moves along the mean
//! derivative. History: the first call's derivative, stretch and latents, until the second call. Reference: diffusers'
//! `scheduling_heun_discrete.py`, after Karras et al. 2022, algorithm 1.

use candle_core::Tensor;

use super::{
    Run, Scheduler,
    config::SchedulerConfig,
    discrete::{Discrete, advance, derivative},
    latents::{Bound, divide},
    sigmas::discrete_levels,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct HeunDiscreteScheduler {
    run: Discrete,
    bound: Bound,
    first: Option<FirstCall>,
}

struct FirstCall {
    derivative: Tensor,
    stretch: f32,
    latents: Tensor,
}

impl HeunDiscreteScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let mut levels = discrete_levels(config, steps);
        // Every level but the first is visited twice, as the end of one step and the start of the next; the last sigma is not a level.
        let twice = |index: usize| if index == 0 { 1 } else { 2 };
        levels.timesteps = levels.timesteps.iter().enumerate().flat_map(|(index, &t)| std::iter::repeat_n(t, twice(index))).collect();
        let last = levels.sigmas.pop();
        levels.sigmas = levels.sigmas.iter().enumerate().flat_map(|(index, &sigma)| std::iter::repeat_n(sigma, twice(index))).collect();
        levels.sigmas.extend(last);
        Ok(Self { run: Discrete::new(config, levels), bound: config.bound, first: None })
    }
}

impl Scheduler for HeunDiscreteScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn order(&self) -> usize {
        2
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let (sigma, next) = self.run.sigmas(step_index)?;
        let original = self.bound.apply(self.run.predict_original(latents, model_output, sigma)?)?;
        let slope = derivative(latents, &original, sigma)?;
        match self.first.take() {
            None => {
                let stretch = next - sigma;
                let prev = advance(latents, &slope, stretch)?;
                self.first = Some(FirstCall { derivative: slope, stretch, latents: latents.clone() });
                Ok(prev)
            }
            Some(first) => advance(&first.latents, &divide(&(first.derivative + slope)?, 2.0)?, first.stretch),
        }
    }
}
