//! Activation sizes of a call, derived from the configuration alone: the walk that every model's plan uses.
//!
//! A plan walks its model as `forward` does and counts elements; nothing is run. This module must not depend on models or their
//! configurations. Invariant: the peak is at least what a call holds (not counting weights, a text's keys and values, and the bounded
//! scratch of convolutions and attentions), and the largest tensor is the largest of any execution, including the portable one, which
//! materialises what the CPU's kernels fuse: enlarged and padded images, values beside their gates.

/// Sizes in elements; multiply by the element size for bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivationPlan {
    /// The largest single tensor.
    pub largest_elements: usize,
    /// The largest total of the skips that a UNet's down blocks keep for its up blocks; zero for an autoencoder.
    pub skip_elements: usize,
    /// The most that is held at any time, including skips, where the feed-forward layers fuse the gating into the product (the CPU).
    pub peak_elements: usize,
}

/// The unit that residual blocks and transformers work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Each image alone.
    Images,
    /// Each image, then the images of a clip together.
    Clips,
}

/// The plan so far, and the activations at the current point of the walk.
#[derive(Debug)]
pub(super) struct Walk {
    plan: ActivationPlan,
    blocks: Blocks,
    /// Elements of each pending skip.
    skips: Vec<usize>,
    images: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Walk {
    /// `images` is the total over all texts, or over all frames of all clips.
    pub(super) fn new(blocks: Blocks, images: usize, height: usize, width: usize) -> Self {
        Self { plan: ActivationPlan::default(), blocks, skips: Vec::new(), images, height, width }
    }

    pub(super) fn plan(self) -> ActivationPlan {
        self.plan
    }

    /// Elements of a tensor with this many channels for each pixel.
    fn elements(&self, channels: usize) -> usize {
        [self.images, self.height, self.width, channels].into_iter().fold(1, usize::saturating_mul)
    }

    /// Counts `held` elements besides the skips, of which the largest tensor has `largest`.
    fn count(&mut self, largest: usize, held: usize) {
        let waiting = self.skips.iter().fold(0, |sum: usize, skip| sum.saturating_add(*skip));
        self.plan.largest_elements = self.plan.largest_elements.max(largest);
        self.plan.skip_elements = self.plan.skip_elements.max(waiting);
        self.plan.peak_elements = self.plan.peak_elements.max(waiting.saturating_add(held));
    }

    pub(super) fn conv(&mut self, inputs: usize, outputs: usize) {
        // Zero padding around each image.
        let padded =
            [self.images, self.height.saturating_add(2), self.width.saturating_add(2), inputs].into_iter().fold(1, usize::saturating_mul);
        self.count(padded.max(self.elements(outputs)), self.elements(inputs + outputs));
    }

    pub(super) fn norm(&mut self, channels: usize) {
        self.count(0, self.elements(2 * channels));
    }

    pub(super) fn downsample(&mut self, channels: usize) {
        self.conv(channels, channels);
        (self.height, self.width) = (self.height.div_ceil(2), self.width.div_ceil(2));
    }

    /// Changes the size to this height and width.
    pub(super) fn upsample(&mut self, channels: usize, height: usize, width: usize) {
        (self.height, self.width) = (height, width);
        self.conv(channels, channels);
    }

    pub(super) fn resnet(&mut self, inputs: usize, outputs: usize) {
        self.conv(inputs, outputs);
        self.conv(outputs, outputs);
        // Held: the input; then its norm and the first result, or the second norm, the shortcut and the sum. A block over clips also keeps
        // each image's own result.
        let later = match self.blocks {
            Blocks::Images if inputs == outputs => 2,
            Blocks::Images => 3,
            Blocks::Clips => 4,
        };
        self.count(0, self.elements(inputs + (inputs + outputs).max(later * outputs)));
    }

    /// Convolutions of one width whose result is added to their input.
    pub(super) fn residual_convs(&mut self, channels: usize) {
        self.conv(channels, channels);
        // The input, a result, and the next one.
        self.count(0, self.elements(3 * channels));
    }

    pub(super) fn transformer(&mut self, channels: usize) {
        // Held: the input and the gated activations of four times the width; for images the tokens before the block and after each
        // attention, and two norms; for clips the tokens before the pair of blocks and between them, those being computed, and a norm.
        let held = match self.blocks {
            Blocks::Images => 10,
            Blocks::Clips => 9,
        };
        // Values and gates side by side are eight times the width.
        self.count(self.elements(8 * channels), self.elements(held * channels));
    }

    /// An autoencoder's attention over all pixels.
    pub(super) fn pixel_attention(&mut self, channels: usize) {
        // Held: the input, its norm, queries, keys, values, the attention's result, and the sum.
        self.count(0, self.elements(7 * channels));
    }

    /// Keeps the activations for an up block.
    pub(super) fn push_skip(&mut self, channels: usize) {
        self.skips.push(self.elements(channels));
        self.count(0, 0);
    }

    /// Concatenates the latest skip to the activations; `joined` is the number of channels of both.
    pub(super) fn pop_skip(&mut self, joined: usize) {
        self.skips.pop();
        // Both inputs, and their concatenation.
        self.count(self.elements(joined), self.elements(2 * joined));
    }
}
