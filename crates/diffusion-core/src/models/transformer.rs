//! The transformer between a UNet's residual blocks. Follows diffusers models/transformers/transformer_2d.py and
//! models/attention.py (BasicTransformerBlock with layer norms and GEGLU).
//!
//! The keys and values of the cross-attentions do not depend on the image, so they are computed separately, once for many calls. Invariant:
//! activations before the first cross-attention have the images' batch; that attention expands it to the texts' batch.

use candle_core::Tensor;

use crate::{
    Error, Result,
    ops::{AttentionParams, Geglu, GroupNorm, LayerNorm, Linear, Nhwc, attention, repeat_images},
    weights::ComponentWeights,
};

/// The epsilon of the group norm before a transformer, whatever the UNet's norm_eps.
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
    /// Whether the first attention of a block is a cross-attention too.
    pub(super) only_cross_attention: bool,
    pub(super) upcast_attention: bool,
}

/// Keys and values of one cross-attention, [texts, tokens, channels] each.
#[derive(Clone, Debug)]
pub(super) struct KeysValues {
    keys: Tensor,
    values: Tensor,
}

/// Iterates over the keys and values of a model's cross-attentions in execution order.
pub(super) struct TextReader<'a> {
    all: &'a [KeysValues],
    position: usize,
}

impl<'a> TextReader<'a> {
    pub(super) fn new(all: &'a [KeysValues]) -> Self {
        Self { all, position: 0 }
    }

    fn take(&mut self) -> Result<&'a KeysValues> {
        let Some(next) = self.all.get(self.position) else {
            let expected = format!("one made by this model, of more than {} attentions", self.position);
            return Err(Error::Shape { what: "the text context", expected, found: vec![self.all.len()] });
        };
        self.position += 1;
        Ok(next)
    }
}

/// Queries from one sequence, keys and values from another or the same.
#[derive(Debug)]
pub(super) struct Attention {
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

    /// The keys and values of `context` [batch, tokens, channels], for all queries.
    pub(super) fn keys_values(&self, context: &Tensor) -> Result<KeysValues> {
        Ok(KeysValues { keys: self.to_k.forward(context)?, values: self.to_v.forward(context)? })
    }

    /// Attention of `x` to `context`, plus `residual`. `x` and `residual` have the context's batch or a divisor of it, the result has the
    /// context's; images are repeated as in [`repeat_images`].
    fn forward(&self, x: &Tensor, context: &KeysValues, residual: &Tensor) -> Result<Tensor> {
        let KeysValues { keys, values } = context;
        let batch = keys.dim(0)?;
        let query = repeat_images(&self.to_q.forward(x)?, batch)?;
        self.to_out.forward_add(&attention(&query, keys, values, self.params)?, &repeat_images(residual, batch)?)
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

    /// The block's cross-attentions, in the order of [`Self::forward`].
    fn text_attentions(&self) -> impl Iterator<Item = &Attention> {
        self.only_cross_attention.then_some(&self.attn1).into_iter().chain([&self.attn2])
    }

    fn forward(&self, x: &Tensor, text: &mut TextReader<'_>) -> Result<Tensor> {
        let normal = self.norm1.forward(x)?;
        let x = if self.only_cross_attention {
            self.attn1.forward(&normal, text.take()?, x)?
        } else {
            self.attn1.forward(&normal, &self.attn1.keys_values(&normal)?, x)?
        };
        let x = self.attn2.forward(&self.norm2.forward(&x)?, text.take()?, &x)?;
        let gated = self.ff_in.forward(&self.norm3.forward(&x)?)?;
        self.ff_out.forward_add(&gated, &x)
    }
}

/// Transformer blocks over an image's pixels as tokens, with a residual connection.
#[derive(Debug)]
pub(super) struct Transformer2d {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<TransformerBlock>,
    proj_out: Linear,
}

impl Transformer2d {
    /// The projections are linear layers or 1x1 convolutions (`use_linear_projection`); channels-last these are the same.
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

    /// The transformer's cross-attentions, in the order of [`Self::forward`].
    pub(super) fn text_attentions(&self) -> impl Iterator<Item = &Attention> {
        self.blocks.iter().flat_map(TransformerBlock::text_attentions)
    }

    /// `x` has the texts' batch or a divisor of it, the result has the texts'; images are repeated as in [`repeat_images`].
    pub(super) fn forward(&self, x: &Nhwc, text: &mut TextReader<'_>) -> Result<Nhwc> {
        let (_, height, width, _) = x.dims()?;
        let mut tokens = self.proj_in.forward(&self.norm.forward(x)?.tokens()?)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, text)?;
        }
        let residual = repeat_images(&x.tokens()?, tokens.dim(0)?)?;
        Nhwc::from_tokens(&self.proj_out.forward_add(&tokens, &residual)?, height, width)
    }
}
