//! A weight matrix packed once at load into what the device's matrix product wants.
//!
//! Every layer that multiplies (linear, 1x1 convolution, k x k convolution) holds one of these. On the CPU that is the kernels'
//! packing (a model loaded within [`execution::portable`] has none), elsewhere [inputs, outputs], contiguous, so that rows of activations multiply it from the left as they lie.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use cpu_kernels::Packed;

use super::{cpu, execution};
use crate::{Error, Result, weights::ComponentWeights};

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

/// What a packed weight is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    /// A linear layer, or any convolution.
    Plain,
    /// A linear layer whose second half of outputs gates the first.
    Gated,
    /// A 3x3 convolution with stride 1 and one zero on each side.
    Conv3x3 {
        /// Whether its pictures are first enlarged to twice their size, or a line or column less.
        doubles: bool,
    },
}

impl Matrix {
    /// Packs a weight that comes as [outputs, inputs, taps]; the rows of the matrix are in the order tap, input.
    pub(super) fn pack(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        Self::of(weight, bias, Use::Plain)
    }

    /// The same for a 3x3 convolution with stride 1 and one zero on each side; `doubles` if its pictures are first enlarged to twice
    /// their size.
    pub(super) fn pack_conv3x3(weight: &Tensor, bias: Option<Tensor>, doubles: bool) -> Result<Self> {
        Self::of(weight, bias, Use::Conv3x3 { doubles })
    }

    /// The same for a layer whose second half of outputs gates the first; on the CPU the product does the gating.
    pub(super) fn pack_gated(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        Self::of(weight, bias, Use::Gated)
    }

    fn of(weight: &Tensor, bias: Option<Tensor>, layer: Use) -> Result<Self> {
        let (outputs, inputs, taps) = weight.dims3()?;
        if let Some(bias) = bias.as_ref().filter(|bias| bias.dims() != [outputs]) {
            return Err(Error::Shape { what: "bias", expected: format!("[{outputs}]"), found: bias.dims().to_vec() });
        }
        let form = if execution::keeps_no_weights() {
            // A part of the weight would keep all of it.
            Form::Rows(Tensor::zeros(0, weight.dtype(), weight.device())?)
        } else if execution::is_cpu(weight.device()) {
            Form::Packed(Arc::new(cpu::pack(weight, layer)?))
        } else {
            Form::Rows(weight.permute((2, 1, 0))?.contiguous()?.reshape((taps * inputs, outputs))?)
        };
        Ok(Self { form, bias, inputs: taps * inputs, outputs })
    }

    /// Reads `bias` of `outputs` elements if the layer has one.
    pub(super) fn load_bias(weights: &ComponentWeights, outputs: usize, has_bias: bool) -> Result<Option<Tensor>> {
        if has_bias { weights.get(outputs, "bias").map(Some) } else { Ok(None) }
    }

    /// What the CPU's kernels multiply by, where that is what is held.
    pub(super) fn packed(&self) -> Option<&Packed> {
        match &self.form {
            Form::Packed(packed) => Some(packed),
            Form::Rows(_) => None,
        }
    }

    /// [inputs, outputs], for the portable execution; on the CPU it is unpacked anew at every call.
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
