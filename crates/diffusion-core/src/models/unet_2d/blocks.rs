//! The blocks of the UNet: down, middle and up, with or without transformers. Follows diffusers models/unets/unet_2d_blocks.py.
//!
//! The invariant: a block's `transformers` come in the order in which its `forward` runs them, for that is the order of the text's keys
//! and values.

use candle_core::Tensor;

use super::config::{UNet2dConfig, UNetLevel};
use crate::{
    Error, Result,
    models::{
        resnet::{Downsample2d, ResnetBlock2d, ResnetParams, Upsample2d},
        transformer::{TextReader, Transformer2d, TransformerParams},
    },
    ops::Nhwc,
    weights::ComponentWeights,
};

fn resnet_params(config: &UNet2dConfig, inputs: usize, outputs: usize) -> ResnetParams {
    let (groups, eps) = (config.norm_num_groups, config.norm_eps);
    ResnetParams { inputs, outputs, time_channels: Some(config.time_channels), groups, eps, output_scale: 1.0 }
}

fn transformer_params(config: &UNet2dConfig, level: &UNetLevel) -> TransformerParams {
    TransformerParams {
        channels: level.channels,
        heads: level.heads,
        layers: level.transformer_layers,
        cross_attention_dim: level.cross_attention_dim,
        groups: config.norm_num_groups,
        only_cross_attention: level.only_cross_attention,
        upcast_attention: config.upcast_attention,
    }
}

fn level(config: &UNet2dConfig, index: usize) -> Result<&UNetLevel> {
    config.levels.get(index).ok_or_else(|| Error::config("unet/config.json", "block_out_channels", "too few levels"))
}

/// A residual block and the transformer after it, if the block type has them.
#[derive(Debug)]
struct Layer {
    resnet: ResnetBlock2d,
    transformer: Option<Transformer2d>,
}

impl Layer {
    fn load(weights: &ComponentWeights, index: usize, resnet: ResnetParams, transformer: Option<&TransformerParams>) -> Result<Self> {
        let transformer = transformer.map(|params| Transformer2d::load(&weights.pp("attentions").pp(index), params)).transpose()?;
        Ok(Self { resnet: ResnetBlock2d::load(&weights.pp("resnets").pp(index), resnet)?, transformer })
    }

    fn forward(&self, x: &Nhwc, time: &Tensor, text: &mut TextReader<'_>) -> Result<Nhwc> {
        let x = self.resnet.forward(x, Some(time))?;
        match &self.transformer {
            Some(transformer) => transformer.forward(&x, text),
            None => Ok(x),
        }
    }
}

/// CrossAttnDownBlock2D or DownBlock2D.
#[derive(Debug)]
pub(super) struct DownBlock {
    layers: Vec<Layer>,
    downsample: Option<Downsample2d>,
}

impl DownBlock {
    pub(super) fn load(config: &UNet2dConfig, index: usize, weights: &ComponentWeights) -> Result<Self> {
        let this = level(config, index)?;
        let before = level(config, index.saturating_sub(1))?.channels;
        let transformer = this.down_attention.then(|| transformer_params(config, this));
        let layer = |i: usize| {
            let inputs = if i == 0 { before } else { this.channels };
            Layer::load(weights, i, resnet_params(config, inputs, this.channels), transformer.as_ref())
        };
        let last = index + 1 == config.levels.len();
        let downsample = (!last).then(|| Downsample2d::load(&weights.pp("downsamplers.0"), this.channels, config.downsample_padding));
        Ok(Self { layers: (0..this.layers).map(layer).collect::<Result<_>>()?, downsample: downsample.transpose()? })
    }

    pub(super) fn transformers(&self) -> impl Iterator<Item = &Transformer2d> {
        self.layers.iter().filter_map(|layer| layer.transformer.as_ref())
    }

    /// Pushes every layer's result onto `skips`.
    pub(super) fn forward(&self, x: &Nhwc, time: &Tensor, text: &mut TextReader<'_>, skips: &mut Vec<Nhwc>) -> Result<Nhwc> {
        let mut hidden = x.clone();
        for layer in &self.layers {
            hidden = layer.forward(&hidden, time, text)?;
            skips.push(hidden.clone());
        }
        if let Some(downsample) = &self.downsample {
            hidden = downsample.forward(&hidden)?;
            skips.push(hidden.clone());
        }
        Ok(hidden)
    }
}

/// UNetMidBlock2DCrossAttn.
#[derive(Debug)]
pub(super) struct MidBlock {
    first: ResnetBlock2d,
    transformer: Transformer2d,
    second: ResnetBlock2d,
}

impl MidBlock {
    pub(super) fn load(config: &UNet2dConfig, weights: &ComponentWeights) -> Result<Self> {
        let this = level(config, config.levels.len().saturating_sub(1))?;
        let resnet = ResnetParams { output_scale: config.mid_block_scale_factor, ..resnet_params(config, this.channels, this.channels) };
        // The mid block's first attention is always over the picture.
        let transformer = TransformerParams { only_cross_attention: false, ..transformer_params(config, this) };
        Ok(Self {
            first: ResnetBlock2d::load(&weights.pp("resnets.0"), resnet)?,
            transformer: Transformer2d::load(&weights.pp("attentions.0"), &transformer)?,
            second: ResnetBlock2d::load(&weights.pp("resnets.1"), resnet)?,
        })
    }

    pub(super) fn transformer(&self) -> &Transformer2d {
        &self.transformer
    }

    pub(super) fn forward(&self, x: &Nhwc, time: &Tensor, text: &mut TextReader<'_>) -> Result<Nhwc> {
        let hidden = self.transformer.forward(&self.first.forward(x, Some(time))?, text)?;
        self.second.forward(&hidden, Some(time))
    }
}

/// CrossAttnUpBlock2D or UpBlock2D.
#[derive(Debug)]
pub(super) struct UpBlock {
    layers: Vec<Layer>,
    upsample: Option<Upsample2d>,
}

impl UpBlock {
    /// `index` counts from the coarsest resolution, as diffusers' up_blocks do.
    pub(super) fn load(config: &UNet2dConfig, index: usize, weights: &ComponentWeights) -> Result<Self> {
        let depth = config.levels.len().saturating_sub(index + 1);
        let this = level(config, depth)?;
        let below = level(config, (depth + 1).min(config.levels.len().saturating_sub(1)))?.channels;
        let above = level(config, depth.saturating_sub(1))?.channels;
        let transformer = this.up_attention.then(|| transformer_params(config, this));
        let layer = |i: usize| {
            let hidden = if i == 0 { below } else { this.channels };
            let skip = if i == this.layers { above } else { this.channels };
            Layer::load(weights, i, resnet_params(config, hidden + skip, this.channels), transformer.as_ref())
        };
        let upsample = (depth > 0).then(|| Upsample2d::load(&weights.pp("upsamplers.0"), this.channels));
        Ok(Self { layers: (0..=this.layers).map(layer).collect::<Result<_>>()?, upsample: upsample.transpose()? })
    }

    pub(super) fn transformers(&self) -> impl Iterator<Item = &Transformer2d> {
        self.layers.iter().filter_map(|layer| layer.transformer.as_ref())
    }

    /// Pops a skip for every layer; one from before the text came in is shared by the images that came of it. Enlarges to the size of the
    /// next skip, which for odd sizes is not twice this one's.
    pub(super) fn forward(&self, x: &Nhwc, time: &Tensor, text: &mut TextReader<'_>, skips: &mut Vec<Nhwc>) -> Result<Nhwc> {
        let mut hidden = x.clone();
        for layer in &self.layers {
            let Some(skip) = skips.pop() else {
                return Err(candle_core::Error::Msg("the UNet's way up has more layers than its way down".into()).into());
            };
            let skip = skip.repeat(hidden.dims()?.0)?;
            hidden = layer.forward(&hidden.concat_channels(&skip)?, time, text)?;
        }
        if let Some(upsample) = &self.upsample {
            let size = skips.last().map(Nhwc::dims).transpose()?.map(|(_, height, width, _)| (height, width));
            hidden = upsample.forward(&hidden, size)?;
        }
        Ok(hidden)
    }
}
