//! An encoder or a decoder: runs the layers of a list one after the other.
//!
//! Invariant: an activation is freed as soon as it is replaced. At full size, a decoder's activations are the largest of all.

use super::layers::{LayerShape, Layers};
use crate::{
    Result,
    models::{
        resnet::{Downsample2d, ResnetBlock2d, ResnetParams, Upsample2d},
        temporal_resnet::{Mix, SpatioTemporalResBlock, SpatioTemporalResParams},
    },
    ops::{AttentionParams, Conv2d, Conv2dParams, GroupNorm, Linear, Nhwc, TemporalConv, attention},
    weights::ComponentWeights,
};

/// Epsilon of every group norm over one image.
const EPS: f64 = 1e-6;
/// Epsilon of the group norms over a clip.
const TEMPORAL_EPS: f64 = 1e-5;

/// Single-head attention over all pixels, with a residual connection.
#[derive(Debug)]
struct PixelAttention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl PixelAttention {
    fn load(weights: &ComponentWeights, channels: usize, groups: usize) -> Result<Self> {
        // Models saved before diffusers 0.18 use the second names.
        let projection = |new: &str, old: &str| {
            let name = if weights.contains(&format!("{new}.weight")) || !weights.contains(&format!("{old}.weight")) { new } else { old };
            Linear::load(&weights.pp(name), channels, channels, true)
        };
        Ok(Self {
            group_norm: GroupNorm::load(&weights.pp("group_norm"), channels, groups, EPS)?,
            to_q: projection("to_q", "query")?,
            to_k: projection("to_k", "key")?,
            to_v: projection("to_v", "value")?,
            to_out: projection("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let (_, height, width, _) = x.dims()?;
        let tokens = self.group_norm.forward(x)?.tokens()?;
        let (query, key, value) = (self.to_q.forward(&tokens)?, self.to_k.forward(&tokens)?, self.to_v.forward(&tokens)?);
        let params = AttentionParams { heads: 1, causal: false, upcast: true };
        let mixed = attention(&query, &key, &value, params)?;
        Nhwc::from_tokens(&self.to_out.forward_add(&mixed, &x.tokens()?)?, height, width)
    }
}

#[derive(Debug)]
enum Layer {
    Conv(Conv2d),
    Resnet(Box<ResnetBlock2d>),
    /// The images are the frames of one clip.
    ClipResnet(Box<SpatioTemporalResBlock>),
    Attention(Box<PixelAttention>),
    Downsample(Downsample2d),
    Upsample(Upsample2d),
    NormSilu(GroupNorm),
    TemporalConv(TemporalConv),
}

/// An encoder, from images to the moments of their latents, or a decoder, from latents to images.
#[derive(Debug)]
pub(super) struct Coder(Vec<Layer>);

impl Coder {
    /// `is_temporal`: residual blocks also work over the frames of a clip.
    pub(super) fn load(weights: &ComponentWeights, layers: Layers, groups: usize, is_temporal: bool) -> Result<Self> {
        let (time_channels, conv) = (None, Conv2dParams::same(3));
        let load = |(name, shape)| -> Result<Layer> {
            let weights = weights.pp(name);
            Ok(match shape {
                LayerShape::Conv { inputs, outputs } => Layer::Conv(Conv2d::load(&weights, inputs, outputs, Conv2dParams::same(3))?),
                LayerShape::Resnet { inputs, outputs } if is_temporal => {
                    let (spatial_eps, temporal_eps, mix) = (EPS, TEMPORAL_EPS, Mix::Temporal);
                    let params = SpatioTemporalResParams { inputs, outputs, time_channels, groups, spatial_eps, temporal_eps, conv, mix };
                    Layer::ClipResnet(Box::new(SpatioTemporalResBlock::load(&weights, params)?))
                }
                LayerShape::Resnet { inputs, outputs } => {
                    let params = ResnetParams { inputs, outputs, time_channels, groups, eps: EPS, output_scale: 1.0, conv };
                    Layer::Resnet(Box::new(ResnetBlock2d::load(&weights, params)?))
                }
                LayerShape::Attention(channels) => Layer::Attention(Box::new(PixelAttention::load(&weights, channels, groups)?)),
                LayerShape::Downsample(channels) => Layer::Downsample(Downsample2d::load(&weights, channels, 0)?),
                LayerShape::Upsample(channels) => Layer::Upsample(Upsample2d::load(&weights, channels)?),
                LayerShape::NormSilu(channels) => Layer::NormSilu(GroupNorm::load(&weights, channels, groups, EPS)?),
                LayerShape::TemporalConv(channels) => Layer::TemporalConv(TemporalConv::load(&weights, channels, channels)?),
            })
        };
        Ok(Self(layers.into_iter().map(load).collect::<Result<_>>()?))
    }

    /// `x` is [images, height, width, channels].
    pub(super) fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let Some((first, others)) = self.0.split_first() else { return Ok(x.clone()) };
        // What the first layer returns is nobody else's: both lists start with a convolution.
        others.iter().try_fold(first.forward(x)?, |hidden, layer| layer.forward_owned(hidden))
    }
}

impl Layer {
    /// [`Self::forward`] for activations that nobody else holds.
    fn forward_owned(&self, x: Nhwc) -> Result<Nhwc> {
        match self {
            Self::Resnet(block) => block.forward_owned(x),
            Self::NormSilu(norm) => norm.silu_of_owned(x),
            Self::Conv(_) | Self::ClipResnet(_) | Self::Attention(_) | Self::Downsample(_) | Self::Upsample(_) | Self::TemporalConv(_) => {
                self.forward(&x)
            }
        }
    }

    fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::Resnet(block) => block.forward(x, None),
            Self::ClipResnet(block) => block.forward(x, None, x.dims()?.0),
            Self::Attention(attention) => attention.forward(x),
            Self::Downsample(downsample) => downsample.forward(x),
            Self::Upsample(upsample) => upsample.forward(x, None),
            Self::NormSilu(norm) => norm.forward_silu(x),
            Self::TemporalConv(conv) => {
                let (frames, height, width, _) = x.dims()?;
                conv.forward(&x.clips(frames)?)?.frames(height, width)
            }
        }
    }
}
