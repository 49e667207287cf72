//! How CLIP's and BLIP's image encoders begin: a picture to one vector a patch, and before them one for the whole.
//!
//! It must not know names of weights, nor layers. Follows CLIPVisionEmbeddings of transformers models/clip/modeling_clip.py and
//! BlipVisionEmbeddings of models/blip/modeling_blip.py, without the interpolation of positions.

use candle_core::Tensor;

use crate::{Error, Result, ops::Linear};

/// Patches along a side of a picture; pixels that make no whole patch are left out.
pub(super) fn patches(image_size: usize, patch_size: usize) -> usize {
    image_size / patch_size
}

/// The tensors that an image encoder begins with, as its file has them.
#[derive(Debug)]
pub(super) struct PatchEmbeddingWeights {
    /// A convolution whose windows do not overlap: [hidden, channels, patch_size, patch_size].
    pub(super) patch: Tensor,
    /// \[hidden\].
    pub(super) patch_bias: Option<Tensor>,
    /// `hidden` numbers, in a shape that broadcasts to [batch, 1, hidden].
    pub(super) class: Tensor,
    /// [1 + patches * patches, hidden], or the same with a one before it.
    pub(super) position: Tensor,
}

/// The first part of an image encoder.
#[derive(Debug)]
pub(super) struct PatchEmbedding {
    /// Which pixels, for messages.
    what: &'static str,
    image_size: usize,
    patch_size: usize,
    channels: usize,
    hidden: usize,
    /// The convolution as a matrix product of patches.
    patch: Linear,
    class: Tensor,
    position: Tensor,
}

impl PatchEmbedding {
    /// For pictures of `image_size` pixels a side. `what` names them in messages.
    ///
    /// # Errors
    /// [`Error::Shape`] if the bias does not fit.
    pub(super) fn new(what: &'static str, image_size: usize, weights: PatchEmbeddingWeights) -> Result<Self> {
        let PatchEmbeddingWeights { patch, patch_bias, class, position } = weights;
        let (hidden, channels, patch_size, _) = patch.dims4()?;
        let patch = Linear::new(&patch.reshape((hidden, channels * patch_size * patch_size))?, patch_bias)?;
        Ok(Self { what, image_size, patch_size, channels, hidden, patch, class, position })
    }

    /// Pixels [batch, channels, image_size, image_size], normalised, in any float type, to [batch, 1 + patches, hidden] in the model's
    /// precision, the whole picture's token first.
    ///
    /// # Errors
    /// [`Error::Shape`] if the pixels do not fit.
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
        // A patch as the weight has it: channel, line, column.
        let windows = whole.reshape(&[batch, channels, patches, patch, patches, patch][..])?.permute(vec![0, 2, 4, 1, 3, 5])?;
        let windows = windows.contiguous()?.reshape((batch, patches * patches, channels * patch * patch))?;
        let class = self.class.broadcast_as((batch, 1, hidden))?;
        let tokens = Tensor::cat(&[&class, &self.patch.forward(&windows)?], 1)?;
        Ok(tokens.broadcast_add(&self.position)?)
    }
}
