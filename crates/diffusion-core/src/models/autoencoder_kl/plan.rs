//! How large the activations of a decode or an encode become, from the config alone.
//!
//! Walks the coder as `forward` does and counts elements; nothing is run. The invariant: what is counted is at least what a call holds
//! (weights and the bounded scratch of convolutions and attention apart), and the largest tensor is the largest of any execution, the
//! portable one included, which stores enlarged and padded pictures.

use super::AutoencoderKlConfig;

/// Sizes in elements; times the bytes of an element, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoencoderKlPlan {
    /// The largest tensor of all.
    pub largest_elements: usize,
    /// The most that is held at any time.
    pub peak_elements: usize,
}

struct Walk {
    plan: AutoencoderKlPlan,
    pictures: usize,
    height: usize,
    width: usize,
}

impl Walk {
    fn new(pictures: usize, height: usize, width: usize) -> Self {
        Self { plan: AutoencoderKlPlan::default(), pictures, height, width }
    }

    fn elements(&self, channels: usize) -> usize {
        [self.pictures, self.height, self.width, channels].into_iter().fold(1, usize::saturating_mul)
    }

    fn saw(&mut self, largest: usize, held: usize) {
        self.plan.largest_elements = self.plan.largest_elements.max(largest);
        self.plan.peak_elements = self.plan.peak_elements.max(held);
    }

    fn conv(&mut self, inputs: usize, outputs: usize) {
        // A zero around each picture.
        let padded =
            [self.pictures, self.height.saturating_add(2), self.width.saturating_add(2), inputs].into_iter().fold(1, usize::saturating_mul);
        self.saw(padded.max(self.elements(outputs)), self.elements(inputs + outputs));
    }

    fn resnet(&mut self, inputs: usize, outputs: usize) {
        self.conv(inputs, outputs);
        self.conv(outputs, outputs);
        // The input; then its norm and the first result, or the second norm, the shortcut and the sum.
        let shortcut = if inputs == outputs { 0 } else { outputs };
        self.saw(0, self.elements(inputs + (inputs + outputs).max(2 * outputs + shortcut)));
    }

    fn middle(&mut self, config: &AutoencoderKlConfig, channels: usize) {
        self.resnet(channels, channels);
        if config.mid_block_add_attention {
            // The picture, its norm, queries, keys, values, what they come to, and the sum.
            self.saw(0, self.elements(7 * channels));
        }
    }
}

/// See [`AutoencoderKlConfig::planned_decode`].
pub(super) fn decode(config: &AutoencoderKlConfig, pictures: usize, height: usize, width: usize) -> AutoencoderKlPlan {
    let mut walk = Walk::new(pictures, height, width);
    let widths = &config.block_out_channels;
    let mut inputs = widths.last().copied().unwrap_or(0);
    walk.conv(config.latent_channels, inputs);
    walk.middle(config, inputs);
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
    // The norm beside its input, and the picture.
    walk.saw(0, walk.elements(2 * inputs + config.out_channels));
    walk.conv(inputs, config.out_channels);
    walk.plan
}

/// See [`AutoencoderKlConfig::planned_encode`].
pub(super) fn encode(config: &AutoencoderKlConfig, pictures: usize, height: usize, width: usize) -> AutoencoderKlPlan {
    let mut walk = Walk::new(pictures, height, width);
    let widths = &config.block_out_channels;
    let mut inputs = widths.first().copied().unwrap_or(0);
    walk.conv(config.in_channels, inputs);
    for (index, &channels) in widths.iter().enumerate() {
        for _ in 0..config.layers_per_block {
            walk.resnet(inputs, channels);
            inputs = channels;
        }
        if index + 1 < widths.len() {
            walk.conv(channels, channels);
            (walk.height, walk.width) = (walk.height.div_ceil(2), walk.width.div_ceil(2));
        }
    }
    walk.middle(config, inputs);
    walk.saw(0, walk.elements(2 * inputs));
    walk.conv(inputs, 2 * config.latent_channels);
    walk.plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Result,
        weights::{Component, RandomWeights, WeightSource},
    };

    #[test]
    fn stable_diffusions_coder_is_as_large_as_counted_by_hand() -> Result<()> {
        let config = AutoencoderKlConfig::from_json(&RandomWeights::new("sd15", 0)?.config(Component::Vae)?)?;
        // From 256 to 128 channels at the picture's size: the input, its norm and the first result.
        let found = config.planned_decode(1, 64, 64);
        assert_eq!(found.peak_elements, 512 * 512 * (256 + 256 + 128));
        assert_eq!(found.largest_elements, 514 * 514 * 256);
        // 128 channels at the picture's size, three times.
        assert_eq!(config.planned_encode(1, 512, 512).peak_elements, 512 * 512 * 3 * 128);
        assert_eq!(config.planned_decode(3, 64, 64).peak_elements, 3 * found.peak_elements);
        assert_eq!(config.planned_decode(usize::MAX, usize::MAX / 4, 8).peak_elements, usize::MAX);
        Ok(())
    }
}
