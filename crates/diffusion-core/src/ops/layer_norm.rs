//! Layer normalisation over the last dimension. Follows torch.nn.LayerNorm; statistics are f32.

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
    /// Loads `weight` and `bias`, \[channels\].
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(weights: &ComponentWeights, channels: usize, eps: f64) -> Result<Self> {
        let read = |name| -> Result<Tensor> { Ok(weights.get(channels, name)?.to_dtype(DType::F32)?) };
        Ok(Self { weight: read("weight")?, bias: read("bias")?, eps })
    }

    /// Maps [.., channels] to the same shape and precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not the layer's.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let rows = self.rows(x)?;
        let run = if execution::is_cpu(x.device()) { cpu::layer_norm } else { portable::layer_norm };
        Ok(run(&rows, &self.weight, &self.bias, self.eps)?.reshape(x.dims())?)
    }

    /// `forward(x + shift)`, where `shift` is [images, channels] and the rows of `x` are `images` equal parts; the sum is neither stored
    /// nor rounded.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not the layer's, or the shift has the wrong shape.
    pub fn forward_shifted(&self, x: &Tensor, shift: &Tensor) -> Result<Tensor> {
        let rows = self.rows(x)?;
        let (count, channels) = rows.dims2()?;
        if !matches!(shift.dims(), [images, found] if *images > 0 && count.is_multiple_of(*images) && *found == channels) {
            let expected = format!("[a divisor of {count} rows, {channels}]");
            return Err(Error::Shape { what: "shift of a layer norm", expected, found: shift.dims().to_vec() });
        }
        let run = if execution::is_cpu(x.device()) { cpu::layer_norm_shifted } else { portable::layer_norm_shifted };
        Ok(run(&rows, shift, &self.weight, &self.bias, self.eps)?.reshape(x.dims())?)
    }

    /// `x` as [rows, channels].
    fn rows(&self, x: &Tensor) -> Result<Tensor> {
        let channels = self.weight.elem_count();
        if x.dims().last() != Some(&channels) {
            return Err(Error::Shape { what: "input of a layer norm", expected: format!("[.., {channels}]"), found: x.dims().to_vec() });
        }
        Ok(x.contiguous()?.reshape(((), channels))?)
    }
}
