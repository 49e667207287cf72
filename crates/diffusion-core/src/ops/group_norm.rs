//! Group normalisation of channels-last images, fused with a SiLU that follows.
//!
//! Follows torch.nn.GroupNorm; statistics are f32, over all pixels and the channels of a group.

use candle_core::{DType, Tensor};

use super::{Nhwc, cpu, execution, portable};
use crate::{Error, Result, weights::ComponentWeights};

/// Normalises each group of channels over the whole image, then scales and shifts each channel.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// Loads `weight` and `bias`, \[channels\].
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape; [`Error::Params`] if `groups` does not divide `channels`.
    pub fn load(weights: &ComponentWeights, channels: usize, groups: usize, eps: f64) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::Params { field: "norm_num_groups", reason: format!("{groups} does not divide {channels} channels") });
        }
        let read = |name| -> Result<Tensor> { Ok(weights.get(channels, name)?.to_dtype(DType::F32)?) };
        Ok(Self { weight: read("weight")?, bias: read("bias")?, groups, eps })
    }

    /// Normalises `x`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the layer's.
    pub fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        self.run(x, false)
    }

    /// Normalises `x`, then applies x * sigmoid(x).
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the layer's.
    pub fn forward_silu(&self, x: &Nhwc) -> Result<Nhwc> {
        self.run(x, true)
    }

    /// [`Self::forward_silu`] for activations that nobody else holds, in whose memory the result lies if it can: large ones that are not
    /// needed again.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the layer's.
    pub(crate) fn silu_of_owned(&self, x: Nhwc) -> Result<Nhwc> {
        self.check(&x)?;
        if execution::is_cpu(x.tensor().device()) && matches!(x.tensor().dtype(), DType::F32 | DType::BF16) {
            cpu::group_norm_silu_in_place(x.tensor(), &self.weight, &self.bias, self.groups, self.eps)?;
            return Ok(x);
        }
        self.run(&x, true)
    }

    fn check(&self, x: &Nhwc) -> Result<()> {
        let (channels, expected) = (x.dims()?.3, self.weight.elem_count());
        if channels == expected {
            return Ok(());
        }
        let found = x.tensor().dims().to_vec();
        Err(Error::Shape { what: "input of a group norm", expected: format!("[.., {expected}]"), found })
    }

    fn run(&self, x: &Nhwc, silu: bool) -> Result<Nhwc> {
        self.check(x)?;
        let (_, height, width, _) = x.dims()?;
        let tokens = x.tokens()?;
        let run = if execution::is_cpu(tokens.device()) { cpu::group_norm } else { portable::group_norm };
        Nhwc::from_tokens(&run(&tokens, &self.weight, &self.bias, self.groups, self.eps, silu)?, height, width)
    }
}
