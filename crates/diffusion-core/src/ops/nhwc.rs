//! The layout of activations inside `ops` and `models`: channels-last, as a separate type so that it cannot be confused with NCHW.
//!
//! Invariant: the tensor has four dimensions, [batch, height, width, channels], and is contiguous, so that an image can be viewed as a
//! matrix of pixels by channels, or as a sequence of tokens, without a copy.

use candle_core::{D, Tensor};

use super::repeat_images;
use crate::{Error, Result};

/// Activations in [batch, height, width, channels], contiguous.
#[derive(Clone, Debug)]
pub struct Nhwc(Tensor);

impl Nhwc {
    /// Wraps a tensor that is already in [batch, height, width, channels].
    ///
    /// # Errors
    /// [`Error::Shape`] unless it has four dimensions.
    pub fn new(tensor: Tensor) -> Result<Self> {
        if tensor.rank() != 4 {
            let (expected, found) = ("[batch, height, width, channels]".into(), tensor.dims().to_vec());
            return Err(Error::Shape { what: "channels-last activations", expected, found });
        }
        Ok(Self(tensor.contiguous()?))
    }

    /// Converts from [batch, channels, height, width].
    ///
    /// # Errors
    /// [`Error::Shape`] unless it has four dimensions.
    pub fn from_nchw(tensor: &Tensor) -> Result<Self> {
        if tensor.rank() != 4 {
            let (expected, found) = ("[batch, channels, height, width]".into(), tensor.dims().to_vec());
            return Err(Error::Shape { what: "picture or latents", expected, found });
        }
        Self::new(tensor.permute((0, 2, 3, 1))?)
    }

    /// Converts to [batch, channels, height, width], contiguous.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn to_nchw(&self) -> Result<Tensor> {
        Ok(self.0.permute((0, 3, 1, 2))?.contiguous()?)
    }

    /// Converts from tokens [batch, height * width, channels] in row order.
    ///
    /// # Errors
    /// [`Error::Candle`] if the number of tokens is not `height * width`.
    pub fn from_tokens(tokens: &Tensor, height: usize, width: usize) -> Result<Self> {
        let (batch, _, channels) = tokens.dims3()?;
        Self::new(tokens.reshape((batch, height, width, channels))?)
    }

    /// Converts to tokens [batch, height * width, channels], without a copy.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn tokens(&self) -> Result<Tensor> {
        let (batch, height, width, channels) = self.0.dims4()?;
        Ok(self.0.reshape((batch, height * width, channels))?)
    }

    /// Returns (batch, height, width, channels).
    ///
    /// # Errors
    /// None in practice: the invariant is four dimensions.
    pub fn dims(&self) -> Result<(usize, usize, usize, usize)> {
        Ok(self.0.dims4()?)
    }

    /// The tensor in [batch, height, width, channels].
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Concatenates two images along the channels.
    ///
    /// # Errors
    /// [`Error::Candle`] if batch, height or width differ.
    pub fn concat_channels(&self, other: &Self) -> Result<Self> {
        Self::new(Tensor::cat(&[&self.0, &other.0], D::Minus1)?)
    }

    /// Views the frames of clips, [clips * frames, height, width, channels] with a clip's frames one after the other, as one image for each
    /// clip: its lines are the frames, its columns the pixels of a frame, [clips, frames, height * width, channels]. Copies nothing.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of images is no multiple of `num_frames`.
    pub fn clips(&self, num_frames: usize) -> Result<Self> {
        let (images, height, width, channels) = self.dims()?;
        if num_frames == 0 || !images.is_multiple_of(num_frames) {
            let expected = format!("[a multiple of {num_frames} frames, ..]");
            return Err(Error::Shape { what: "frames of clips", expected, found: self.0.dims().to_vec() });
        }
        Ok(Self(self.0.reshape((images / num_frames, num_frames, height * width, channels))?))
    }

    /// The inverse of [`Self::clips`]: the frames as images of this size. Copies nothing.
    ///
    /// # Errors
    /// [`Error::Candle`] if a line does not have `height * width` pixels.
    pub fn frames(&self, height: usize, width: usize) -> Result<Self> {
        let (clips, num_frames, _, channels) = self.dims()?;
        Ok(Self(self.0.reshape((clips * num_frames, height, width, channels))?))
    }

    /// Repeats the sequence of images until there are `batch`, as [`repeat_images`].
    ///
    /// # Errors
    /// [`Error::Shape`] if `batch` is not a positive multiple of the number of images.
    pub fn repeat(&self, batch: usize) -> Result<Self> {
        Ok(Self(repeat_images(&self.0, batch)?))
    }

    /// Adds two images of the same shape.
    ///
    /// # Errors
    /// [`Error::Candle`] if the shapes differ.
    pub fn add(&self, other: &Self) -> Result<Self> {
        Ok(Self((&self.0 + &other.0)?))
    }

    /// Adds images to these, where either may have fewer, which are repeated as in [`Self::repeat`], and `other` one pixel for all.
    ///
    /// # Errors
    /// [`Error::Shape`] if neither number of images divides the other; [`Error::Candle`] if the sizes differ otherwise.
    pub fn add_repeated(&self, other: &Self) -> Result<Self> {
        let images = self.dims()?.0.max(other.dims()?.0);
        Self::new(self.repeat(images)?.0.broadcast_add(&other.repeat(images)?.0)?)
    }

    /// As many images of zeros, then these.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn behind_zeros(&self) -> Result<Self> {
        Self::new(Tensor::cat(&[&self.0.zeros_like()?, &self.0], 0)?)
    }

    /// Multiplies every element by `factor`.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn scale(&self, factor: f64) -> Result<Self> {
        Ok(Self((&self.0 * factor)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn layouts_convert_both_ways() -> Result<()> {
        let nchw = Tensor::arange(0f32, 24., &Device::Cpu)?.reshape((1, 2, 3, 4))?;
        let nhwc = Nhwc::from_nchw(&nchw)?;
        assert_eq!(nhwc.dims()?, (1, 3, 4, 2));
        assert_eq!(nhwc.to_nchw()?.flatten_all()?.to_vec1::<f32>()?, nchw.flatten_all()?.to_vec1::<f32>()?);
        let again = Nhwc::from_tokens(&nhwc.tokens()?, 3, 4)?;
        assert_eq!(again.dims()?, (1, 3, 4, 2));
        assert!(Nhwc::new(nchw.flatten_all()?).is_err());
        Ok(())
    }

    #[test]
    fn frames_are_lines_of_a_clip() -> Result<()> {
        let frames = Nhwc::new(Tensor::arange(0f32, 48., &Device::Cpu)?.reshape((4, 3, 2, 2))?)?;
        let clips = frames.clips(2)?;
        assert_eq!(clips.dims()?, (2, 2, 6, 2));
        assert_eq!(clips.frames(3, 2)?.dims()?, (4, 3, 2, 2));
        assert!(frames.clips(3).is_err() && frames.clips(0).is_err() && clips.frames(2, 2).is_err());
        Ok(())
    }
}
