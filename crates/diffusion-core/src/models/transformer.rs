//! The transformer between a UNet's residual blocks. Follows diffusers models/transformers/transformer_2d.py and
//! models/attention.py (BasicTransformerBlock with layer norms and GEGLU).

use candle_core::Tensor;

use crate::{
    Result,
    ops::{AttentionParams, Geglu, GroupNorm, LayerNorm, Linear, Nhwc, attention},
    weights::ComponentWeights,
};

/// The group norm before a transformer has this epsilon whatever the UNet's norm_eps.
const GROUP_NORM_EPS: f64 = 1e-6;
/// torch.nn.LayerNorm's default, which diffusers keeps.
const LAYER_NORM_EPS: f64 = 1e-5;

/// The shape of a transformer.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransformerParams {
    pub(super) channels: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    /// Channels of the text states.
    pub(super) cross_attention_dim: usize,
    pub(super) groups: usize,
    /// The first attention of a block looks at the text too.
    pub(super) only_cross_attention: bool,
    pub(super) upcast_attention: bool,
}

/// Queries from one sequence, keys and values from another or the same.
#[derive(Debug)]
struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    params: AttentionParams,
}

impl Attention {
    fn load(weights: &ComponentWeights, params: &TransformerParams, context: usize) -> Result<Self> {
        let channels = params.channels;
        Ok(Self {
            to_q: Linear::load(&weights.pp("to_q"), channels, channels, false)?,
            to_k: Linear::load(&weights.pp("to_k"), context, channels, false)?,
            to_v: Linear::load(&weights.pp("to_v"), context, channels, false)?,
            to_out: Linear::load(&weights.pp("to_out.0"), channels, channels, true)?,
            params: AttentionParams { heads: params.heads, causal: false, upcast: params.upcast_attention },
        })
    }

    /// The attention of `x` to `context`, plus `residual`.
    fn forward(&self, x: &Tensor, context: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let (query, key, value) = (self.to_q.forward(x)?, self.to_k.forward(context)?, self.to_v.forward(context)?);
        self.to_out.forward_add(&attention(&query, &key, &value, self.params)?, residual)
    }
}

#[derive(Debug)]
struct TransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff_in: Geglu,
    ff_out: Linear,
    only_cross_attention: bool,
}

impl TransformerBlock {
    fn load(weights: &ComponentWeights, params: &TransformerParams) -> Result<Self> {
        let channels = params.channels;
        let norm = |name| LayerNorm::load(&weights.pp(name), channels, LAYER_NORM_EPS);
        let first_context = if params.only_cross_attention { params.cross_attention_dim } else { channels };
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: Attention::load(&weights.pp("attn1"), params, first_context)?,
            norm2: norm("norm2")?,
            attn2: Attention::load(&weights.pp("attn2"), params, params.cross_attention_dim)?,
            norm3: norm("norm3")?,
            ff_in: Geglu::load(&weights.pp("ff.net.0.proj"), channels, 4 * channels)?,
            ff_out: Linear::load(&weights.pp("ff.net.2"), 4 * channels, channels, true)?,
            only_cross_attention: params.only_cross_attention,
        })
    }

    fn forward(&self, x: &Tensor, text: &Tensor) -> Result<Tensor> {
        let normal = self.norm1.forward(x)?;
        let x = self.attn1.forward(&normal, if self.only_cross_attention { text } else { &normal }, x)?;
        let x = self.attn2.forward(&self.norm2.forward(&x)?, text, &x)?;
        let gated = self.ff_in.forward(&self.norm3.forward(&x)?)?;
        self.ff_out.forward_add(&gated, &x)
    }
}

/// A picture's pixels as tokens, through transformer blocks, added to the picture.
#[derive(Debug)]
pub(super) struct Transformer2d {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<TransformerBlock>,
    proj_out: Linear,
}

impl Transformer2d {
    /// The projections are linear layers or 1x1 convolutions (`use_linear_projection`); channels-last they are the same.
    pub(super) fn load(weights: &ComponentWeights, params: &TransformerParams) -> Result<Self> {
        let channels = params.channels;
        let blocks = weights.pp("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::load(&weights.pp("norm"), channels, params.groups, GROUP_NORM_EPS)?,
            proj_in: Linear::load(&weights.pp("proj_in"), channels, channels, true)?,
            blocks: (0..params.layers).map(|i| TransformerBlock::load(&blocks.pp(i), params)).collect::<Result<_>>()?,
            proj_out: Linear::load(&weights.pp("proj_out"), channels, channels, true)?,
        })
    }

    /// `text` is [batch, tokens, cross_attention_dim].
    pub(super) fn forward(&self, x: &Nhwc, text: &Tensor) -> Result<Nhwc> {
        let (_, height, width, _) = x.dims()?;
        let mut tokens = self.proj_in.forward(&self.norm.forward(x)?.tokens()?)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, text)?;
        }
        Nhwc::from_tokens(&self.proj_out.forward_add(&tokens, &x.tokens()?)?, height, width)
    }
}
