//! The layers of an encoder and of a decoder in execution order, derived from the configuration alone.
//!
//! Invariant: loading, running and planning all use this list. Follows diffusers models/autoencoders/vae.py, TemporalDecoder of
//! autoencoder_kl_temporal_decoder.py, and the temporal decoder's blocks of models/unets/unet_3d_blocks.py.

use self::LayerShape::{Attention, Conv, Downsample, NormSilu, Resnet, TemporalConv, Upsample};
use super::config::AutoencoderConfig;

/// A kind of layer, and its channels.
#[derive(Clone, Copy, Debug)]
pub(super) enum LayerShape {
    Conv {
        inputs: usize,
        outputs: usize,
    },
    Resnet {
        inputs: usize,
        outputs: usize,
    },
    /// Attention over all pixels.
    Attention(usize),
    Downsample(usize),
    Upsample(usize),
    /// Group norm, then SiLU.
    NormSilu(usize),
    /// A convolution over the frames of a clip.
    TemporalConv(usize),
}

/// Layers by the names of their weights.
pub(super) type Layers = Vec<(String, LayerShape)>;

impl<const TEMPORAL: bool> AutoencoderConfig<TEMPORAL> {
    pub(super) fn encoder_layers(&self) -> Layers {
        let (widths, mut layers) = (&self.block_out_channels, Layers::new());
        let mut channels = widths.first().copied().unwrap_or(0);
        layers.push(("conv_in".into(), Conv { inputs: self.in_channels, outputs: channels }));
        for (level, &outputs) in widths.iter().enumerate() {
            push_resnets(&mut layers, &format!("down_blocks.{level}"), self.layers_per_block, &mut channels, outputs);
            if level + 1 < widths.len() {
                layers.push((format!("down_blocks.{level}.downsamplers.0"), Downsample(outputs)));
            }
        }
        push_middle(&mut layers, channels, self.mid_block_add_attention, true);
        push_head(&mut layers, channels, 2 * self.latent_channels);
        layers
    }

    pub(super) fn decoder_layers(&self) -> Layers {
        let (widths, mut layers) = (&self.block_out_channels, Layers::new());
        let mut channels = widths.last().copied().unwrap_or(0);
        layers.push(("conv_in".into(), Conv { inputs: self.latent_channels, outputs: channels }));
        // diffusers' temporal decoder creates `layers_per_block` residual blocks and one attention in the middle, but runs only the first
        // block, and the pair of attention and second block if there is one.
        let is_whole = !TEMPORAL || self.layers_per_block > 1;
        push_middle(&mut layers, channels, is_whole && self.mid_block_add_attention, is_whole);
        for (level, &outputs) in widths.iter().rev().enumerate() {
            push_resnets(&mut layers, &format!("up_blocks.{level}"), self.layers_per_block + 1, &mut channels, outputs);
            if level + 1 < widths.len() {
                layers.push((format!("up_blocks.{level}.upsamplers.0"), Upsample(outputs)));
            }
        }
        push_head(&mut layers, channels, self.out_channels);
        if TEMPORAL {
            layers.push(("time_conv_out".into(), TemporalConv(self.out_channels)));
        }
        layers
    }
}

fn push_resnets(layers: &mut Layers, block: &str, count: usize, channels: &mut usize, outputs: usize) {
    for index in 0..count {
        layers.push((format!("{block}.resnets.{index}"), Resnet { inputs: *channels, outputs }));
        *channels = outputs;
    }
}

/// The blocks at the coarsest resolution.
fn push_middle(layers: &mut Layers, channels: usize, attends: bool, has_second: bool) {
    let resnet = Resnet { inputs: channels, outputs: channels };
    layers.push(("mid_block.resnets.0".into(), resnet));
    layers.extend(attends.then(|| ("mid_block.attentions.0".into(), Attention(channels))));
    layers.extend(has_second.then(|| ("mid_block.resnets.1".into(), resnet)));
}

fn push_head(layers: &mut Layers, channels: usize, outputs: usize) {
    layers.push(("conv_norm_out".into(), NormSilu(channels)));
    layers.push(("conv_out".into(), Conv { inputs: channels, outputs }));
}
