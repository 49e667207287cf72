//! The unified predictor-corrector of orders 1 to 3: each step first corrects the previous one with the new output, then predicts. History:
//! converted outputs, the previous step's start and order. Reference: diffusers' `scheduling_unipc_multistep.py`; Zhao et al. 2023.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{
    Run, Scheduler,
    config::{DpmAlgorithm, SchedulerConfig, SolverType},
    dpm_coefficients::Conversion,
    latents::combine,
    sigmas::{SmallestSigma, solver_levels},
    variance_preserving::VariancePreserving,
};
use crate::{Result, noise::SeededNoise};

pub(super) struct UniPcMultistepScheduler {
    run: VariancePreserving,
    conversion: Conversion,
    predict_x0: bool,
    solver_type: SolverType,
    solver_order: usize,
    lower_order_final: bool,
    disable_corrector: Vec<usize>,
    /// Newest first.
    outputs: VecDeque<Tensor>,
    last: Option<LastStep>,
    /// Steps completed so far, up to the solver's order.
    warm: usize,
}

struct LastStep {
    latents: Tensor,
    order: usize,
}

/// The coefficients of one update from a level to another.
struct Update {
    latents: f64,
    value: f64,
    /// The factor of the weighted differences.
    differences: f64,
    /// Positions of the earlier outputs, newest first; the step's end is 1.
    ratios: Vec<f64>,
    /// The right-hand side of the equations for the weights.
    moments: Vec<f64>,
}

impl UniPcMultistepScheduler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self> {
        Ok(Self {
            run: VariancePreserving::from_sigmas(config, &solver_levels(config, steps, SmallestSigma::Repeated, true)),
            conversion: Conversion {
                algorithm: if config.predict_x0 { DpmAlgorithm::DpmPlusPlus } else { DpmAlgorithm::Dpm },
                prediction: config.prediction_type,
                bound: config.bound,
            },
            predict_x0: config.predict_x0,
            solver_type: config.solver_type,
            solver_order: config.solver_order,
            lower_order_final: config.lower_order_final,
            disable_corrector: config.disable_corrector.clone(),
            outputs: VecDeque::new(),
            last: None,
            warm: 0,
        })
    }

    /// The update of `order` from level `from` to the next one.
    fn update(&self, from: usize, order: usize) -> Result<Update> {
        let (start, end) = self.run.ends(from)?;
        let h = end.lambda() - start.lambda();
        let ratio = |back: usize| Ok((self.run.level(from - back)?.lambda() - start.lambda()) / h);
        let mut ratios = (1..order).map(ratio).collect::<Result<Vec<f64>>>()?;
        ratios.push(1.0);
        let hh = if self.predict_x0 { -h } else { h };
        let growth = hh.exp_m1();
        let b_h = if self.solver_type == SolverType::Bh1 { hh } else { growth };
        let mut phi = growth / hh - 1.0;
        let mut factorial = 1.0;
        let mut moments = Vec::with_capacity(order);
        for power in 1..=order {
            moments.push(phi * factorial / b_h);
            factorial *= (power + 1) as f64;
            phi = phi / hh - 1.0 / factorial;
        }
        let (scale, latents) = if self.predict_x0 { (end.alpha, end.sigma / start.sigma) } else { (end.sigma, end.alpha / start.alpha) };
        Ok(Update { latents, value: -scale * growth, differences: -scale * b_h, ratios, moments })
    }

    /// Corrects the start of this step with the model's output there.
    fn correct(&self, converted: &Tensor, step_index: usize, last: &LastStep) -> Result<Tensor> {
        let update = self.update(step_index - 1, last.order)?;
        let weights = if last.order == 1 { vec![0.5] } else { update.solve(last.order) };
        update.apply(&last.latents, &self.outputs, &weights, Some(converted))
    }

    fn predict(&self, latents: &Tensor, step_index: usize, order: usize) -> Result<Tensor> {
        let update = self.update(step_index, order)?;
        let weights = match order {
            1 => Vec::new(),
            2 => vec![0.5],
            _ => update.solve(order - 1),
        };
        update.apply(latents, &self.outputs, &weights, None)
    }
}

impl Update {
    /// The weights w for which the sums of w_k ratio_k^i, for i from 0, equal the first moments.
    fn solve(&self, count: usize) -> Vec<f64> {
        let mut rows: Vec<Vec<f64>> = self
            .moments
            .iter()
            .take(count)
            .enumerate()
            .map(|(power, &moment)| {
                let mut row: Vec<f64> = self.ratios.iter().take(count).map(|ratio| ratio.powi(power as i32)).collect();
                row.push(moment);
                row
            })
            .collect();
        // Gauss-Jordan elimination with partial pivoting, which suffices for a Vandermonde matrix of distinct ratios.
        for column in 0..count {
            let pivot = (column..count).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs())).unwrap_or(column);
            rows.swap(column, pivot);
            let pivot_row = rows[column].clone();
            for (index, row) in rows.iter_mut().enumerate() {
                let factor = if index == column { 0.0 } else { row[column] / pivot_row[column] };
                row.iter_mut().zip(&pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        rows.iter().enumerate().map(|(index, row)| row[count] / row[index]).collect()
    }

    /// Advances latents to the update's end. `weights` apply to the differences of the earlier outputs from the newest one and, last, to
    /// that of the output at the end, if it is known.
    fn apply(&self, latents: &Tensor, outputs: &VecDeque<Tensor>, weights: &[f64], end: Option<&Tensor>) -> Result<Tensor> {
        let Some(newest) = outputs.front() else { return Ok(latents.clone()) };
        let mut terms = vec![(self.latents, latents)];
        let mut value = self.value;
        let earlier = outputs.iter().skip(1).take(self.ratios.len() - 1).zip(&self.ratios).map(|(output, ratio)| (output, *ratio));
        for ((output, ratio), weight) in earlier.chain(end.map(|output| (output, 1.0))).zip(weights) {
            let factor = self.differences * weight / ratio;
            terms.push((factor, output));
            value -= factor;
        }
        terms.push((value, newest));
        combine(&terms)
    }
}

impl Scheduler for UniPcMultistepScheduler {
    fn run(&self) -> &dyn Run {
        &self.run
    }

    fn step(&mut self, model_output: &Tensor, step_index: usize, latents: &Tensor, _: &mut SeededNoise) -> Result<Tensor> {
        let converted = self.conversion.convert(self.run.level(step_index)?, latents, model_output)?;
        let mut latents = latents.clone();
        if let (Some(last), Some(before)) = (&self.last, step_index.checked_sub(1))
            && !self.disable_corrector.contains(&before)
        {
            latents = self.correct(&converted, step_index, last)?;
        }
        self.outputs.push_front(converted);
        self.outputs.truncate(self.solver_order);
        let left = if self.lower_order_final { self.run.timesteps.len() - step_index } else { self.solver_order };
        let order = self.solver_order.min(left).min(self.warm + 1);
        self.warm = self.solver_order.min(self.warm + 1);
        let prev = self.predict(&latents, step_index, order)?;
        self.last = Some(LastStep { latents, order });
        Ok(prev)
    }
}
