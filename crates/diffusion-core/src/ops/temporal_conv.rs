//! The convolution over a clip's frames, pixel by pixel: torch's Conv3d with a kernel of (3, 1, 1).
//!
//! Channels-last it is a 2-D convolution of one image for each clip, whose lines are the frames and whose columns are the pixels
//! ([`Nhwc::clips`]), with a kernel three lines tall and one column wide: no frame is moved in memory. This module does not depend on
//! models. Follows torch.nn.Conv3d with padding (1, 0, 0).

use candle_core::DType;

use super::{Conv2d, Conv2dParams, ConvExtras, Nhwc};
use crate::{Result, weights::ComponentWeights};

/// Frames that contribute to an output: its own, the one before and the one after.
const FRAMES: usize = 3;

/// A convolution over three frames that keeps the number of frames.
#[derive(Clone, Debug)]
pub struct TemporalConv(Conv2d);

impl TemporalConv {
    /// Loads `weight` [outputs, inputs, 3, 1, 1] and `bias` \[outputs\].
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(weights: &ComponentWeights, inputs: usize, outputs: usize) -> Result<Self> {
        Self::load_scaled(weights, inputs, outputs, 1.0)
    }

    /// [`Self::load`] with weight and bias multiplied by `scale` in f32 before they are rounded to the model's precision, so that the layer
    /// computes `scale` times the convolution.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load_scaled(weights: &ComponentWeights, inputs: usize, outputs: usize, scale: f64) -> Result<Self> {
        let read = if scale == 1.0 { weights.clone() } else { weights.in_f32() };
        let scaled = |tensor: candle_core::Tensor| -> Result<_> {
            Ok(if scale == 1.0 { tensor } else { (tensor.to_dtype(DType::F32)? * scale)?.to_dtype(weights.dtype())? })
        };
        let weight = read.get((outputs, inputs, FRAMES, 1, 1), "weight")?.reshape((outputs, inputs, FRAMES, 1))?;
        let bias = read.get(outputs, "bias")?;
        Ok(Self(Conv2d::new(&scaled(weight)?, Some(scaled(bias)?), Conv2dParams::same_of((FRAMES, 1)))?))
    }

    /// Convolves clips [clips, frames, pixels, channels] in the layout of [`Nhwc::clips`]; in `extras`, an image is a clip.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the layer's, or an extra has the wrong shape.
    pub fn forward_with(&self, clips: &Nhwc, extras: ConvExtras<'_>) -> Result<Nhwc> {
        self.0.forward_with(clips, extras)
    }

    /// [`Self::forward_with`] without extras.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the layer's.
    pub fn forward(&self, clips: &Nhwc) -> Result<Nhwc> {
        self.0.forward(clips)
    }
}
