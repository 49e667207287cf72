//! What a product's operands look like, and what happens to its sums.

use super::Basis;

/// Fewer tasks than this are cut across the columns as well.
pub(crate) const TASKS: usize = 8;
/// Steps of a pair of columns that meet all rows of a batch before the next ones come: 24 KiB of weights in the first cache.
pub(crate) const GROUP_STEPS: usize = 12;

/// What is added to a product's sums before they are rounded to the activations' precision.
#[derive(Clone, Copy, Debug)]
pub struct Extras<'a, T> {
    /// A bias of each output.
    pub bias: Option<&'a [f32]>,
    /// [images, outputs]: one more bias of each output of each image.
    pub per_image: Option<&'a [f32]>,
    /// Of the output's shape.
    pub residual: Option<&'a [T]>,
    /// What all of that is then blended with.
    pub blend: Option<Blend<'a, T>>,
}

/// Something that a result is blended with: (1 - share) * other + share * result.
#[derive(Clone, Copy, Debug)]
pub struct Blend<'a, T> {
    /// Of the output's shape.
    pub other: &'a [T],
    /// The result's share.
    pub share: f32,
}

impl<T> Default for Extras<'_, T> {
    fn default() -> Self {
        Self { bias: None, per_image: None, residual: None, blend: None }
    }
}

/// A convolution's pictures and steps.
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    /// Pictures.
    pub images: usize,
    /// (height, width) of a picture as it lies in memory.
    pub input: (usize, usize),
    /// (height, width) that it is enlarged to first, by nearest neighbour; `input` if it isn't.
    pub enlarged: (usize, usize),
    /// (height, width) of the output.
    pub output: (usize, usize),
    /// (height, width) of the kernel.
    pub kernel: (usize, usize),
    /// Steps between outputs.
    pub stride: usize,
    /// Zeros (above, to the left); below and to the right there are as many as the output needs.
    pub pad: (usize, usize),
}

impl ConvShape {
    /// Whether a weight in this basis makes this convolution.
    pub(crate) fn fits(&self, basis: Basis) -> bool {
        let reached = |input: usize, enlarged: usize| match basis {
            Basis::Winograd => enlarged == input,
            Basis::Doubling => enlarged == 2 * input || enlarged + 1 == 2 * input,
        };
        reached(self.input.0, self.enlarged.0)
            && reached(self.input.1, self.enlarged.1)
            && (self.output, self.kernel, self.stride, self.pad) == (self.enlarged, (3, 3), 1, (1, 1))
    }
}
