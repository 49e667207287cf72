//! The shapes of a product's operands, and the operands of its epilogue.

use super::{Basis, Packed};

/// Steps of a pair of columns that are multiplied with all rows of a batch before the next steps: 24 KiB of weights in the L1 cache.
pub(crate) const GROUP_STEPS: usize = 12;

/// Operands of the epilogue, applied to a product's sums before they are rounded to the activations' precision.
#[derive(Clone, Copy, Debug)]
pub struct Extras<'a, T> {
    /// One bias for each output.
    pub bias: Option<&'a [f32]>,
    /// [images, outputs]: an additional bias for each output of each image.
    pub per_image: Option<&'a [f32]>,
    /// Added to the sums; has the output's shape.
    pub residual: Option<&'a [T]>,
    /// Whether negative sums become 0 (ReLU) before the blend; NaN stays NaN.
    pub relu: bool,
    /// What negative sums of each output are multiplied by before the blend (a leaky or parametric ReLU). Not for a gated weight.
    pub slopes: Option<&'a [f32]>,
    /// The final blend with another activation.
    pub blend: Option<Blend<'a, T>>,
}

/// A linear blend with a result: (1 - share) * other + share * result, or other + share * result.
#[derive(Clone, Copy, Debug)]
pub struct Blend<'a, T> {
    /// Has the output's shape.
    pub other: &'a [T],
    /// The result's share.
    pub share: f32,
    /// Whether the other counts as a whole, not only by what the share leaves.
    pub whole: bool,
}

impl<T> Default for Extras<'_, T> {
    fn default() -> Self {
        Self { bias: None, per_image: None, residual: None, relu: false, slopes: None, blend: None }
    }
}

/// Every part of a convolution's input but the last has a multiple of so many channels: a step in either precision.
pub const PART_CHANNELS: usize = 32;

/// Some of the channels of a convolution's input: [images, height, width, channels].
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a, T> {
    /// The activations.
    pub values: &'a [T],
    /// How many channels they have.
    pub channels: usize,
}

/// A convolution's images, kernel and steps.
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    /// Number of images.
    pub images: usize,
    /// (height, width) of an image in memory.
    pub input: (usize, usize),
    /// (height, width) after nearest-neighbour enlargement; equal to `input` if there is none.
    pub enlarged: (usize, usize),
    /// (height, width) of the output.
    pub output: (usize, usize),
    /// (height, width) of the kernel.
    pub kernel: (usize, usize),
    /// Input pixels from one output to the next.
    pub stride: usize,
    /// Zero padding (above, to the left); below and to the right there is as much as the output needs.
    pub pad: (usize, usize),
}

impl ConvShape {
    /// Whether this convolution can use a weight in this basis.
    pub(crate) fn fits(&self, basis: Basis) -> bool {
        let reached = |input: usize, enlarged: usize| match basis {
            Basis::Winograd2 | Basis::Winograd4 => enlarged == input,
            Basis::Doubling => enlarged == 2 * input || enlarged + 1 == 2 * input,
        };
        reached(self.input.0, self.enlarged.0)
            && reached(self.input.1, self.enlarged.1)
            && (self.output, self.kernel, self.stride, self.pad) == (self.enlarged, (3, 3), 1, (1, 1))
    }
}

/// A 3x3 convolution of a chain, with stride 1 and padding 1, and its epilogue.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Packed with nine taps, or for a 3x3 convolution.
    pub weight: &'a Packed,
    /// One bias for each output.
    pub bias: Option<&'a [f32]>,
    /// The link, by its place in the chain, whose input is added to the sums.
    pub adds: Option<usize>,
    /// Whether negative sums become 0 (ReLU); NaN stays NaN.
    pub relu: bool,
}
