//! How large the activations of a decode become, from the config alone.
//!
//! Walks the decoder as `forward` does and counts elements; nothing is run. The invariant: what is counted is at least what a decode
//! holds (weights and the bounded scratch of convolutions and attention apart), and the largest tensor is the largest of any execution,
//! the portable one included, which stores enlarged and padded pictures.

use super::AutoencoderKlTemporalDecoderConfig;

/// Sizes in elements; times the bytes of an element, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemporalDecoderPlan {
    /// The largest tensor of all.
    pub largest_elements: usize,
    /// The most that is held at any time.
    pub peak_elements: usize,
}

struct Walk {
    plan: TemporalDecoderPlan,
    frames: usize,
    height: usize,
    width: usize,
}

impl Walk {
    fn elements(&self, channels: usize) -> usize {
        [self.frames, self.height, self.width, channels].into_iter().fold(1, usize::saturating_mul)
    }

    fn saw(&mut self, largest: usize, held: usize) {
        self.plan.largest_elements = self.plan.largest_elements.max(largest);
        self.plan.peak_elements = self.plan.peak_elements.max(held);
    }

    fn conv(&mut self, inputs: usize, outputs: usize) {
        // A zero around each picture.
        let padded =
            [self.frames, self.height.saturating_add(2), self.width.saturating_add(2), inputs].into_iter().fold(1, usize::saturating_mul);
        self.saw(padded.max(self.elements(outputs)), self.elements(inputs + outputs));
    }

    /// One over each frame, then one over the frames.
    fn resnet(&mut self, inputs: usize, outputs: usize) {
        self.conv(inputs, outputs);
        self.conv(outputs, outputs);
        // The input; then its norm and the first result, or two of those, the shortcut and the sum.
        self.saw(0, self.elements(inputs + (inputs + outputs).max(4 * outputs)));
    }
}

/// See [`AutoencoderKlTemporalDecoderConfig::planned`].
pub(super) fn plan(config: &AutoencoderKlTemporalDecoderConfig, frames: usize, height: usize, width: usize) -> TemporalDecoderPlan {
    let mut walk = Walk { plan: TemporalDecoderPlan::default(), frames, height, width };
    let widths = &config.block_out_channels;
    let mut inputs = widths.last().copied().unwrap_or(0);
    walk.conv(config.latent_channels, inputs);
    walk.resnet(inputs, inputs);
    // Between the middle's blocks: the picture, its norm, queries, keys, values and what they come to.
    walk.saw(0, walk.elements(6 * inputs));
    for (index, &channels) in widths.iter().rev().enumerate() {
        for _ in 0..=config.layers_per_block {
            walk.resnet(inputs, channels);
            inputs = channels;
        }
        if index + 1 < widths.len() {
            (walk.height, walk.width) = (walk.height.saturating_mul(2), walk.width.saturating_mul(2));
            walk.conv(channels, channels);
        }
    }
    walk.conv(inputs, config.out_channels);
    walk.conv(config.out_channels, config.out_channels);
    walk.plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Result,
        weights::{Component, RandomWeights, WeightSource},
    };

    /// At Stable Video Diffusion's size, 576 x 1024 pixels, the enlarged picture of 256 channels is the largest: with all 25 frames of the
    /// extended model it exceeds 2^31 elements.
    #[test]
    fn a_decode_at_real_size_is_as_large_as_planned() -> Result<()> {
        let config = AutoencoderKlTemporalDecoderConfig::from_json(&RandomWeights::new("svd", 0)?.config(Component::Vae)?)?;
        let largest = |frames: usize| frames * 256 * 578 * 1026;
        for (frames, largest_expected, f16_bytes) in [(1, largest(1), 303_630_336), (14, largest(14), 4_250_824_704)] {
            let found = config.planned(frames, 72, 128);
            assert_eq!(found.largest_elements, largest_expected);
            assert_eq!(2 * found.largest_elements, f16_bytes);
            // A residual block from 256 to 128 channels: its input, and four of its output.
            assert_eq!(found.peak_elements, frames * 576 * 1024 * (256 + 4 * 128));
        }
        assert!(config.planned(14, 72, 128).largest_elements < 1 << 31 && config.planned(25, 72, 128).largest_elements > 1 << 31);
        // Frames add up, and nothing overflows where nonsense is asked for.
        assert_eq!(config.planned(8, 16, 16).peak_elements, 8 * config.planned(1, 16, 16).peak_elements);
        assert_eq!(config.planned(usize::MAX, usize::MAX / 4, 8).peak_elements, usize::MAX);
        Ok(())
    }
}
