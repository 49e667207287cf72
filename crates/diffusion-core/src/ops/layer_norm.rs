//! Layer normalisation over the last dimension. Follows torch.nn.LayerNorm; statistics in f32.

use candle_core::{DType, Tensor};

use super::{cpu, execution, portable};
use crate::{Error, Result, weights::ComponentWeights};

/// Normalises each row to mean 0 and variance 1, then scales and shifts.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Reads `weight` and `bias`, [channels].
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(weights: &ComponentWeights, channels: usize, eps: f64) -> Result<Self> {
        let read = |name| -> Result<Tensor> { Ok(weights.get(channels, name)?.to_dtype(DType::F32)?) };
        Ok(Self { weight: read("weight")?, bias: read("bias")?, eps })
    }

    /// [.., channels] to the same shape and precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not the layer's.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let channels = self.weight.elem_count();
        if x.dims().last() != Some(&channels) {
            return Err(Error::Shape { what: "input of a layer norm", expected: format!("[.., {channels}]"), found: x.dims().to_vec() });
        }
        let rows = x.contiguous()?.reshape(((), channels))?;
        let run = if execution::is_cpu(x.device()) { cpu::layer_norm } else { portable::layer_norm };
        Ok(run(&rows, &self.weight, &self.bias, self.eps)?.reshape(x.dims())?)
    }
}
