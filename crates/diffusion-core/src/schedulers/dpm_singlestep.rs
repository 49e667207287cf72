//! The single-step DPM solvers of orders 1 to 3: series of steps of rising order that all start from the series' first latents. History:
//! the converted outputs of the last steps and the latents of the last first-order step. Reference: diffusers'
//! `scheduling_dpmsolver_singlestep.py`.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{
    Run, Scheduler, at,
    config::{FinalSigma, SchedulerConfig, SolverType},
    dpm_coefficients::{Conversion, DpmCoefficients},
    latents::{Level, combine, randn_like},
    sigmas::{SmallestSigma, solver_levels},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct DpmSolverSinglestepScheduler {
    run: VariancePreserving,
    orders: Vec<usize>,
    conversion: Conversion,
    solver_type: SolverType,
    solver_order: usize,
    /// Newest first.
    outputs: VecDeque<Tensor>,
    first: Option<Tensor>,
}

impl DpmSolverSinglestepScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        Ok(Self {
            run: VariancePreserving::from_sigmas(config, &solver_levels(config, steps, SmallestSigma::Trained, true)),
            orders: orders(config, steps),
            conversion: Conversion { algorithm: config.algorithm, prediction: config.prediction_type, bound: config.bound },
            solver_type: config.solver_type,
            solver_order: config.solver_order,
            outputs: VecDeque::new(),
            first: None,
        })
    }
}

/// The order of each step: 1, 2, .. repeatedly, with a low order at the end if the last series is incomplete or the last sigma is zero.
fn orders(config: &SchedulerConfig, steps: usize) -> Vec<usize> {
    let order = config.solver_order;
    let zero = config.final_sigma == FinalSigma::Zero;
    let mut orders: Vec<usize> = (0..steps).map(|step| step % order + 1).collect();
    // An incomplete last series has a low order by itself.
    let lowered = zero || (config.lower_order_final && steps.is_multiple_of(order));
    if let (true, Some(last)) = (lowered, orders.last_mut()) {
        *last = 1;
    }
    orders
}

impl Scheduler for DpmSolverSinglestepScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let order = at(&self.orders, step_index)?;
        let (level, to) = self.run.ends(step_index)?;
        self.outputs.push_front(self.conversion.convert(level, latents, model_output)?);
        self.outputs.truncate(self.solver_order);
        // A late start may fall into the middle of a series; diffusers then lowers the order.
        let order = order.min(self.outputs.len());
        if order == 1 {
            self.first = Some(latents.clone());
        }
        // The step starts where the series started, `order - 1` steps ago.
        let from = self.run.level(step_index + 1 - order)?;
        let first = self.first.as_ref().unwrap_or(latents);
        let c = DpmCoefficients::new(self.conversion.algorithm, self.solver_type, from, to);
        let mut terms = vec![(c.latents, first)];
        let ratio = |level: Level| (level.lambda() - from.lambda()) / (to.lambda() - from.lambda());
        let outputs: Vec<&Tensor> = self.outputs.iter().take(order).collect();
        match outputs.as_slice() {
            [] => {}
            [m0] => terms.push((c.value, m0)),
            [m0, m1] => {
                let slope = c.second_order_slope / ratio(level);
                terms.extend([(slope, *m0), (c.value - slope, *m1)]);
            }
            [m0, m1, m2, ..] => {
                let (r0, r1) = (ratio(level), ratio(self.run.level(step_index - 1)?));
                // near = (m1 - m2) / r1, far = (m0 - m2) / r0; the midpoint form uses only far.
                let (near, far) = if self.solver_type == SolverType::Heun {
                    let near = (c.slope * r0 - 2.0 * c.curvature) / (r0 - r1) / r1;
                    (near, (2.0 * c.curvature - c.slope * r1) / (r0 - r1) / r0)
                } else {
                    (0.0, c.slope / r0)
                };
                terms.extend([(far, *m0), (near, *m1), (c.value - near - far, *m2)]);
            }
        }
        let drawn = if self.conversion.algorithm.is_stochastic() { Some(randn_like(latents, noise)?) } else { None };
        terms.extend(drawn.as_ref().map(|drawn| (c.noise, drawn)));
        combine(&terms)
    }
}
