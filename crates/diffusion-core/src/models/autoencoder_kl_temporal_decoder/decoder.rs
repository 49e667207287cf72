//! Latents of a clip to its frames, which see one another. Follows TemporalDecoder of diffusers
//! models/autoencoders/autoencoder_kl_temporal_decoder.py and the temporal decoder's blocks of models/unets/unet_3d_blocks.py.

use super::config::{AutoencoderKlTemporalDecoderConfig, GROUPS};
use crate::{
    Result,
    models::{
        autoencoder_kl::PixelAttention,
        resnet::Upsample2d,
        temporal_resnet::{Mix, SpatioTemporalResBlock, SpatioTemporalResParams},
    },
    ops::{Conv2d, Conv2dParams, GroupNorm, Nhwc, TemporalConv},
    weights::ComponentWeights,
};

/// The epsilons of diffusers' blocks, which no config sets.
const SPATIAL_EPS: f64 = 1e-6;
const TEMPORAL_EPS: f64 = 1e-5;

fn resnet(weights: &ComponentWeights, index: usize, inputs: usize, outputs: usize) -> Result<SpatioTemporalResBlock> {
    let params = SpatioTemporalResParams {
        inputs,
        outputs,
        time_channels: None,
        groups: GROUPS,
        spatial_eps: SPATIAL_EPS,
        temporal_eps: TEMPORAL_EPS,
        mix: Mix::Temporal,
    };
    SpatioTemporalResBlock::load(&weights.pp("resnets").pp(index), params)
}

/// A residual block, and with two or more to a level an attention and a second one: diffusers' class makes `layers_per_block` of them and
/// one attention, and runs no block that has no attention before it.
#[derive(Debug)]
struct MidBlock {
    first: SpatioTemporalResBlock,
    rest: Option<(PixelAttention, SpatioTemporalResBlock)>,
}

impl MidBlock {
    fn load(weights: &ComponentWeights, channels: usize, layers: usize) -> Result<Self> {
        let rest = || -> Result<_> {
            Ok((PixelAttention::load(&weights.pp("attentions.0"), channels, GROUPS)?, resnet(weights, 1, channels, channels)?))
        };
        Ok(Self { first: resnet(weights, 0, channels, channels)?, rest: (layers > 1).then(rest).transpose()? })
    }

    fn forward(&self, x: &Nhwc, num_frames: usize) -> Result<Nhwc> {
        let hidden = self.first.forward(x, None, num_frames)?;
        match &self.rest {
            Some((attention, second)) => second.forward(&attention.forward(&hidden)?, None, num_frames),
            None => Ok(hidden),
        }
    }
}

/// The decoder.
#[derive(Debug)]
pub(super) struct TemporalDecoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    blocks: Vec<(Vec<SpatioTemporalResBlock>, Option<Upsample2d>)>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    time_conv_out: TemporalConv,
}

impl TemporalDecoder {
    pub(super) fn load(config: &AutoencoderKlTemporalDecoderConfig, weights: &ComponentWeights) -> Result<Self> {
        let widths = &config.block_out_channels;
        let first = widths.first().copied().unwrap_or(0);
        let last = widths.last().copied().unwrap_or(0);
        let mut blocks = Vec::new();
        let mut inputs = last;
        for (index, &channels) in widths.iter().rev().enumerate() {
            let block = weights.pp("up_blocks").pp(index);
            let layer = |i| resnet(&block, i, if i == 0 { inputs } else { channels }, channels);
            let layers = (0..=config.layers_per_block).map(layer).collect::<Result<_>>()?;
            let upsample = (index + 1 < widths.len()).then(|| Upsample2d::load(&block.pp("upsamplers.0"), channels));
            blocks.push((layers, upsample.transpose()?));
            inputs = channels;
        }
        let pixels = config.out_channels;
        Ok(Self {
            conv_in: Conv2d::load(&weights.pp("conv_in"), config.latent_channels, last, Conv2dParams::same(3))?,
            mid_block: MidBlock::load(&weights.pp("mid_block"), last, config.layers_per_block)?,
            blocks,
            conv_norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), first, GROUPS, SPATIAL_EPS)?,
            conv_out: Conv2d::load(&weights.pp("conv_out"), first, pixels, Conv2dParams::same(3))?,
            time_conv_out: TemporalConv::load(&weights.pp("time_conv_out"), pixels, pixels)?,
        })
    }

    /// `x` is [frames, height, width, latent_channels], the frames of one clip.
    pub(super) fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        let (num_frames, ..) = x.dims()?;
        let mut hidden = self.mid_block.forward(&self.conv_in.forward(x)?, num_frames)?;
        for (layers, upsample) in &self.blocks {
            for layer in layers {
                hidden = layer.forward(&hidden, None, num_frames)?;
            }
            if let Some(upsample) = upsample {
                hidden = upsample.forward(&hidden, None)?;
            }
        }
        // Let go of as soon as it is replaced: at full size these are the largest activations of all.
        hidden = self.conv_norm_out.forward_silu(&hidden)?;
        hidden = self.conv_out.forward(&hidden)?;
        let (_, height, width, _) = hidden.dims()?;
        self.time_conv_out.forward(&hidden.clips(num_frames)?)?.frames(height, width)
    }
}
