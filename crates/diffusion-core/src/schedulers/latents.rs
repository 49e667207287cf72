//! Arithmetic on latents, and the interpretation of a model's output as clean latents or noise.
//!
//! This module does not depend on noise schedules. Invariant: works on any device in the tensors' own type, which is f32; a coefficient is
//! rounded to that type when it is multiplied with a tensor, as in torch.

use candle_core::Tensor;

use super::config::PredictionType;
use crate::{Result, noise::SeededNoise};

/// The sum of coefficient times tensor over all terms; an error of the tensor library if there are none.
pub(super) fn combine(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for &(coefficient, tensor) in terms {
        let term = tensor.affine(coefficient, 0.0)?;
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a sum of no terms".to_owned()).into())
}

/// Divides a tensor by a number; multiplying with the reciprocal would round twice.
pub(super) fn divide(tensor: &Tensor, divisor: f32) -> Result<Tensor> {
    Ok(tensor.broadcast_div(&Tensor::new(divisor, tensor.device())?)?)
}

/// The next normal noise with the shape, the device and the type of these latents.
pub(super) fn randn_like(latents: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
    Ok(noise.randn(latents.dims())?.to_device(latents.device())?.to_dtype(latents.dtype())?)
}

/// How a prediction of the clean latents is bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    /// Unbounded.
    None,
    /// Clipped to the range from minus this to plus this.
    Clip(f64),
    /// Clipped to plus and minus the `ratio` quantile of an image's absolute values, limited to 1..=`max`, and divided by it (dynamic
    /// thresholding: Saharia et al. 2022, section 2.3).
    Threshold {
        /// The quantile, 0 to 1.
        ratio: f64,
        /// The largest bound, if over 1.
        max: f64,
    },
}

impl Bound {
    pub(super) fn apply(self, latents: Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(latents),
            Self::Clip(range) => Ok(latents.clamp(-range as f32, range as f32)?),
            Self::Threshold { ratio, max } => {
                let thresholded = |image: &Tensor| {
                    let size = quantile(image.abs()?.flatten_all()?.to_vec1::<f32>()?, ratio).max(1.0).min(max as f32);
                    divide(&image.clamp(-size, size)?, size)
                };
                let images = (0..latents.dim(0)?).map(|index| thresholded(&latents.narrow(0, index, 1)?)).collect::<Result<Vec<_>>>()?;
                Ok(Tensor::cat(&images, 0)?)
            }
        }
    }
}

/// `torch.quantile`: interpolates linearly between the two neighbouring values. Without values, 0.
fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let place = share as f32 * values.len().saturating_sub(1) as f32;
    let value = |place: f32| values.get(place as usize).copied().unwrap_or(0.0);
    let (low, high) = (value(place.floor()), value(place.ceil()));
    low + (high - low) * (place - place.floor())
}

/// A noise level: latents = alpha * clean + sigma * noise, with alpha^2 + sigma^2 = 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) alpha: f64,
    pub(super) sigma: f64,
}

impl Level {
    /// The level of an entry of alphas_cumprod.
    pub(super) fn from_alpha_cumprod(alpha_cumprod: f32) -> Self {
        // diffusers computes the complement in f32.
        Self { alpha: f64::from(alpha_cumprod).sqrt(), sigma: f64::from(1.0 - alpha_cumprod).sqrt() }
    }

    /// The level with a noise-to-signal ratio of `sigma`.
    pub(super) fn from_sigma(sigma: f32) -> Self {
        let sigma = f64::from(sigma);
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        Self { alpha, sigma: sigma * alpha }
    }

    /// Half the logarithm of the signal-to-noise power ratio; infinite without noise.
    pub(super) fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }

    /// Adds noise to clean latents up to this level.
    pub(super) fn add_noise(self, original: &Tensor, noise: &Tensor) -> Result<Tensor> {
        combine(&[(self.alpha, original), (self.sigma, noise)])
    }

    /// The clean latents that the model's output predicts.
    pub(super) fn predict_original(self, prediction: PredictionType, latents: &Tensor, model_output: &Tensor) -> Result<Tensor> {
        match prediction {
            PredictionType::Epsilon => combine(&[(1.0 / self.alpha, latents), (-self.sigma / self.alpha, model_output)]),
            PredictionType::VPrediction => combine(&[(self.alpha, latents), (-self.sigma, model_output)]),
            PredictionType::Sample => Ok(model_output.clone()),
        }
    }

    /// The noise that the model's output predicts.
    pub(super) fn predict_epsilon(self, prediction: PredictionType, latents: &Tensor, model_output: &Tensor) -> Result<Tensor> {
        match prediction {
            PredictionType::Epsilon => Ok(model_output.clone()),
            PredictionType::VPrediction => combine(&[(self.alpha, model_output), (self.sigma, latents)]),
            PredictionType::Sample => combine(&[(1.0 / self.sigma, latents), (-self.alpha / self.sigma, model_output)]),
        }
    }
}
