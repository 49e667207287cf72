//! Pointwise activations.
//!
//! "gelu" is the exact one (erf), as in torch and transformers. All are computed in f32 and rounded once.

use candle_core::Tensor;

use super::{cpu, execution, portable};
use crate::Result;

/// A pointwise activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x * sigmoid(x), also called swish.
    Silu,
    /// x * Phi(x) with the exact normal distribution function.
    Gelu,
    /// x * sigmoid(1.702 x), as OpenAI trained CLIP.
    QuickGelu,
}

impl Activation {
    /// Applies the activation to every element.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        let run = if execution::is_cpu(x.device()) { cpu::activation } else { portable::activation };
        run(&x.contiguous()?, self)
    }
}

/// x * sigmoid(x).
///
/// # Errors
/// Only if the device fails.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    Activation::Silu.forward(x)
}
