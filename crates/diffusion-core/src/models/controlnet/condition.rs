//! The embedding of a control image: convolutions that reduce it to the latents' size.
//!
//! This module must not depend on what the image shows. Follows `ControlNetConditioningEmbedding` of diffusers
//! models/controlnets/controlnet.py.

use super::ControlNetConfig;
use crate::{
    Result,
    ops::{Conv2d, Conv2dParams, Nhwc, silu},
    weights::ComponentWeights,
};

/// Convolutions, all but the last followed by a SiLU.
#[derive(Debug)]
pub(super) struct ConditioningEmbedding {
    convs: Vec<Conv2d>,
    last: Conv2d,
}

impl ConditioningEmbedding {
    pub(super) fn load(config: &ControlNetConfig, weights: &ComponentWeights) -> Result<Self> {
        let widths = &config.conditioning_embedding_out_channels;
        let conv = |name: String, inputs, outputs, params| Conv2d::load(&weights.pp(name), inputs, outputs, params);
        let (same, halve) = (Conv2dParams::same(3), Conv2dParams::downsample(1));
        let (first, last) = (widths.first().copied().unwrap_or(0), widths.last().copied().unwrap_or(0));
        let mut convs = vec![conv("conv_in".into(), config.conditioning_channels, first, same)?];
        for (index, (inputs, outputs)) in widths.iter().zip(widths.iter().skip(1)).enumerate() {
            convs.push(conv(format!("blocks.{}", 2 * index), *inputs, *inputs, same)?);
            convs.push(conv(format!("blocks.{}", 2 * index + 1), *inputs, *outputs, halve)?);
        }
        let outputs = config.unet.levels.first().map_or(0, |level| level.channels);
        Ok(Self { convs, last: conv("conv_out".into(), last, outputs, same)? })
    }

    pub(super) fn forward(&self, image: &Nhwc) -> Result<Nhwc> {
        let mut hidden = image.clone();
        for conv in &self.convs {
            hidden = Nhwc::new(silu(conv.forward(&hidden)?.tensor())?)?;
        }
        self.last.forward(&hidden)
    }
}
