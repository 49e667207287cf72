//! The linear layer, with its bias and an optional residual added in the same pass.
//!
//! Knows nothing of models. Follows torch.nn.Linear.

use candle_core::Tensor;

use super::{cpu, execution, matrix::Matrix, portable};
use crate::{Error, Result, weights::ComponentWeights};

/// y = x W^T + b.
#[derive(Clone, Debug)]
pub struct Linear {
    matrix: Matrix,
}

impl Linear {
    /// Reads `weight` [outputs, inputs] and, if `has_bias`, `bias` [outputs].
    ///
    /// A weight stored as a 1x1 convolution, [outputs, inputs, 1, 1], is taken too: a 1x1 convolution is this layer.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(weights: &ComponentWeights, inputs: usize, outputs: usize, has_bias: bool) -> Result<Self> {
        let weight = match weights.shape("weight").as_deref() {
            Some([_, _, 1, 1]) => weights.get((outputs, inputs, 1, 1), "weight")?.reshape((outputs, inputs))?,
            _ => weights.get((outputs, inputs), "weight")?,
        };
        Self::new(&weight, Matrix::load_bias(weights, outputs, has_bias)?)
    }

    /// From `weight` [outputs, inputs] and `bias` [outputs].
    ///
    /// # Errors
    /// [`Error::Shape`] if the bias does not fit.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { matrix: Matrix::pack(&weight.unsqueeze(2)?, bias)? })
    }

    /// [.., inputs] to [.., outputs], in the input's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not `inputs`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }

    /// `forward(x) + residual`, the sum made before rounding to the activations' precision (bf16 weights take activations in bf16).
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not `inputs`, or the residual's shape is not the output's.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Some(residual))
    }

    fn run(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
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
        if let Some(residual) = residual.filter(|residual| residual.dims() != dims) {
            return Err(Error::Shape {
                what: "residual of a linear layer",
                expected: format!("{dims:?}"),
                found: residual.dims().to_vec(),
            });
        }
        let rows = x.contiguous()?.reshape(((), inputs))?;
        let residual = residual.map(|residual| residual.contiguous()?.reshape(((), outputs))).transpose()?;
        execution::count_product(rows.dims().first().copied().unwrap_or(0), inputs, outputs);
        let bias = self.matrix.bias.as_ref();
        let y = match self.matrix.packed().filter(|_| execution::is_cpu(x.device())) {
            Some(weight) => cpu::linear(&rows, weight, bias, residual.as_ref())?,
            None => portable::linear(&rows, &self.matrix.rows()?, bias, residual.as_ref())?,
        };
        Ok(y.reshape(dims)?)
    }
}
