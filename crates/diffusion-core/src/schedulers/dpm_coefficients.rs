//! The coefficients that the multistep and the single-step DPM solvers share: exponential integrals over a step of lambda.
//!
//! This module must not depend on which outputs a solver keeps. Invariant: pure numbers in f64. Reference: diffusers'
//! `scheduling_dpmsolver_multistep.py` and `scheduling_dpmsolver_singlestep.py`; Lu et al. 2022, arXiv 2206.00927 (dpmsolver) and
//! 2211.01095 (dpmsolver++).

use candle_core::Tensor;

use super::{
    config::{DpmAlgorithm, PredictionType, SolverType},
    latents::{Bound, Level},
};
use crate::Result;

/// next = latents * L + D0 * (value) + D1 * (slope) + D2 * (curvature) + noise * (deviation), where the D are differences of predictions.
#[derive(Debug, Clone, Copy)]
pub(super) struct DpmCoefficients {
    pub(super) latents: f64,
    pub(super) value: f64,
    /// Coefficient of D1 in a second-order step, which has a midpoint form and Heun's.
    pub(super) second_order_slope: f64,
    /// Coefficient of D1 in a third-order step.
    pub(super) slope: f64,
    pub(super) curvature: f64,
    /// The standard deviation of the noise to add; 0 for the solvers of the ordinary differential equation.
    pub(super) noise: f64,
}

impl DpmCoefficients {
    /// A step from the level `from` to the level `to`.
    pub(super) fn new(algorithm: DpmAlgorithm, solver_type: SolverType, from: Level, to: Level) -> Self {
        let h = to.lambda() - from.lambda();
        // Each line is [latents, value, midpoint's slope, Heun's slope, curvature, noise].
        let [latents, value, midpoint, slope, curvature, noise] = match algorithm {
            DpmAlgorithm::DpmPlusPlus => {
                let growth = (-h).exp() - 1.0;
                let value = -to.alpha * growth;
                let curvature = -to.alpha * ((growth + h) / (h * h) - 0.5);
                [to.sigma / from.sigma, value, 0.5 * value, to.alpha * (growth / h + 1.0), curvature, 0.0]
            }
            DpmAlgorithm::Dpm => {
                let growth = h.exp() - 1.0;
                let value = -to.sigma * growth;
                let curvature = -to.sigma * ((growth - h) / (h * h) - 0.5);
                [to.alpha / from.alpha, value, 0.5 * value, -to.sigma * (growth / h - 1.0), curvature, 0.0]
            }
            DpmAlgorithm::SdeDpmPlusPlus => {
                let decay = 1.0 - (-2.0 * h).exp();
                let value = to.alpha * decay;
                let slope = to.alpha * (decay / (-2.0 * h) + 1.0);
                let curvature = to.alpha * ((decay - 2.0 * h) / (4.0 * h * h) - 0.5);
                [to.sigma / from.sigma * (-h).exp(), value, 0.5 * value, slope, curvature, to.sigma * decay.sqrt()]
            }
            DpmAlgorithm::SdeDpm => {
                let growth = h.exp() - 1.0;
                let value = -2.0 * to.sigma * growth;
                let noise = to.sigma * ((2.0 * h).exp() - 1.0).sqrt();
                [to.alpha / from.alpha, value, 0.5 * value, -2.0 * to.sigma * (growth / h - 1.0), f64::NAN, noise]
            }
        };
        let second_order_slope = if solver_type == SolverType::Heun { slope } else { midpoint };
        Self { latents, value, second_order_slope, slope, curvature, noise }
    }
}

/// Converts model outputs to the prediction that a solver of this algorithm keeps: of the clean latents or of the noise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    pub(super) algorithm: DpmAlgorithm,
    pub(super) prediction: PredictionType,
    pub(super) bound: Bound,
}

impl Conversion {
    /// The prediction for the model's output at a level.
    pub(super) fn convert(self, level: Level, latents: &Tensor, model_output: &Tensor) -> Result<Tensor> {
        let original = || self.bound.apply(level.predict_original(self.prediction, latents, model_output)?);
        match (self.algorithm.predicts_original(), self.bound) {
            (true, _) => original(),
            (false, Bound::None) => level.predict_epsilon(self.prediction, latents, model_output),
            (false, Bound::Clip(_) | Bound::Threshold { .. }) => level.predict_epsilon(PredictionType::Sample, latents, &original()?),
        }
    }
}
