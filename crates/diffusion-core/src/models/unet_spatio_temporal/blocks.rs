//! The blocks of the video UNet: down, middle and up, with or without transformers. Follows diffusers models/unets/unet_3d_blocks.py.
//!
//! The epsilons are those that diffusers' blocks really have: the `resnet_eps=1e-5` that its UNet passes reaches none of them, and
//! the defaults differ from block to block. The invariant: a block's `transformers` come in the order in which its `forward` runs them,
//! for that is the order of the context's vectors.

use candle_core::Tensor;

use super::config::{GROUPS, SpatioTemporalLevel, UNetSpatioTemporalConfig};
use crate::{
    Error, Result,
    models::{
        resnet::{Downsample2d, Upsample2d},
        temporal_resnet::{Mix, SpatioTemporalResBlock, SpatioTemporalResParams},
        temporal_transformer::{ContextReader, SpatioTemporalTransformerParams, TransformerSpatioTemporal},
    },
    ops::Nhwc,
    weights::ComponentWeights,
};

/// Of DownBlockSpatioTemporal and UNetMidBlockSpatioTemporal.
const PLAIN_DOWN_AND_MIDDLE_EPS: f64 = 1e-5;
/// Of CrossAttnDownBlockSpatioTemporal and of both blocks of the way up.
const OTHER_EPS: f64 = 1e-6;

fn resnet_params(config: &UNetSpatioTemporalConfig, inputs: usize, outputs: usize, eps: f64) -> SpatioTemporalResParams {
    let time_channels = Some(config.time_channels());
    SpatioTemporalResParams { inputs, outputs, time_channels, groups: GROUPS, spatial_eps: eps, temporal_eps: eps, mix: Mix::Spatial }
}

fn transformer_params(config: &UNetSpatioTemporalConfig, level: &SpatioTemporalLevel) -> SpatioTemporalTransformerParams {
    SpatioTemporalTransformerParams {
        channels: level.channels,
        heads: level.heads,
        layers: level.transformer_layers,
        cross_attention_dim: config.cross_attention_dim,
    }
}

fn level(config: &UNetSpatioTemporalConfig, index: usize) -> Result<&SpatioTemporalLevel> {
    config.levels.get(index).ok_or_else(|| Error::config("unet/config.json", "block_out_channels", "too few levels"))
}

/// What is the same for all blocks of a call, and the context's vectors for those that take some.
pub(super) struct Call<'a> {
    /// [clips, time_channels], after its SiLU.
    pub(super) time: &'a Tensor,
    pub(super) num_frames: usize,
    pub(super) context: ContextReader<'a>,
}

/// A residual block and the transformer after it, if the block type has them.
#[derive(Debug)]
struct Layer {
    resnet: SpatioTemporalResBlock,
    transformer: Option<TransformerSpatioTemporal>,
}

impl Layer {
    fn load(
        weights: &ComponentWeights,
        index: usize,
        resnet: SpatioTemporalResParams,
        transformer: Option<&SpatioTemporalTransformerParams>,
    ) -> Result<Self> {
        let attentions = weights.pp("attentions").pp(index);
        let transformer = transformer.map(|params| TransformerSpatioTemporal::load(&attentions, params)).transpose()?;
        Ok(Self { resnet: SpatioTemporalResBlock::load(&weights.pp("resnets").pp(index), resnet)?, transformer })
    }

    /// Lets go of `x` before the transformer.
    fn forward(&self, x: Nhwc, call: &mut Call<'_>) -> Result<Nhwc> {
        let hidden = self.resnet.forward(&x, Some(call.time), call.num_frames)?;
        drop(x);
        match &self.transformer {
            Some(transformer) => transformer.forward(&hidden, &mut call.context, call.num_frames),
            None => Ok(hidden),
        }
    }
}

/// CrossAttnDownBlockSpatioTemporal or DownBlockSpatioTemporal.
#[derive(Debug)]
pub(super) struct DownBlock {
    layers: Vec<Layer>,
    downsample: Option<Downsample2d>,
}

impl DownBlock {
    pub(super) fn load(config: &UNetSpatioTemporalConfig, index: usize, weights: &ComponentWeights) -> Result<Self> {
        let this = level(config, index)?;
        let before = level(config, index.saturating_sub(1))?.channels;
        let transformer = this.down_attention.then(|| transformer_params(config, this));
        let eps = if this.down_attention { OTHER_EPS } else { PLAIN_DOWN_AND_MIDDLE_EPS };
        let layer = |i: usize| {
            let inputs = if i == 0 { before } else { this.channels };
            Layer::load(weights, i, resnet_params(config, inputs, this.channels, eps), transformer.as_ref())
        };
        let last = index + 1 == config.levels.len();
        let downsample = (!last).then(|| Downsample2d::load(&weights.pp("downsamplers.0"), this.channels, 1));
        Ok(Self { layers: (0..this.layers).map(layer).collect::<Result<_>>()?, downsample: downsample.transpose()? })
    }

    pub(super) fn transformers(&self) -> impl Iterator<Item = &TransformerSpatioTemporal> {
        self.layers.iter().filter_map(|layer| layer.transformer.as_ref())
    }

    /// Pushes every layer's result onto `skips`.
    pub(super) fn forward(&self, mut hidden: Nhwc, call: &mut Call<'_>, skips: &mut Vec<Nhwc>) -> Result<Nhwc> {
        for layer in &self.layers {
            hidden = layer.forward(hidden, call)?;
            skips.push(hidden.clone());
        }
        if let Some(downsample) = &self.downsample {
            hidden = downsample.forward(&hidden)?;
            skips.push(hidden.clone());
        }
        Ok(hidden)
    }
}

/// UNetMidBlockSpatioTemporal.
#[derive(Debug)]
pub(super) struct MidBlock {
    first: SpatioTemporalResBlock,
    transformer: TransformerSpatioTemporal,
    second: SpatioTemporalResBlock,
}

impl MidBlock {
    pub(super) fn load(config: &UNetSpatioTemporalConfig, weights: &ComponentWeights) -> Result<Self> {
        let this = level(config, config.levels.len().saturating_sub(1))?;
        let resnet = resnet_params(config, this.channels, this.channels, PLAIN_DOWN_AND_MIDDLE_EPS);
        Ok(Self {
            first: SpatioTemporalResBlock::load(&weights.pp("resnets.0"), resnet)?,
            // However many layers the level's other transformers have: diffusers hands its list of one block's layers on.
            transformer: TransformerSpatioTemporal::load(&weights.pp("attentions.0"), &transformer_params(config, this))?,
            second: SpatioTemporalResBlock::load(&weights.pp("resnets.1"), resnet)?,
        })
    }

    pub(super) fn transformer(&self) -> &TransformerSpatioTemporal {
        &self.transformer
    }

    pub(super) fn forward(&self, hidden: Nhwc, call: &mut Call<'_>) -> Result<Nhwc> {
        let hidden = self.first.forward(&hidden, Some(call.time), call.num_frames)?;
        let hidden = self.transformer.forward(&hidden, &mut call.context, call.num_frames)?;
        self.second.forward(&hidden, Some(call.time), call.num_frames)
    }
}

/// CrossAttnUpBlockSpatioTemporal or UpBlockSpatioTemporal.
#[derive(Debug)]
pub(super) struct UpBlock {
    layers: Vec<Layer>,
    upsample: Option<Upsample2d>,
}

impl UpBlock {
    /// `index` counts from the coarsest resolution, as diffusers' up_blocks do.
    pub(super) fn load(config: &UNetSpatioTemporalConfig, index: usize, weights: &ComponentWeights) -> Result<Self> {
        let depth = config.levels.len().saturating_sub(index + 1);
        let this = level(config, depth)?;
        let below = level(config, (depth + 1).min(config.levels.len().saturating_sub(1)))?.channels;
        let above = level(config, depth.saturating_sub(1))?.channels;
        let transformer = this.up_attention.then(|| transformer_params(config, this));
        let layer = |i: usize| {
            let hidden = if i == 0 { below } else { this.channels };
            let skip = if i == this.layers { above } else { this.channels };
            Layer::load(weights, i, resnet_params(config, hidden + skip, this.channels, OTHER_EPS), transformer.as_ref())
        };
        let upsample = (depth > 0).then(|| Upsample2d::load(&weights.pp("upsamplers.0"), this.channels));
        Ok(Self { layers: (0..=this.layers).map(layer).collect::<Result<_>>()?, upsample: upsample.transpose()? })
    }

    pub(super) fn transformers(&self) -> impl Iterator<Item = &TransformerSpatioTemporal> {
        self.layers.iter().filter_map(|layer| layer.transformer.as_ref())
    }

    /// Pops a skip for every layer. Enlarges to the size of the next skip, which for odd sizes is not twice this one's.
    pub(super) fn forward(&self, mut hidden: Nhwc, call: &mut Call<'_>, skips: &mut Vec<Nhwc>) -> Result<Nhwc> {
        for layer in &self.layers {
            let Some(skip) = skips.pop() else {
                return Err(candle_core::Error::Msg("the UNet's way up has more layers than its way down".into()).into());
            };
            hidden = hidden.concat_channels(&skip)?;
            drop(skip);
            hidden = layer.forward(hidden, call)?;
        }
        if let Some(upsample) = &self.upsample {
            let size = skips.last().map(Nhwc::dims).transpose()?.map(|(_, height, width, _)| (height, width));
            hidden = upsample.forward(&hidden, size)?;
        }
        Ok(hidden)
    }
}
