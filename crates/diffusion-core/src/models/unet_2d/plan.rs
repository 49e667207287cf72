//! How large the activations of a call become, from the config alone.
//!
//! Walks the model as `forward` does and counts elements; nothing is run. The invariant: what is counted is at least what a call holds
//! (weights, the texts' keys and values, and the bounded scratch of convolutions and attentions apart), and the largest tensor is the
//! largest of any execution, the portable one included, which stores what the CPU's kernels fuse.

use super::config::UNet2dConfig;

/// Sizes in elements; times the bytes of an element, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UNet2dPlan {
    /// The largest tensor of all.
    pub largest_elements: usize,
    /// What the way down leaves for the way up, when all of it waits.
    pub skip_elements: usize,
    /// The most that is held at any time, skips included, where the feed-forward layers gate as they multiply (the CPU).
    pub peak_elements: usize,
}

struct Walk {
    plan: UNet2dPlan,
    skips: Vec<usize>,
    pictures: usize,
    height: usize,
    width: usize,
}

impl Walk {
    /// A tensor of so many channels for each pixel.
    fn elements(&self, channels: usize) -> usize {
        [self.pictures, self.height, self.width, channels].into_iter().fold(1, usize::saturating_mul)
    }

    fn saw(&mut self, largest: usize, held: usize) {
        let waiting = self.skips.iter().fold(0, |sum: usize, skip| sum.saturating_add(*skip));
        self.plan.largest_elements = self.plan.largest_elements.max(largest);
        self.plan.skip_elements = self.plan.skip_elements.max(waiting);
        self.plan.peak_elements = self.plan.peak_elements.max(waiting.saturating_add(held));
    }

    fn conv(&mut self, inputs: usize, outputs: usize) {
        // A zero around each picture.
        let padded =
            [self.pictures, self.height.saturating_add(2), self.width.saturating_add(2), inputs].into_iter().fold(1, usize::saturating_mul);
        self.saw(padded.max(self.elements(outputs)), self.elements(inputs + outputs));
    }

    /// `beside` are the channels of what else is held.
    fn resnet(&mut self, inputs: usize, outputs: usize, beside: usize) {
        self.conv(inputs, outputs);
        self.conv(outputs, outputs);
        // The input; then its norm and the first result, or two of those, the shortcut and the sum.
        self.saw(0, self.elements(beside + inputs + (inputs + outputs).max(4 * outputs)));
    }

    fn transformer(&mut self, channels: usize, beside: usize) {
        // Values and gates together are eight times the width. Held: the picture, the tokens before the block and after each attention,
        // two norms, and the gated four.
        self.saw(self.elements(8 * channels), self.elements(beside + 10 * channels));
    }

    fn push(&mut self, channels: usize) {
        let skip = self.elements(channels);
        self.skips.push(skip);
        self.saw(0, 0);
    }
}

/// See [`UNet2dConfig::planned`].
pub(super) fn plan(config: &UNet2dConfig, pictures: usize, height: usize, width: usize) -> UNet2dPlan {
    let mut walk = Walk { plan: UNet2dPlan::default(), skips: Vec::new(), pictures, height, width };
    let mut channels = config.first_channels();
    walk.conv(config.in_channels, channels);
    walk.push(channels);
    let mut sizes = Vec::new();
    let mut skip_channels = vec![channels];
    for (index, level) in config.levels.iter().enumerate() {
        sizes.push((walk.height, walk.width));
        for _ in 0..level.layers {
            walk.resnet(channels, level.channels, 0);
            channels = level.channels;
            if level.down_attention {
                walk.transformer(channels, 0);
            }
            walk.push(channels);
            skip_channels.push(channels);
        }
        if index + 1 < config.levels.len() {
            walk.conv(channels, channels);
            (walk.height, walk.width) = (walk.height.div_ceil(2), walk.width.div_ceil(2));
            walk.push(channels);
            skip_channels.push(channels);
        }
    }
    if config.has_mid_block {
        walk.resnet(channels, channels, 0);
        walk.transformer(channels, 0);
        walk.resnet(channels, channels, 0);
    }
    for (index, level) in config.levels.iter().enumerate().rev() {
        // The block's own input is held until it ends.
        let block_input = channels;
        for layer in 0..=level.layers {
            walk.skips.pop();
            let skip = skip_channels.pop().unwrap_or(0);
            // Both, and both side by side.
            let inputs = channels + skip;
            let beside = inputs + if layer > 0 { block_input } else { 0 };
            walk.saw(walk.elements(inputs), walk.elements(beside + inputs));
            walk.resnet(inputs, level.channels, beside);
            channels = level.channels;
            if level.up_attention {
                walk.transformer(channels, beside + inputs);
            }
        }
        if index > 0 {
            if let Some(size) = sizes.get(index - 1) {
                (walk.height, walk.width) = *size;
            }
            walk.conv(channels, channels);
        }
    }
    walk.conv(channels, config.out_channels);
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
    fn stable_diffusions_skips_are_as_large_as_counted_by_hand() -> Result<()> {
        let config = UNet2dConfig::from_json(&RandomWeights::new("sd15", 0)?.config(Component::Unet)?)?;
        let found = config.planned(2, 64, 64);
        let at = |side: usize, channels: usize| 2 * side * side * channels;
        // conv_in and two layers, then a halved one and two layers at each further level.
        let skips = 3 * at(64, 320) + at(32, 320) + 2 * at(32, 640) + at(16, 640) + 2 * at(16, 1280) + 3 * at(8, 1280);
        assert_eq!(found.skip_elements, skips);
        // The feed-forward layers at the finest resolution.
        assert_eq!(found.largest_elements, at(64, 8 * 320));
        // The way up's first layer at the finest resolution: 640 channels and 320, both side by side, the transformer, and two skips left.
        assert_eq!(found.peak_elements, at(64, 640 + 320 + 960 + 10 * 320 + 2 * 320));
        assert_eq!(config.planned(usize::MAX, usize::MAX / 4, 8).peak_elements, usize::MAX);
        Ok(())
    }
}
