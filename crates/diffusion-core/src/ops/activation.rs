//! Pointwise activations, and the gated one of transformer blocks.
//!
//! "gelu" is the exact one (erf) here, as in torch and transformers; computed in f32, rounded once.

use candle_core::Tensor;

use super::{cpu, execution, portable};
use crate::{Error, Result};

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
    /// Applies it to every element.
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

/// [.., 2 n], a value half and a gate half, to [.., n]: value * gelu(gate), the exact gelu. Follows diffusers' GEGLU.
///
/// # Errors
/// [`Error::Shape`] if the last dimension is odd.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let width = match dims.last_mut() {
        Some(last) if last.is_multiple_of(2) && *last > 0 => {
            *last /= 2;
            *last
        }
        _ => return Err(Error::Shape { what: "input of GEGLU", expected: "[.., an even number]".into(), found: x.dims().to_vec() }),
    };
    let rows = x.contiguous()?.reshape(((), 2 * width))?;
    let run = if execution::is_cpu(x.device()) { cpu::geglu } else { portable::geglu };
    Ok(run(&rows)?.reshape(dims)?)
}
