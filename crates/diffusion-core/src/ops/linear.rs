//! The linear layer, fused with its bias and the operations that usually follow it.
//!
//! This module does not depend on models. Follows torch.nn.Linear.

use candle_core::Tensor;

use super::{
    cpu, execution,
    matrix::{Matrix, Use},
    portable,
};
use crate::{Error, Result, weights::ComponentWeights};

/// Operands of the epilogue: applied to a linear layer's output in this order, before it is rounded to the activations' precision.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinearExtras<'a> {
    /// [images, outputs]: an additional bias for each image, where the rows of x are `images` equal parts.
    pub per_image: Option<&'a Tensor>,
    /// Added; has the output's shape.
    pub residual: Option<&'a Tensor>,
    /// The final blend with another activation.
    pub blend: Option<Blend<'a>>,
}

/// A linear blend with a result: (1 - share) * other + share * result.
#[derive(Clone, Copy, Debug)]
pub struct Blend<'a> {
    /// Has the output's shape.
    pub other: &'a Tensor,
    /// The result's share.
    pub share: f64,
}

/// y = x W^T + b.
#[derive(Clone, Debug)]
pub struct Linear {
    matrix: Matrix,
}

impl Linear {
    /// Loads `weight` [outputs, inputs] and, if `has_bias`, `bias` \[outputs\].
    ///
    /// A weight stored as a 1x1 convolution, [outputs, inputs, 1, 1], is accepted too: it is the same layer.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(weights: &ComponentWeights, inputs: usize, outputs: usize, has_bias: bool) -> Result<Self> {
        weights.kept_or(|| {
            let is_convolution = matches!(weights.shape("weight").as_deref(), Some([_, _, 1, 1]));
            let kernel: &[usize] = if is_convolution { &[1, 1] } else { &[] };
            Ok(Self { matrix: Matrix::load(weights, (outputs, inputs), kernel, has_bias, Use::Plain)? })
        })
    }

    /// Makes a layer from `weight` [outputs, inputs] and `bias` \[outputs\].
    ///
    /// # Errors
    /// [`Error::Shape`] if the bias has the wrong shape.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { matrix: Matrix::new(&weight.unsqueeze(2)?, bias, Use::Plain)? })
    }

    /// Maps [.., inputs] to [.., outputs], in the input's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not `inputs`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(x, LinearExtras::default())
    }

    /// `forward(x) + residual`, summed before rounding to the activations' precision (with bf16 weights, activations are bf16).
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not `inputs`, or the residual's shape is not the output's.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.forward_with(x, LinearExtras { residual: Some(residual), ..LinearExtras::default() })
    }

    /// `forward(x)` with the epilogue of `extras`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not `inputs`, or an extra has the wrong shape.
    pub fn forward_with(&self, x: &Tensor, extras: LinearExtras<'_>) -> Result<Tensor> {
        let mut dims = x.dims().to_vec();
        let (inputs, outputs) = (self.matrix.inputs(), self.matrix.outputs());
        match dims.last_mut() {
            Some(last) if *last == inputs => *last = outputs,
            _ => {
                return Err(Error::Shape {
                    what: "input of a linear layer",
                    expected: format!("[.., {inputs}]"),
                    found: x.dims().to_vec(),
                });
            }
        }
        let rows = x.contiguous()?.reshape(((), inputs))?;
        let count = rows.dims().first().copied().unwrap_or(0);
        let fits = |what, tensor: &Tensor| {
            if tensor.dims() == dims {
                return Ok(tensor.contiguous()?.reshape(((), outputs))?);
            }
            Err(Error::Shape { what, expected: format!("{dims:?}"), found: tensor.dims().to_vec() })
        };
        let residual = extras.residual.map(|residual| fits("residual of a linear layer", residual)).transpose()?;
        let other = extras.blend.map(|blend| fits("blend of a linear layer", blend.other)).transpose()?;
        if let Some(per_image) = extras.per_image
            && !matches!(per_image.dims(), [images, channels] if *images > 0 && count.is_multiple_of(*images) && *channels == outputs)
        {
            let expected = format!("[a divisor of {count} rows, {outputs}]");
            return Err(Error::Shape { what: "bias for each image of a linear layer", expected, found: per_image.dims().to_vec() });
        }
        let blend = extras.blend.zip(other.as_ref()).map(|(blend, other)| Blend { other, ..blend });
        let extras = LinearExtras { residual: residual.as_ref(), blend, ..extras };
        execution::count_product(count, inputs, outputs);
        let bias = self.matrix.bias.as_ref();
        let y = match self.matrix.packed().filter(|_| execution::is_cpu(x.device())) {
            Some(weight) => cpu::linear(&rows, weight, bias, extras)?,
            None => portable::linear(&rows, &self.matrix.rows()?, bias, extras)?,
        };
        Ok(y.reshape(dims)?)
    }
}
