//! The layers of a UNet in execution order: as a list derived from the configuration, and loaded.
//!
//! This module must not depend on what a residual block or a transformer computes, which a [`UNetFamily`] defines. Invariants: loading,
//! running and planning all use the list; an activation is freed as soon as it is replaced, unless it is a skip. Follows diffusers
//! models/unets/unet_2d_blocks.py and unet_3d_blocks.py.

use self::LayerShape::{Conv, Downsample, NormSilu, PopSkip, PushSkip, Resnet, Transformer, Upsample};
use super::{
    family::{Site, Stage, UNetFamily},
    shape::UNetShape,
};
use crate::{
    Result,
    models::resnet::{Downsample2d, Upsample2d},
    ops::{Conv2d, Conv2dParams, GroupNorm, Nhwc},
    weights::ComponentWeights,
};

/// A kind of layer, and its channels.
#[derive(Clone, Copy, Debug)]
pub(super) enum LayerShape<'a> {
    Conv {
        inputs: usize,
        outputs: usize,
        kernel: usize,
    },
    /// Changes the channels to those of the site's level.
    Resnet {
        inputs: usize,
        site: Site<'a>,
    },
    Transformer(Site<'a>),
    Downsample(usize),
    Upsample(usize),
    /// Keeps the activations as a skip.
    PushSkip(usize),
    /// Concatenates the latest skip to the activations; with the channels of both.
    PopSkip(usize),
    /// Group norm, then SiLU.
    NormSilu(usize),
}

/// Layers by the names of their weights.
pub(super) type Layers<'a> = Vec<(String, LayerShape<'a>)>;

impl<'a> UNetShape<'a> {
    /// The channels of the skips in their order, and of the middle.
    pub(in crate::models) fn residual_channels(&self) -> (Vec<usize>, usize) {
        let pushed = |(_, layer): (String, LayerShape<'_>)| if let PushSkip(channels) = layer { Some(channels) } else { None };
        let (down, _) = self.layers();
        (down.into_iter().filter_map(pushed).collect(), self.levels.last().map_or(0, |level| level.channels))
    }

    /// Elements of the kernels that are kept [compact](Conv2dParams::compact): in the layers down to and including the middle, and in all.
    pub(in crate::models) fn compact_elements(&self) -> (usize, usize) {
        let of = |layers: Layers<'_>| {
            let elements = layers.into_iter().filter_map(|(_, layer)| {
                let Resnet { inputs, site } = layer else { return None };
                site.level.is_compact().then(|| 9 * site.level.channels * (inputs + site.level.channels))
            });
            elements.fold(0, usize::saturating_add)
        };
        let (down, up) = self.layers();
        let first = of(down);
        (first, first.saturating_add(of(up)))
    }

    /// The layers down to and including the middle, which push skips, and the layers up from there, which pop them.
    pub(super) fn layers(&self) -> (Layers<'a>, Layers<'a>) {
        let (mut down, mut up) = (Layers::new(), Layers::new());
        let (count, first) = (self.levels.len(), self.first_channels());
        let mut channels = first;
        let mut skips = Vec::new();
        let mut push_skip = |down: &mut Layers<'a>, channels| {
            down.push((String::new(), PushSkip(channels)));
            skips.push(channels);
        };
        down.push(("conv_in".into(), Conv { inputs: self.in_channels, outputs: channels, kernel: self.kernels.0 }));
        push_skip(&mut down, channels);
        for (index, level) in self.levels.iter().enumerate() {
            let (block, stage) = (format!("down_blocks.{index}"), Stage::Down);
            for layer in 0..level.layers {
                let transformer_layers = level.transformer_layers.get(layer).copied().unwrap_or(0);
                push_layer(&mut down, &block, layer, &mut channels, Site { stage, level, transformer_layers }, level.down_attention);
                push_skip(&mut down, channels);
            }
            if index + 1 < count {
                down.push((format!("{block}.downsamplers.0"), Downsample(channels)));
                push_skip(&mut down, channels);
            }
        }
        if let Some(level) = self.levels.last().filter(|_| self.has_mid_block) {
            let transformer_layers = level.transformer_layers.first().copied().unwrap_or(0);
            let site = Site { stage: Stage::Middle, level, transformer_layers };
            let residual_blocks: &[bool] = if self.mid_attention { &[true, false] } else { &[false] };
            for (layer, attends) in residual_blocks.iter().enumerate() {
                push_layer(&mut down, "mid_block", layer, &mut channels, site, *attends);
            }
        }
        for (index, level) in self.levels.iter().rev().enumerate() {
            let (block, stage) = (format!("up_blocks.{index}"), Stage::Up);
            for layer in 0..=level.layers {
                channels += skips.pop().unwrap_or(0);
                up.push((String::new(), PopSkip(channels)));
                let transformer_layers = level.up_transformer_layers.get(layer).copied().unwrap_or(0);
                push_layer(&mut up, &block, layer, &mut channels, Site { stage, level, transformer_layers }, level.up_attention);
            }
            if index + 1 < count {
                up.push((format!("{block}.upsamplers.0"), Upsample(channels)));
            }
        }
        up.push(("conv_norm_out".into(), NormSilu(first)));
        up.push(("conv_out".into(), Conv { inputs: first, outputs: self.out_channels, kernel: self.kernels.1 }));
        (down, up)
    }
}

/// Adds a residual block and, if the block `attends`, a transformer.
fn push_layer<'a>(layers: &mut Layers<'a>, block: &str, index: usize, channels: &mut usize, site: Site<'a>, attends: bool) {
    layers.push((format!("{block}.resnets.{index}"), Resnet { inputs: *channels, site }));
    layers.extend(attends.then(|| (format!("{block}.attentions.{index}"), Transformer(site))));
    *channels = site.level.channels;
}

/// A layer with its weights.
#[derive(Debug)]
pub(super) enum Layer<F: UNetFamily> {
    Conv(Conv2d),
    Resnet(F::Resnet),
    Transformer(F::Transformer),
    Downsample(Downsample2d),
    Upsample(Upsample2d),
    PushSkip,
    PopSkip,
    NormSilu(GroupNorm),
}

impl<F: UNetFamily> Layer<F> {
    pub(super) fn load_all(family: &F, layers: Layers<'_>, weights: &ComponentWeights) -> Result<Vec<Self>> {
        let shape = family.shape();
        let load = |(name, layer)| -> Result<Self> {
            let weights = weights.pp(name);
            Ok(match layer {
                Conv { inputs, outputs, kernel } => Self::Conv(Conv2d::load(&weights, inputs, outputs, Conv2dParams::same(kernel))?),
                Resnet { inputs, site } => Self::Resnet(family.load_resnet(&weights, site, inputs)?),
                Transformer(site) => Self::Transformer(family.load_transformer(&weights, site)?),
                Downsample(channels) => Self::Downsample(Downsample2d::load(&weights, channels, shape.downsample_padding)?),
                Upsample(channels) => Self::Upsample(Upsample2d::load(&weights, channels)?),
                PushSkip(_) => Self::PushSkip,
                PopSkip(_) => Self::PopSkip,
                NormSilu(channels) => Self::NormSilu(GroupNorm::load(&weights, channels, shape.norm_out.0, shape.norm_out.1)?),
            })
        };
        layers.into_iter().map(load).collect()
    }

    pub(super) fn transformer(&self) -> Option<&F::Transformer> {
        if let Self::Transformer(transformer) = self { Some(transformer) } else { None }
    }

    /// Runs the layer and frees `x`. A skip with fewer images is repeated as in [`Nhwc::repeat`]. An upsampling layer enlarges to the size
    /// of the next skip, which for odd sizes is not twice the size.
    pub(super) fn forward(&self, x: Nhwc, call: &mut F::Call<'_>, skips: &mut Vec<Nhwc>) -> Result<Nhwc> {
        match self {
            Self::Conv(conv) => conv.forward(&x),
            Self::Resnet(resnet) => F::forward_resnet(resnet, &x, call),
            Self::Transformer(transformer) => F::forward_transformer(transformer, &x, call),
            Self::Downsample(downsample) => downsample.forward(&x),
            Self::Upsample(upsample) => {
                let size = skips.last().map(Nhwc::dims).transpose()?.map(|(_, height, width, _)| (height, width));
                upsample.forward(&x, size)
            }
            Self::PushSkip => {
                skips.push(x.clone());
                Ok(x)
            }
            Self::PopSkip => match skips.pop() {
                Some(skip) => x.concat_channels(&skip.repeat(x.dims()?.0)?),
                None => Err(candle_core::Error::Msg("the UNet's up blocks have more layers than its down blocks".into()).into()),
            },
            Self::NormSilu(norm) => norm.forward_silu(&x),
        }
    }
}
