//! A weight matrix packed once at load into what the device's matrix product wants.
//!
//! Every layer that multiplies (linear, 1x1 convolution, k x k convolution) holds one of these. The invariant: [inputs, outputs],
//! contiguous, so that rows of activations multiply it from the left as they lie; on the CPU the values are f32 (rounded to the
//! model's precision first), for the CPU multiplies in f32 and would otherwise widen the weights at every call.

use candle_core::{DType, Tensor};

use super::cpu;
use crate::{Result, weights::ComponentWeights};

/// A packed weight matrix with its optional bias.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    /// [inputs, outputs].
    pub(super) weight: Tensor,
    /// [outputs].
    pub(super) bias: Option<Tensor>,
}

impl Matrix {
    /// Packs a weight that comes as [outputs, inputs, taps]; the rows of the matrix are in the order tap, input.
    pub(super) fn pack(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let (outputs, inputs, taps) = weight.dims3()?;
        let weight = if weight.device().is_cpu() {
            cpu::pack(&for_device(weight.contiguous()?)?)?
        } else {
            weight.permute((2, 1, 0))?.contiguous()?.reshape((taps * inputs, outputs))?
        };
        Ok(Self { weight, bias: bias.map(for_device).transpose()? })
    }

    /// Reads `bias` of `outputs` elements if the layer has one.
    pub(super) fn load_bias(weights: &ComponentWeights, outputs: usize, has_bias: bool) -> Result<Option<Tensor>> {
        if has_bias { weights.get(outputs, "bias").map(Some) } else { Ok(None) }
    }

    pub(super) fn inputs(&self) -> usize {
        self.weight.dims().first().copied().unwrap_or(0)
    }

    pub(super) fn outputs(&self) -> usize {
        self.weight.dims().get(1).copied().unwrap_or(0)
    }
}

/// On the CPU weights are kept in f32, elsewhere in the model's precision.
pub(super) fn for_device(tensor: Tensor) -> Result<Tensor> {
    Ok(if tensor.device().is_cpu() { tensor.to_dtype(DType::F32)? } else { tensor })
}
