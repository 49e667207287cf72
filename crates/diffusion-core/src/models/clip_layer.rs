//! The transformer layer of CLIP's text and image encoders.
//!
//! It maps a sequence to a sequence and depends on neither text nor images. Follows CLIPEncoderLayer of transformers
//! models/clip/modeling_clip.py.

use candle_core::Tensor;

use super::config_reader::ConfigReader;
use crate::{
    Result,
    ops::{Activation, AttentionParams, LayerNorm, Linear, attention, biased_attention},
    weights::ComponentWeights,
};

/// The shape of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClipLayerParams {
    /// Channels of the sequence.
    pub(super) hidden: usize,
    /// Channels inside the feed-forward layer.
    pub(super) inner: usize,
    pub(super) heads: usize,
    /// Whether a token attends only to itself and earlier ones.
    pub(super) causal: bool,
    pub(super) activation: Activation,
    pub(super) eps: f64,
}

/// Reads `hidden_act`; if absent, `default`, which is the class's default.
pub(super) fn activation(reader: &ConfigReader<'_>, default: Activation) -> Result<Activation> {
    let known =
        [("quick_gelu", Activation::QuickGelu), ("gelu", Activation::Gelu), ("silu", Activation::Silu), ("swish", Activation::Silu)];
    reader.choice("hidden_act", default, &known)
}

/// A pre-norm layer: norm, attention, residual, norm, feed-forward, residual.
#[derive(Debug)]
pub(super) struct ClipLayer {
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    attention: AttentionParams,
    activation: Activation,
}

impl ClipLayer {
    pub(super) fn load(weights: &ComponentWeights, params: &ClipLayerParams) -> Result<Self> {
        let ClipLayerParams { hidden, inner, heads, causal, activation, eps } = *params;
        let projection = |name| Linear::load(&weights.pp("self_attn").pp(name), hidden, hidden, true);
        Ok(Self {
            layer_norm1: LayerNorm::load(&weights.pp("layer_norm1"), hidden, eps)?,
            q_proj: projection("q_proj")?,
            k_proj: projection("k_proj")?,
            v_proj: projection("v_proj")?,
            out_proj: projection("out_proj")?,
            layer_norm2: LayerNorm::load(&weights.pp("layer_norm2"), hidden, eps)?,
            fc1: Linear::load(&weights.pp("mlp.fc1"), hidden, inner, true)?,
            fc2: Linear::load(&weights.pp("mlp.fc2"), inner, hidden, true)?,
            attention: AttentionParams { heads, causal, upcast: false },
            activation,
        })
    }

    /// Maps [batch, tokens, hidden] to the same shape. `bias` [batch, tokens] in f32 is added to the scores of each token.
    pub(super) fn forward(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let normal = self.layer_norm1.forward(x)?;
        let (query, key, value) = (self.q_proj.forward(&normal)?, self.k_proj.forward(&normal)?, self.v_proj.forward(&normal)?);
        let attended = match bias {
            Some(bias) => biased_attention(&query, &key, &value, self.attention, bias)?,
            None => attention(&query, &key, &value, self.attention)?,
        };
        let x = self.out_proj.forward_add(&attended, x)?;
        let inner = self.activation.forward(&self.fc1.forward(&self.layer_norm2.forward(&x)?)?)?;
        self.fc2.forward_add(&inner, &x)
    }
}
