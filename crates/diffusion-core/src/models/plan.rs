//! How large the activations of a call become, from the configuration alone: the walk that every model's plan takes.
//!
//! A plan walks its model as `forward` does and counts elements; nothing is run. It must not know models or their configurations. The
//! invariant: the peak is at least what a call holds (weights, a text's keys and values, and the bounded scratch of convolutions and
//! attentions apart), and the largest tensor is the largest of any execution, including the portable one, which stores what the CPU's
//! kernels fuse: enlarged and padded images, values beside their gates.

/// Sizes in elements; multiply by the bytes of an element for bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivationPlan {
    /// The largest single tensor.
    pub largest_elements: usize,
    /// What a UNet's down blocks keep for its up blocks, when all of it waits; an autoencoder keeps nothing.
    pub skip_elements: usize,
    /// The most that is held at any time, skips included, where the feed-forward layers gate as they multiply (the CPU).
    pub peak_elements: usize,
}

/// What residual blocks and transformers work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Each image alone.
    Images,
    /// Each image, then the images of a clip together.
    Clips,
}

/// A plan as it grows, and the activations at the point that the walk has reached.
#[derive(Debug)]
pub(super) struct Walk {
    plan: ActivationPlan,
    blocks: Blocks,
    /// Elements of each skip that waits.
    skips: Vec<usize>,
    images: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Walk {
    /// `images` counts those of all texts, or all frames of all clips.
    pub(super) fn new(blocks: Blocks, images: usize, height: usize, width: usize) -> Self {
        Self { plan: ActivationPlan::default(), blocks, skips: Vec::new(), images, height, width }
    }

    pub(super) fn plan(self) -> ActivationPlan {
        self.plan
    }

    /// A tensor with this many channels for each pixel.
    fn elements(&self, channels: usize) -> usize {
        [self.images, self.height, self.width, channels].into_iter().fold(1, usize::saturating_mul)
    }

    /// Counts `held` elements beside the skips, the largest tensor among them of `largest`.
    fn count(&mut self, largest: usize, held: usize) {
        let waiting = self.skips.iter().fold(0, |sum: usize, skip| sum.saturating_add(*skip));
        self.plan.largest_elements = self.plan.largest_elements.max(largest);
        self.plan.skip_elements = self.plan.skip_elements.max(waiting);
        self.plan.peak_elements = self.plan.peak_elements.max(waiting.saturating_add(held));
    }

    pub(super) fn conv(&mut self, inputs: usize, outputs: usize) {
        // Zeros around each image.
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

    /// To this height and width.
    pub(super) fn upsample(&mut self, channels: usize, height: usize, width: usize) {
        (self.height, self.width) = (height, width);
        self.conv(channels, channels);
    }

    pub(super) fn resnet(&mut self, inputs: usize, outputs: usize) {
        self.conv(inputs, outputs);
        self.conv(outputs, outputs);
        // Held: the input; then its norm and the first result, or the second norm, the shortcut and the sum. A block over clips keeps what
        // each image came to, too.
        let later = match self.blocks {
            Blocks::Images if inputs == outputs => 2,
            Blocks::Images => 3,
            Blocks::Clips => 4,
        };
        self.count(0, self.elements(inputs + (inputs + outputs).max(later * outputs)));
    }

    pub(super) fn transformer(&mut self, channels: usize) {
        // Held: the input and the gated four times the width; of images the tokens before the block and after each attention, and two
        // norms; of clips the tokens before the pair of blocks and between them, those on the way, and a norm.
        let held = match self.blocks {
            Blocks::Images => 10,
            Blocks::Clips => 9,
        };
        // Values and gates side by side are eight times the width.
        self.count(self.elements(8 * channels), self.elements(held * channels));
    }

    /// An autoencoder's attention over all pixels.
    pub(super) fn pixel_attention(&mut self, channels: usize) {
        // Held: the input, its norm, queries, keys, values, what they come to, and the sum.
        self.count(0, self.elements(7 * channels));
    }

    /// Keeps the activations for an up block.
    pub(super) fn push_skip(&mut self, channels: usize) {
        self.skips.push(self.elements(channels));
        self.count(0, 0);
    }

    /// Joins the latest skip to the activations; `joined` counts the channels of both.
    pub(super) fn pop_skip(&mut self, joined: usize) {
        self.skips.pop();
        // Both, and both side by side.
        self.count(self.elements(joined), self.elements(2 * joined));
    }
}
