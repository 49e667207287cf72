//! The first layer of CLIP's and BLIP's image encoders: maps an image to a class token followed by one token for each patch.
//!
//! This module must not depend on weight names or on other layers. Follows CLIPVisionEmbeddings of transformers
//! models/clip/modeling_clip.py and BlipVisionEmbeddings of models/blip/modeling_blip.py, without the interpolation of positions.

use candle_core::Tensor;

use crate::{Error, Result, ops::Linear};

/// Patches along a side of an image; pixels beyond the last whole patch are ignored.
pub(super) fn patches(image_size: usize, patch_size: usize) -> usize {
    image_size / patch_size
}

/// The weights of the first layer, in the shapes of the file.
#[derive(Debug)]
pub(super) struct PatchEmbeddingWeights {
    /// A convolution whose windows do not overlap: [hidden, channels, patch_size, patch_size].
    pub(super) patch: Tensor,
    /// \[hidden\].
    pub(super) patch_bias: Option<Tensor>,
    /// The class token: `hidden` numbers, in a shape that broadcasts to [batch, 1, hidden].
    pub(super) class: Tensor,
    /// [1 + patches * patches, hidden], or the same with a leading dimension of 1.
    pub(super) position: Tensor,
}

/// The first layer of an image encoder.
#[derive(Debug)]
pub(super) struct PatchEmbedding {
    /// The name of the pixels in messages.
    what: &'static str,
    image_size: usize,
    patch_size: usize,
    channels: usize,
    hidden: usize,
    /// The convolution as a matrix product over patches.
    patch: Linear,
    class: Tensor,
    position: Tensor,
}

impl PatchEmbedding {
    /// For images of `image_size` pixels a side. `what` is the name of the pixels in messages.
    ///
    /// # Errors
    /// [`Error::Shape`] if the bias has the wrong shape.
    pub(super) fn new(what: &'static str, image_size: usize, weights: PatchEmbeddingWeights) -> Result<Self> {
        let PatchEmbeddingWeights { patch, patch_bias, class, position } = weights;
        let (hidden, channels, patch_size, _) = patch.dims4()?;
        let patch = Linear::new(&patch.reshape((hidden, channels * patch_size * patch_size))?, patch_bias)?;
        Ok(Self { what, image_size, patch_size, channels, hidden, patch, class, position })
    }

    /// Embeds pixels [batch, channels, image_size, image_size], normalised, in any float type, as [batch, 1 + patches, hidden] in the
    /// model's precision, the class token first.
    ///
    /// # Errors
    /// [`Error::Shape`] if the pixels have the wrong shape.
    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let Self { image_size: side, patch_size: patch, channels, hidden, .. } = *self;
        let batch = match pixels.dims() {
            [batch, found, height, width] if *batch > 0 && (*found, *height, *width) == (channels, side, side) => *batch,
            found => {
                let expected = format!("[batch, {channels}, {side}, {side}]");
                return Err(Error::Shape { what: self.what, expected, found: found.to_vec() });
            }
        };
        let patches = patches(side, patch);
        let pixels = pixels.to_dtype(self.class.dtype())?.to_device(self.class.device())?;
        let whole = pixels.narrow(2, 0, patches * patch)?.narrow(3, 0, patches * patch)?;
        // The weight's order within a patch: channel, line, column.
        let windows = whole.reshape(&[batch, channels, patches, patch, patches, patch][..])?.permute(vec![0, 2, 4, 1, 3, 5])?;
        let windows = windows.contiguous()?.reshape((batch, patches * patches, channels * patch * patch))?;
        let class = self.class.broadcast_as((batch, 1, hidden))?;
        let tokens = Tensor::cat(&[&class, &self.patch.forward(&windows)?], 1)?;
        Ok(tokens.broadcast_add(&self.position)?)
    }
}
