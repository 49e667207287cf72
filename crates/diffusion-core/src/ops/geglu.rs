//! The first half of a transformer's feed-forward: a linear layer whose second half of outputs gates the first.
//!
//! The CPU's execution gates in the epilogue, so the doubled activations are never stored. Follows diffusers' GEGLU, with the exact gelu.

use candle_core::Tensor;

use super::{
    LinearExtras, cpu, execution,
    matrix::{Matrix, Use},
    portable,
};
use crate::{Error, Result, weights::ComponentWeights};

/// value * gelu(gate), where [value, gate] = x W^T + b.
#[derive(Clone, Debug)]
pub struct Geglu {
    matrix: Matrix,
}

impl Geglu {
    /// Loads `weight` [2 * outputs, inputs] and `bias` [2 * outputs].
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(weights: &ComponentWeights, inputs: usize, outputs: usize) -> Result<Self> {
        weights.kept_or(|| Ok(Self { matrix: Matrix::load(weights, (2 * outputs, inputs), &[], true, Use::Gated)? }))
    }

    /// Makes a layer from `weight` [2 * outputs, inputs] and `bias` [2 * outputs].
    ///
    /// # Errors
    /// [`Error::Shape`] if the weight's first dimension is odd.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        if !weight.dim(0)?.is_multiple_of(2) {
            let (expected, found) = ("[an even number, inputs]".into(), weight.dims().to_vec());
            return Err(Error::Shape { what: "weight of GEGLU", expected, found });
        }
        Ok(Self { matrix: Matrix::new(&weight.unsqueeze(2)?, bias, Use::Gated)? })
    }

    /// Maps [.., inputs] to [.., outputs], in the input's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the last dimension is not `inputs`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut dims = x.dims().to_vec();
        let (inputs, outputs) = (self.matrix.inputs(), self.matrix.outputs());
        match dims.last_mut() {
            Some(last) if *last == inputs => *last = outputs / 2,
            _ => return Err(Error::Shape { what: "input of GEGLU", expected: format!("[.., {inputs}]"), found: x.dims().to_vec() }),
        }
        let rows = x.contiguous()?.reshape(((), inputs))?;
        execution::count_product(rows.dims().first().copied().unwrap_or(0), inputs, outputs);
        let bias = self.matrix.bias.as_ref();
        let y = match self.matrix.packed().filter(|_| execution::is_cpu(x.device())) {
            Some(weight) => cpu::linear(&rows, weight, bias, LinearExtras::default())?,
            None => portable::geglu(&portable::linear(&rows, &self.matrix.rows()?, bias, LinearExtras::default())?)?,
        };
        Ok(y.reshape(dims)?)
    }
}
