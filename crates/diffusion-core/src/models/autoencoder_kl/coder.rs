//! The encoder and the decoder of the autoencoder. Follows diffusers models/autoencoders/vae.py.

use super::config::AutoencoderKlConfig;
use crate::{
    Result,
    models::resnet::{Downsample2d, ResnetBlock2d, ResnetParams, Upsample2d},
    ops::{AttentionParams, Conv2d, Conv2dParams, GroupNorm, Linear, Nhwc, attention},
    weights::ComponentWeights,
};

/// Every group norm of the autoencoder has this epsilon.
const EPS: f64 = 1e-6;

fn resnet(config: &AutoencoderKlConfig, weights: &ComponentWeights, index: usize, inputs: usize, outputs: usize) -> Result<ResnetBlock2d> {
    let groups = config.norm_num_groups;
    let params = ResnetParams { inputs, outputs, time_channels: None, groups, eps: EPS, output_scale: 1.0 };
    ResnetBlock2d::load(&weights.pp("resnets").pp(index), params)
}

/// Attention over all pixels with a single head, added to its input.
#[derive(Debug)]
pub(in crate::models) struct PixelAttention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl PixelAttention {
    pub(in crate::models) fn load(weights: &ComponentWeights, channels: usize, groups: usize) -> Result<Self> {
        // Models saved before diffusers 0.18 have the names on the right.
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

    pub(in crate::models) fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let (_, height, width, _) = x.dims()?;
        let tokens = self.group_norm.forward(x)?.tokens()?;
        let (query, key, value) = (self.to_q.forward(&tokens)?, self.to_k.forward(&tokens)?, self.to_v.forward(&tokens)?);
        let params = AttentionParams { heads: 1, causal: false, upcast: true };
        let mixed = attention(&query, &key, &value, params)?;
        Nhwc::from_tokens(&self.to_out.forward_add(&mixed, &x.tokens()?)?, height, width)
    }
}

#[derive(Debug)]
struct MidBlock {
    first: ResnetBlock2d,
    attention: Option<PixelAttention>,
    second: ResnetBlock2d,
}

impl MidBlock {
    fn load(config: &AutoencoderKlConfig, weights: &ComponentWeights, channels: usize) -> Result<Self> {
        let attention =
            config.mid_block_add_attention.then(|| PixelAttention::load(&weights.pp("attentions.0"), channels, config.norm_num_groups));
        Ok(Self {
            first: resnet(config, weights, 0, channels, channels)?,
            attention: attention.transpose()?,
            second: resnet(config, weights, 1, channels, channels)?,
        })
    }

    fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let mut hidden = self.first.forward(x, None)?;
        if let Some(attention) = &self.attention {
            hidden = attention.forward(&hidden)?;
        }
        self.second.forward(&hidden, None)
    }
}

/// Pictures to the moments of their latents.
#[derive(Debug)]
pub(super) struct Encoder {
    conv_in: Conv2d,
    blocks: Vec<(Vec<ResnetBlock2d>, Option<Downsample2d>)>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    pub(super) fn load(config: &AutoencoderKlConfig, weights: &ComponentWeights) -> Result<Self> {
        let widths = &config.block_out_channels;
        let first = widths.first().copied().unwrap_or(0);
        let last = widths.last().copied().unwrap_or(0);
        let mut blocks = Vec::new();
        let mut inputs = first;
        for (index, &channels) in widths.iter().enumerate() {
            let block = weights.pp("down_blocks").pp(index);
            let layer = |i| resnet(config, &block, i, if i == 0 { inputs } else { channels }, channels);
            let layers = (0..config.layers_per_block).map(layer).collect::<Result<_>>()?;
            let downsample = (index + 1 < widths.len()).then(|| Downsample2d::load(&block.pp("downsamplers.0"), channels, 0));
            blocks.push((layers, downsample.transpose()?));
            inputs = channels;
        }
        Ok(Self {
            conv_in: Conv2d::load(&weights.pp("conv_in"), config.in_channels, first, Conv2dParams::same(3))?,
            blocks,
            mid_block: MidBlock::load(config, &weights.pp("mid_block"), last)?,
            conv_norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), last, config.norm_num_groups, EPS)?,
            conv_out: Conv2d::load(&weights.pp("conv_out"), last, 2 * config.latent_channels, Conv2dParams::same(3))?,
        })
    }

    pub(super) fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let mut hidden = self.conv_in.forward(x)?;
        for (layers, downsample) in &self.blocks {
            for layer in layers {
                hidden = layer.forward(&hidden, None)?;
            }
            if let Some(downsample) = downsample {
                hidden = downsample.forward(&hidden)?;
            }
        }
        hidden = self.mid_block.forward(&hidden)?;
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&hidden)?)
    }
}

/// Latents to pictures.
#[derive(Debug)]
pub(super) struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    blocks: Vec<(Vec<ResnetBlock2d>, Option<Upsample2d>)>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    pub(super) fn load(config: &AutoencoderKlConfig, weights: &ComponentWeights) -> Result<Self> {
        let widths = &config.block_out_channels;
        let first = widths.first().copied().unwrap_or(0);
        let last = widths.last().copied().unwrap_or(0);
        let mut blocks = Vec::new();
        let mut inputs = last;
        for (index, &channels) in widths.iter().rev().enumerate() {
            let block = weights.pp("up_blocks").pp(index);
            let layer = |i| resnet(config, &block, i, if i == 0 { inputs } else { channels }, channels);
            let layers = (0..=config.layers_per_block).map(layer).collect::<Result<_>>()?;
            let upsample = (index + 1 < widths.len()).then(|| Upsample2d::load(&block.pp("upsamplers.0"), channels));
            blocks.push((layers, upsample.transpose()?));
            inputs = channels;
        }
        Ok(Self {
            conv_in: Conv2d::load(&weights.pp("conv_in"), config.latent_channels, last, Conv2dParams::same(3))?,
            mid_block: MidBlock::load(config, &weights.pp("mid_block"), last)?,
            blocks,
            conv_norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), first, config.norm_num_groups, EPS)?,
            conv_out: Conv2d::load(&weights.pp("conv_out"), first, config.out_channels, Conv2dParams::same(3))?,
        })
    }

    pub(super) fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let mut hidden = self.mid_block.forward(&self.conv_in.forward(x)?)?;
        for (layers, upsample) in &self.blocks {
            for layer in layers {
                hidden = layer.forward(&hidden, None)?;
            }
            if let Some(upsample) = upsample {
                hidden = upsample.forward(&hidden, None)?;
            }
        }
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&hidden)?)
    }
}
