//! The activations of a decode and an encode, counted along `forward`.

use super::{
    config::AutoencoderConfig,
    layers::{LayerShape, Layers},
};
use crate::models::plan::{ActivationPlan, Blocks, Walk};

impl<const TEMPORAL: bool> AutoencoderConfig<TEMPORAL> {
    /// The activations of decoding this many images, or the frames of a clip, at once and without tiles, from latents of this size. Only
    /// computes; runs nothing.
    pub fn planned_decode(&self, images: usize, height: usize, width: usize) -> ActivationPlan {
        planned(Walk::new(if TEMPORAL { Blocks::Clips } else { Blocks::Images }, images, height, width), self.decoder_layers())
    }

    /// The activations of encoding images of this size in pixels.
    pub fn planned_encode(&self, images: usize, height: usize, width: usize) -> ActivationPlan {
        planned(Walk::new(Blocks::Images, images, height, width), self.encoder_layers())
    }
}

fn planned(mut walk: Walk, layers: Layers) -> ActivationPlan {
    for (_, layer) in layers {
        match layer {
            LayerShape::Conv { inputs, outputs } => walk.conv(inputs, outputs),
            LayerShape::Resnet { inputs, outputs } => walk.resnet(inputs, outputs),
            LayerShape::Attention(channels) => walk.pixel_attention(channels),
            LayerShape::Downsample(channels) => walk.downsample(channels),
            LayerShape::Upsample(channels) => walk.upsample(channels, walk.height.saturating_mul(2), walk.width.saturating_mul(2)),
            LayerShape::NormSilu(channels) => walk.norm(channels),
            LayerShape::TemporalConv(channels) => walk.conv(channels, channels),
        }
    }
    walk.plan()
}

#[cfg(test)]
mod tests {
    use crate::{
        Result,
        models::{AutoencoderKlConfig, AutoencoderKlTemporalDecoderConfig},
        weights::{Component, RandomWeights, WeightSource},
    };

    #[test]
    fn stable_diffusions_plan_matches_a_count_by_hand() -> Result<()> {
        let config = AutoencoderKlConfig::from_json(&RandomWeights::new("sd15", 0)?.config(Component::Vae)?)?;
        // From 256 to 128 channels at the image's size: the input, its norm and the first result.
        let found = config.planned_decode(1, 64, 64);
        assert_eq!(found.peak_elements, 512 * 512 * (256 + 256 + 128));
        assert_eq!(found.largest_elements, 514 * 514 * 256);
        // 128 channels at the image's size, three times.
        assert_eq!(config.planned_encode(1, 512, 512).peak_elements, 512 * 512 * 3 * 128);
        assert_eq!(config.planned_decode(3, 64, 64).peak_elements, 3 * found.peak_elements);
        assert_eq!(config.planned_decode(usize::MAX, usize::MAX / 4, 8).peak_elements, usize::MAX);
        Ok(())
    }

    /// At Stable Video Diffusion's size, 576 x 1024 pixels, the enlarged image of 256 channels is the largest activation: with all 25
    /// frames of the extended model it exceeds 2^31 elements.
    #[test]
    fn a_decode_at_real_size_is_as_large_as_planned() -> Result<()> {
        let config = AutoencoderKlTemporalDecoderConfig::from_json(&RandomWeights::new("svd", 0)?.config(Component::Vae)?)?;
        let largest = |frames: usize| frames * 256 * 578 * 1026;
        for (frames, largest_expected, f16_bytes) in [(1, largest(1), 303_630_336), (14, largest(14), 4_250_824_704)] {
            let found = config.planned_decode(frames, 72, 128);
            assert_eq!(found.largest_elements, largest_expected);
            assert_eq!(2 * found.largest_elements, f16_bytes);
            // A residual block from 256 to 128 channels: its input, and four of its output.
            assert_eq!(found.peak_elements, frames * 576 * 1024 * (256 + 4 * 128));
        }
        assert!(config.planned_decode(14, 72, 128).largest_elements < 1 << 31);
        assert!(config.planned_decode(25, 72, 128).largest_elements > 1 << 31);
        // Frames add up, and absurd sizes saturate instead of overflowing.
        assert_eq!(config.planned_decode(8, 16, 16).peak_elements, 8 * config.planned_decode(1, 16, 16).peak_elements);
        assert_eq!(config.planned_decode(usize::MAX, usize::MAX / 4, 8).peak_elements, usize::MAX);
        Ok(())
    }
}
