//! The transformer of video models: blocks over a frame's pixels, each followed by one over a pixel's frames, blended with a learned share.
//!
//! Follows diffusers models/transformers/transformer_temporal.py (TransformerSpatioTemporalModel) and models/attention.py
//! (BasicTransformerBlock, TemporalBasicTransformerBlock) with layer norms, GEGLU and one token of context. Invariants: tokens stay
//! [clips * frames, pixels, channels] throughout, because everything except the attention over frames works on one token at a time, and that
//! attention reads with a stride; the context is one token for each clip.
//!
//! A softmax over one token is 1, so the cross-attention adds the same vector to every token of a clip, and needs neither queries and keys
//! nor the norm before them (their weights are not read). [`TransformerSpatioTemporal::context`] computes these vectors once for many
//! calls; each is then a bias of the preceding linear layer.

use candle_core::Tensor;

use super::embeddings::{Sinusoids, TimestepEmbedding};
use super::temporal_resnet::{Mix, temporal_share};
use crate::{
    Error, Result,
    ops::{AttentionParams, Blend, Geglu, GroupNorm, LayerNorm, Linear, LinearExtras, Nhwc, attention, repeat_images, temporal_attention},
    weights::ComponentWeights,
};

/// Hard-coded in diffusers' class, whatever the model.
const GROUPS: usize = 32;
/// The epsilon of the group norm before a transformer.
const GROUP_NORM_EPS: f64 = 1e-6;
/// torch.nn.LayerNorm's default, which diffusers keeps.
const LAYER_NORM_EPS: f64 = 1e-5;

/// The shape of a transformer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpatioTemporalTransformerParams {
    pub(super) channels: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    /// Channels of the context.
    pub(super) cross_attention_dim: usize,
}

/// The cross-attention vectors of one pair of blocks, [clips, channels] each.
#[derive(Clone, Debug)]
pub(super) struct ContextVectors {
    spatial: Tensor,
    temporal: Tensor,
}

/// Iterates over the vectors of a model's pairs of blocks in execution order.
pub(super) struct ContextReader<'a> {
    all: &'a [ContextVectors],
    position: usize,
}

impl<'a> ContextReader<'a> {
    pub(super) fn new(all: &'a [ContextVectors]) -> Self {
        Self { all, position: 0 }
    }

    fn take(&mut self) -> Result<&'a ContextVectors> {
        let Some(next) = self.all.get(self.position) else {
            let expected = format!("one made by this model, of more than {} pairs of blocks", self.position);
            return Err(Error::Shape { what: "the image context", expected, found: vec![self.all.len()] });
        };
        self.position += 1;
        Ok(next)
    }
}

/// Self-attention, over pixels or over frames.
#[derive(Debug)]
struct SelfAttention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
}

impl SelfAttention {
    fn load(weights: &ComponentWeights, params: &SpatioTemporalTransformerParams) -> Result<Self> {
        let channels = params.channels;
        let projection = |name| Linear::load(&weights.pp(name), channels, channels, false);
        let to_out = Linear::load(&weights.pp("to_out.0"), channels, channels, true)?;
        Ok(Self { to_q: projection("to_q")?, to_k: projection("to_k")?, to_v: projection("to_v")?, to_out, heads: params.heads })
    }

    /// Attends within `normal` by means of `attend`, and adds `residual` and a vector for each clip.
    fn forward(
        &self,
        normal: &Tensor,
        residual: &Tensor,
        per_clip: &Tensor,
        attend: impl FnOnce(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mixed = attend(&self.to_q.forward(normal)?, &self.to_k.forward(normal)?, &self.to_v.forward(normal)?)?;
        let extras = LinearExtras { per_image: Some(per_clip), residual: Some(residual), blend: None };
        self.to_out.forward_with(&mixed, extras)
    }
}

/// The part of a cross-attention to one token that remains.
#[derive(Debug)]
struct ContextAttention {
    to_v: Linear,
    to_out: Linear,
}

impl ContextAttention {
    fn load(weights: &ComponentWeights, params: &SpatioTemporalTransformerParams) -> Result<Self> {
        let channels = params.channels;
        Ok(Self {
            to_v: Linear::load(&weights.pp("to_v"), params.cross_attention_dim, channels, false)?,
            to_out: Linear::load(&weights.pp("to_out.0"), channels, channels, true)?,
        })
    }

    /// Maps [clips, cross_attention_dim] to [clips, channels].
    fn vector(&self, context: &Tensor) -> Result<Tensor> {
        self.to_out.forward(&self.to_v.forward(context)?)
    }
}

/// Norm, a gated linear layer of four times the width, and a linear layer back.
#[derive(Debug)]
struct FeedForward {
    norm: LayerNorm,
    net_in: Geglu,
    net_out: Linear,
}

impl FeedForward {
    fn load(weights: &ComponentWeights, norm: &str, net: &str, channels: usize) -> Result<Self> {
        let net = weights.pp(net);
        Ok(Self {
            norm: LayerNorm::load(&weights.pp(norm), channels, LAYER_NORM_EPS)?,
            net_in: Geglu::load(&net.pp("net.0.proj"), channels, 4 * channels)?,
            net_out: Linear::load(&net.pp("net.2"), 4 * channels, channels, true)?,
        })
    }

    /// The feed-forward result of the normalised `x`, plus `x`, blended with another activation.
    fn forward(&self, x: &Tensor, blend: Option<Blend<'_>>) -> Result<Tensor> {
        let gated = self.net_in.forward(&self.norm.forward(x)?)?;
        self.net_out.forward_with(&gated, LinearExtras { per_image: None, residual: Some(x), blend })
    }

    /// [`Self::forward`] for `x` plus a vector for each frame, without a blend.
    fn forward_shifted(&self, x: &Tensor, per_frame: &Tensor) -> Result<Tensor> {
        let gated = self.net_in.forward(&self.norm.forward_shifted(x, per_frame)?)?;
        self.net_out.forward_with(&gated, LinearExtras { per_image: Some(per_frame), residual: Some(x), blend: None })
    }
}

/// A block over a frame's pixels (`transformer_blocks`), and the following one over a pixel's frames (`temporal_transformer_blocks`).
#[derive(Debug)]
struct BlockPair {
    spatial_norm: LayerNorm,
    spatial_attention: SelfAttention,
    spatial_context: ContextAttention,
    spatial_ff: FeedForward,
    temporal_ff_in: FeedForward,
    temporal_norm: LayerNorm,
    temporal_attention: SelfAttention,
    temporal_context: ContextAttention,
    temporal_ff: FeedForward,
}

impl BlockPair {
    fn load(weights: &ComponentWeights, index: usize, params: &SpatioTemporalTransformerParams) -> Result<Self> {
        let spatial = weights.pp("transformer_blocks").pp(index);
        let temporal = weights.pp("temporal_transformer_blocks").pp(index);
        let channels = params.channels;
        Ok(Self {
            spatial_norm: LayerNorm::load(&spatial.pp("norm1"), channels, LAYER_NORM_EPS)?,
            spatial_attention: SelfAttention::load(&spatial.pp("attn1"), params)?,
            spatial_context: ContextAttention::load(&spatial.pp("attn2"), params)?,
            spatial_ff: FeedForward::load(&spatial, "norm3", "ff", channels)?,
            temporal_ff_in: FeedForward::load(&temporal, "norm_in", "ff_in", channels)?,
            temporal_norm: LayerNorm::load(&temporal.pp("norm1"), channels, LAYER_NORM_EPS)?,
            temporal_attention: SelfAttention::load(&temporal.pp("attn1"), params)?,
            temporal_context: ContextAttention::load(&temporal.pp("attn2"), params)?,
            temporal_ff: FeedForward::load(&temporal, "norm3", "ff", channels)?,
        })
    }

    /// `frame_embeds` is [clips * num_frames, channels]; `share` is the temporal block's share of the blend.
    fn forward(&self, x: &Tensor, context: &ContextVectors, frame_embeds: &Tensor, num_frames: usize, share: f64) -> Result<Tensor> {
        let heads = self.spatial_attention.heads;
        let params = AttentionParams { heads, causal: false, upcast: false };
        let normal = self.spatial_norm.forward(x)?;
        let mixed = self.spatial_attention.forward(&normal, x, &context.spatial, |q, k, v| attention(q, k, v, params))?;
        let spatial = self.spatial_ff.forward(&mixed, None)?;

        // Reassigned, so that each activation is freed when it is replaced.
        let mut hidden = self.temporal_ff_in.forward_shifted(&spatial, frame_embeds)?;
        let normal = self.temporal_norm.forward(&hidden)?;
        let over_frames = |q: &Tensor, k: &Tensor, v: &Tensor| temporal_attention(q, k, v, num_frames, heads);
        hidden = self.temporal_attention.forward(&normal, &hidden, &context.temporal, over_frames)?;
        self.temporal_ff.forward(&hidden, Some(Blend { other: &spatial, share }))
    }
}

/// Pairs of blocks over the frames of clips, with a residual connection.
#[derive(Debug)]
pub(super) struct TransformerSpatioTemporal {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<BlockPair>,
    /// The frame position embedding: sinusoids of the frame's index, and the network on them.
    sinusoids: Sinusoids,
    time_pos_embed: TimestepEmbedding,
    /// The temporal blocks' share of the blends.
    share: f64,
    proj_out: Linear,
}

impl TransformerSpatioTemporal {
    pub(super) fn load(weights: &ComponentWeights, params: &SpatioTemporalTransformerParams) -> Result<Self> {
        let channels = params.channels;
        Ok(Self {
            norm: GroupNorm::load(&weights.pp("norm"), channels, GROUPS, GROUP_NORM_EPS)?,
            proj_in: Linear::load(&weights.pp("proj_in"), channels, channels, true)?,
            blocks: (0..params.layers).map(|index| BlockPair::load(weights, index, params)).collect::<Result<_>>()?,
            sinusoids: Sinusoids { channels, flip_sin_to_cos: true, freq_shift: 0.0 },
            time_pos_embed: TimestepEmbedding::load_to(&weights.pp("time_pos_embed"), channels, 4 * channels, channels)?,
            share: temporal_share(&weights.pp("time_mixer"), Mix::Spatial)?,
            proj_out: Linear::load(&weights.pp("proj_out"), channels, channels, true)?,
        })
    }

    /// The cross-attention vectors of `states` [clips, cross_attention_dim] for its pairs of blocks, in the order of [`Self::forward`].
    pub(super) fn context(&self, states: &Tensor) -> impl Iterator<Item = Result<ContextVectors>> {
        self.blocks.iter().map(move |block| {
            let (spatial, temporal) = (block.spatial_context.vector(states)?, block.temporal_context.vector(states)?);
            Ok(ContextVectors { spatial, temporal })
        })
    }

    /// `x` is [clips * num_frames, height, width, channels], a clip's frames one after the other; so is the result.
    pub(super) fn forward(&self, x: &Nhwc, context: &mut ContextReader<'_>, num_frames: usize) -> Result<Nhwc> {
        let (images, height, width, _) = x.dims()?;
        let frames: Vec<f64> = (0..num_frames).map(|frame| frame as f64).collect();
        let embeds = self.time_pos_embed.forward(&self.sinusoids.embed_all(&frames)?, None)?;
        // Row i belongs to frame i % num_frames.
        let embeds = repeat_images(&embeds, images)?;

        let mut tokens = self.proj_in.forward(&self.norm.forward(x)?.tokens()?)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, context.take()?, &embeds, num_frames, self.share)?;
        }
        Nhwc::from_tokens(&self.proj_out.forward_add(&tokens, &x.tokens()?)?, height, width)
    }
}
