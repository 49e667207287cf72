//! The diffusion exponential integrator sampler in its log-rho form, orders 1 to 3. History: the noise predictions of the last steps.
//! Reference: diffusers' `scheduling_deis_multistep.py`; Zhang and Chen 2022.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::SchedulerConfig,
    latents::{Bound, combine},
    numpy::ln_f32,
    sigmas::{SmallestSigma, solver_levels},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DeisMultistepScheduler {
    run: VariancePreserving,
    /// One more than there are timesteps.
    sigmas: Vec<f32>,
    solver_order: usize,
    lower_order_final: bool,
    bound: Bound,
    /// Newest first.
    outputs: VecDeque<Tensor>,
}

impl DeisMultistepScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let levels = solver_levels(config, steps, SmallestSigma::Repeated, true);
        Ok(Self {
            lower_order_final: config.lower_order_final && levels.timesteps.len() < 15,
            run: VariancePreserving::from_sigmas(config, &levels),
            sigmas: levels.sigmas,
            solver_order: config.solver_order,
            bound: config.bound,
            outputs: VecDeque::new(),
        })
    }

    /// The noise-to-signal ratio of a level with f32's rounding of both, and its logarithm.
    fn rho(&self, step_index: usize) -> Result<(f32, f32)> {
        let sigma = at(&self.sigmas, step_index)?;
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        let rho = sigma * alpha / alpha;
        Ok((rho, ln_f32(rho)))
    }
}

/// The antiderivative at t of (log t - log c) / (log b - log c); in f32, because differences of it keep its rounding.
fn second_order((t, ln_t): (f32, f32), (_, ln_b): (f32, f32), (_, ln_c): (f32, f32)) -> f32 {
    t * (-ln_c + ln_t - 1.0) / (ln_b - ln_c)
}

/// The antiderivative at t of (log t - log c) (log t - log d) / ((log b - log c) (log b - log d)).
fn third_order((t, ln_t): (f32, f32), (_, ln_b): (f32, f32), (_, ln_c): (f32, f32), (_, ln_d): (f32, f32)) -> f32 {
    let numerator = t * (ln_c * (ln_d - ln_t + 1.0) - ln_d * ln_t + ln_d + ln_t * ln_t - 2.0 * ln_t + 2.0);
    numerator / ((ln_b - ln_c) * (ln_b - ln_d))
}

impl Scheduler for DeisMultistepScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let (from, to) = self.run.ends(step_index)?;
        let original = self.bound.apply(from.predict_original(self.run.prediction, latents, model_output)?)?;
        self.outputs.push_front(combine(&[(1.0 / from.sigma, latents), (-from.alpha / from.sigma, &original)])?);
        self.outputs.truncate(self.solver_order);

        let order = match self.run.timesteps.len() - step_index {
            1 if self.lower_order_final => 1,
            2 if self.lower_order_final => 2,
            _ => self.solver_order,
        };
        let outputs: Vec<&Tensor> = self.outputs.iter().take(order).collect();
        let mut terms = vec![(to.alpha / from.alpha, latents)];
        let mut push = |weight: f32, output| terms.push((to.alpha * f64::from(weight), output));
        match outputs.as_slice() {
            [] => {}
            [m0] => terms.push((-to.sigma * ((to.lambda() - from.lambda()).exp() - 1.0), *m0)),
            [m0, m1] => {
                let (t, s0, s1) = (self.rho(step_index + 1)?, self.rho(step_index)?, self.rho(step_index - 1)?);
                push(second_order(t, s0, s1) - second_order(s0, s0, s1), *m0);
                push(second_order(t, s1, s0) - second_order(s0, s1, s0), *m1);
            }
            [m0, m1, m2, ..] => {
                let (t, s0) = (self.rho(step_index + 1)?, self.rho(step_index)?);
                let (s1, s2) = (self.rho(step_index - 1)?, self.rho(step_index - 2)?);
                push(third_order(t, s0, s1, s2) - third_order(s0, s0, s1, s2), *m0);
                push(third_order(t, s1, s2, s0) - third_order(s0, s1, s2, s0), *m1);
                push(third_order(t, s2, s0, s1) - third_order(s0, s2, s0, s1), *m2);
            }
        }
        combine(&terms)
    }
}
