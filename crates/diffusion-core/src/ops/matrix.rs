//! A weight matrix, packed once at load into the layout that the device's matrix product reads.
//!
//! Every layer with a product (linear, 1x1 convolution, k x k convolution) holds one. On the CPU it is packed for the kernels (but not in a
//! model loaded within [`execution::portable`]). Otherwise it is [inputs, outputs], contiguous, so that rows of activations can be
//! multiplied with it as they are.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use cpu_kernels::{Images, Packed};

use super::{cpu, execution};
use crate::{
    Error, Result,
    weights::{ComponentWeights, Numbers},
};

/// A packed weight matrix with its optional bias.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    form: Form,
    /// \[outputs\].
    pub(super) bias: Option<Tensor>,
    inputs: usize,
    outputs: usize,
}

#[derive(Clone, Debug)]
enum Form {
    /// [inputs, outputs].
    Rows(Tensor),
    /// For the CPU's kernels.
    Packed(Arc<Packed>),
}

/// The layer that a weight is packed for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    /// A linear layer, or any convolution.
    Plain,
    /// A linear layer whose second half of outputs gates the first.
    Gated,
    /// A 3x3 convolution with stride 1 and padding 1.
    Conv3x3 {
        /// What its images usually are.
        images: Images,
        /// Whether it usually runs in one pass with the convolutions behind it.
        chained: bool,
    },
}

impl Matrix {
    /// Loads `weight` [outputs, inputs, kernel ..] and, if `has_bias`, `bias` \[outputs\]. For the CPU, stored numbers are packed where they
    /// lie, if they can be.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub(super) fn load(
        weights: &ComponentWeights,
        (outputs, inputs): (usize, usize),
        kernel: &[usize],
        has_bias: bool,
        layer: Use,
    ) -> Result<Self> {
        let shape = [&[outputs, inputs], kernel].concat();
        let taps = kernel.iter().product();
        let bias = || if has_bias { weights.get(outputs, "bias").map(Some) } else { Ok(None) };
        let packs = execution::is_cpu(weights.device()) && !execution::is_shapes_only() && cpu::packs(weights.dtype());
        let pack = |numbers: Numbers<'_>| cpu::pack_numbers(numbers, weights.dtype(), (outputs, inputs, taps), layer);
        if packs && let Some(packed) = weights.in_place(&shape, "weight", pack)? {
            return Ok(Self { form: Form::Packed(Arc::new(packed)), bias: bias()?, inputs: taps * inputs, outputs });
        }
        Self::new(&weights.get(shape, "weight")?.reshape((outputs, inputs, taps))?, bias()?, layer)
    }

    /// Packs a weight [outputs, inputs, taps]; the rows of the matrix are in the order tap, input.
    ///
    /// # Errors
    /// [`Error::Shape`] if the bias has another shape than \[outputs\].
    pub(super) fn new(weight: &Tensor, bias: Option<Tensor>, layer: Use) -> Result<Self> {
        let (outputs, inputs, taps) = weight.dims3()?;
        if let Some(bias) = bias.as_ref().filter(|bias| bias.dims() != [outputs]) {
            return Err(Error::Shape { what: "bias", expected: format!("[{outputs}]"), found: bias.dims().to_vec() });
        }
        let form = if execution::is_shapes_only() {
            // A view of the weight would keep all of its memory alive.
            Form::Rows(Tensor::zeros(0, weight.dtype(), weight.device())?)
        } else if execution::is_cpu(weight.device()) {
            Form::Packed(Arc::new(cpu::pack(weight, layer)?))
        } else {
            Form::Rows(weight.permute((2, 1, 0))?.contiguous()?.reshape((taps * inputs, outputs))?)
        };
        Ok(Self { form, bias, inputs: taps * inputs, outputs })
    }

    /// The packed weight for the CPU's kernels, if the matrix is packed.
    pub(super) fn packed(&self) -> Option<&Packed> {
        match &self.form {
            Form::Packed(packed) => Some(packed),
            Form::Rows(_) => None,
        }
    }

    /// The matrix [inputs, outputs] for the portable execution; on the CPU every call unpacks it again.
    pub(super) fn rows(&self) -> Result<Tensor> {
        match &self.form {
            Form::Rows(rows) => Ok(rows.clone()),
            Form::Packed(packed) => Ok(Tensor::from_vec(packed.unpacked(), (self.inputs, self.outputs), &Device::Cpu)?),
        }
    }

    /// Rows of the matrix: channels times taps.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }
}
