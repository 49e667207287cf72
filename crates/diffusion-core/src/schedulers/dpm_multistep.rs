//! The multistep DPM solvers of orders 1 to 3, deterministic (dpmpp-2m) and stochastic (dpmpp-2m-sde), the latter with noise at every step.
//! History: the converted outputs of the last steps. Reference: diffusers' `scheduling_dpmsolver_multistep.py`.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{
    Run, Scheduler,
    config::{FinalSigma, SchedulerConfig, SolverType},
    dpm_coefficients::{Conversion, DpmCoefficients},
    latents::{combine, randn_like},
    sigmas::{SmallestSigma, solver_levels},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DpmSolverMultistepScheduler {
    run: VariancePreserving,
    conversion: Conversion,
    solver_type: SolverType,
    solver_order: usize,
    /// Whether the last step has order 1.
    euler_at_final: bool,
    /// Whether the second to last step has order 2 at most.
    lower_order_second: bool,
    /// Newest first.
    outputs: VecDeque<Tensor>,
}

impl DpmSolverMultistepScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        let levels = solver_levels(config, steps, SmallestSigma::Trained, !config.is_cosine);
        let few = config.lower_order_final && levels.timesteps.len() < 15;
        Ok(Self {
            run: VariancePreserving::from_sigmas(config, &levels),
            conversion: Conversion { algorithm: config.algorithm, prediction: config.prediction_type, bound: config.bound },
            solver_type: config.solver_type,
            solver_order: config.solver_order,
            euler_at_final: config.euler_at_final || few || config.final_sigma == FinalSigma::Zero,
            lower_order_second: few,
            outputs: VecDeque::new(),
        })
    }

    fn lambda(&self, step_index: usize) -> Result<f64> {
        Ok(self.run.level(step_index)?.lambda())
    }
}

impl Scheduler for DpmSolverMultistepScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let (from, to) = self.run.ends(step_index)?;
        let left = self.run.timesteps.len() - step_index;
        self.outputs.push_front(self.conversion.convert(from, latents, model_output)?);
        self.outputs.truncate(self.solver_order);

        let c = DpmCoefficients::new(self.conversion.algorithm, self.solver_type, from, to);
        let order = match left {
            1 if self.euler_at_final => 1,
            2 if self.lower_order_second => 2,
            _ => self.solver_order,
        };
        let outputs: Vec<&Tensor> = self.outputs.iter().take(order).collect();
        let mut terms = vec![(c.latents, latents)];
        match outputs.as_slice() {
            [] => {}
            [m0] => terms.push((c.value, m0)),
            [m0, m1] => {
                let r0 = (self.lambda(step_index)? - self.lambda(step_index - 1)?) / (to.lambda() - from.lambda());
                let slope = c.second_order_slope / r0;
                terms.extend([(c.value + slope, *m0), (-slope, *m1)]);
            }
            [m0, m1, m2, ..] => {
                let h = to.lambda() - from.lambda();
                let r0 = (self.lambda(step_index)? - self.lambda(step_index - 1)?) / h;
                let r1 = (self.lambda(step_index - 1)? - self.lambda(step_index - 2)?) / h;
                // D1 = near + r0 / (r0 + r1) (near - far), D2 = (near - far) / (r0 + r1), near = (m0 - m1) / r0, far = (m1 - m2) / r1.
                let bend = (c.slope * r0 + c.curvature) / (r0 + r1);
                let (near, far) = ((c.slope + bend) / r0, -bend / r1);
                terms.extend([(c.value + near, *m0), (far - near, *m1), (-far, *m2)]);
            }
        }
        let drawn = if self.conversion.algorithm.is_stochastic() { Some(randn_like(latents, noise)?) } else { None };
        terms.extend(drawn.as_ref().map(|drawn| (c.noise, drawn)));
        combine(&terms)
    }
}
