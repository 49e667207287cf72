//! The linear multistep method of order 4 over sigmas: derivatives of the last steps, weighted by the integrals of their Lagrange
//! polynomials. History: up to four derivatives. Reference: diffusers' `scheduling_lms_discrete.py`, after k-diffusion's `sample_lms`.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    discrete::{Discrete, derivative},
    latents::combine,
    sigmas::discrete_levels,
};
use crate::{Result, noise::SeededNoise};

const ORDER: usize = 4;

pub(super) struct LmsDiscreteScheduler {
    run: Discrete,
    /// Newest first.
    derivatives: VecDeque<Tensor>,
}

impl LmsDiscreteScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        Ok(Self { run: Discrete::new(config, discrete_levels(config, steps)), derivatives: VecDeque::new() })
    }

    /// The integral over the step of the Lagrange polynomial that is 1 at the sigma of `current` steps ago and 0 at the other `order - 1`.
    fn coefficient(&self, step_index: usize, order: usize, current: usize) -> Result<f64> {
        let sigma = |index: usize| at(&self.run.levels.sigmas, index).map(f64::from);
        let (start, end) = (sigma(step_index)?, sigma(step_index + 1)?);
        let node = sigma(step_index - current)?;
        let others: Vec<f64> = (0..order).filter(|&k| k != current).map(|k| sigma(step_index - k)).collect::<Result<_>>()?;
        let polynomial = |tau: f64| others.iter().map(|other| (tau - other) / (node - other)).product::<f64>();
        // Two-point Gauss-Legendre quadrature is exact for polynomials up to the third degree.
        let (middle, half) = ((start + end) / 2.0, (end - start) / 2.0);
        let offset = half / 3_f64.sqrt();
        Ok(half * (polynomial(middle - offset) + polynomial(middle + offset)))
    }
}

impl Scheduler for LmsDiscreteScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let (sigma, _) = self.run.sigmas(step_index)?;
        let original = self.run.predict_original(latents, model_output, sigma)?;
        self.derivatives.push_front(derivative(latents, &original, sigma)?);
        self.derivatives.truncate(ORDER);
        // After a late start the order follows the step index, as if the missing derivatives were zero, as in diffusers.
        let order = ORDER.min(step_index + 1);
        let mut terms = vec![(1.0, latents)];
        for (current, slope) in self.derivatives.iter().take(order).enumerate() {
            terms.push((self.coefficient(step_index, order, current)?, slope));
        }
        combine(&terms)
    }
}
