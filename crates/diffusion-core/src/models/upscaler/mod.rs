//! Upscalers: networks that enlarge an image by a fixed factor, or clean it at its own size.
//!
//! Images go in and out in about [0, 1]. A network is two parts: a body at the image's own size, which does nearly all the work and sees far,
//! and a tail at the size of the result, which takes most of the memory and sees at most [`TAIL_REACH`] pixels of the body's features around
//! its own. A caller may run them on different parts of an image. This module must not know files; the layers' names are Real-ESRGAN's.

mod compact;
mod rrdb;

use candle_core::{DType, Device, Tensor};

use self::{compact::Compact, rrdb::Rrdb};
use crate::{
    Error, Result,
    ops::{Conv2dParams, Nhwc, memory},
    weights::{ComponentWeights, UpscalerConfig},
};

/// How many pixels of the features around its own the tail sees at most: two convolutions at the full size, and one at each smaller one.
pub const TAIL_REACH: usize = 2;

/// Called between the blocks of a body; its error ends the call.
pub type BetweenBlocks<'a> = &'a mut dyn FnMut() -> Result<()>;

/// An upscaler's network.
#[derive(Debug)]
pub struct UpscalerModel {
    net: Net,
    config: UpscalerConfig,
    placement: (DType, Device),
}

#[derive(Debug)]
enum Net {
    Rrdb(Box<Rrdb>),
    Compact(Compact),
}

impl UpscalerModel {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &UpscalerConfig, weights: &ComponentWeights) -> Result<Self> {
        let net = match *config {
            UpscalerConfig::Rrdb { features, growth, blocks, doublings, unshuffle, plus } => {
                Net::Rrdb(Box::new(Rrdb::load(weights, (unshuffle * unshuffle * 3, features, growth), blocks, doublings, plus)?))
            }
            UpscalerConfig::Compact { features, convs, scale } => Net::Compact(Compact::load(weights, features, convs, scale)?),
        };
        Ok(Self { net, config: config.clone(), placement: (weights.dtype(), weights.device().clone()) })
    }

    /// The architecture.
    pub fn config(&self) -> &UpscalerConfig {
        &self.config
    }

    /// Enlarges images [batch, 3, height, width] as a whole, to [batch, 3, scale * height, scale * width].
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of channels, or no pixels.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let [_, 3, height, width] = *images.dims() else {
            let (expected, found) = ("[batch, 3, height, width]".into(), images.dims().to_vec());
            return Err(Error::Shape { what: "image to enlarge", expected, found });
        };
        if height == 0 || width == 0 {
            return Err(Error::Shape { what: "image to enlarge", expected: "some pixels".into(), found: images.dims().to_vec() });
        }
        let input = self.input(images)?;
        let features = self.body(&input, &mut || Ok(()))?;
        let scale = self.config.scale();
        // An image that was filled up to whole blocks of pixels is cut again.
        let enlarged = self.tail(&features, &input)?.to_nchw()?;
        Ok(enlarged.narrow(2, 0, height * scale)?.narrow(3, 0, width * scale)?.contiguous()?)
    }

    /// Images [batch, 3, height, width] as the body takes them: channels-last, in the model's precision and on its device, and with
    /// neighbouring pixels as channels where the network begins so; the last lines are mirrored as far as that needs them.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn input(&self, images: &Tensor) -> Result<Nhwc> {
        let images = images.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        let unshuffle = self.unshuffle();
        if unshuffle == 1 {
            return Nhwc::from_nchw(&images);
        }
        let images = mirrored(&mirrored(&images, 2, unshuffle)?, 3, unshuffle)?;
        let (batch, channels, height, width) = images.dims4()?;
        let (down, across) = (height / unshuffle, width / unshuffle);
        let split = images.reshape(&[batch, channels, down, unshuffle, across, unshuffle][..])?;
        Nhwc::new(split.permute(&[0, 2, 4, 1, 3, 5][..])?.contiguous()?.reshape((batch, down, across, channels * unshuffle * unshuffle))?)
    }

    /// Pixels of a side that are one pixel of [`Self::input`].
    pub fn unshuffle(&self) -> usize {
        match self.config {
            UpscalerConfig::Rrdb { unshuffle, .. } => unshuffle,
            UpscalerConfig::Compact { .. } => 1,
        }
    }

    /// How many of [`Self::input`]'s pixels around its own a pixel of the body depends on: all its 3x3 convolutions after each other.
    pub fn body_reach(&self) -> usize {
        match self.config {
            // The first, five in each of a block's three parts, and the one behind the blocks.
            UpscalerConfig::Rrdb { blocks, .. } => 2 + 15 * blocks,
            UpscalerConfig::Compact { convs, .. } => 1 + convs,
        }
    }

    /// How often [`Self::body`] calls back.
    pub fn body_steps(&self) -> usize {
        match self.config {
            UpscalerConfig::Rrdb { blocks, .. } => blocks,
            UpscalerConfig::Compact { convs, .. } => convs,
        }
    }

    /// The features of [`Self::input`], at its size; `between` is called after each block.
    ///
    /// # Errors
    /// [`Error::Shape`] for other channels than the input's, and what `between` returns.
    pub fn body(&self, input: &Nhwc, between: BetweenBlocks<'_>) -> Result<Nhwc> {
        match &self.net {
            Net::Rrdb(net) => net.body(input, between),
            Net::Compact(net) => net.body(input, between),
        }
    }

    /// The enlarged image, channels-last, from features and the same part of the input.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two differ in size.
    pub fn tail(&self, features: &Nhwc, input: &Nhwc) -> Result<Nhwc> {
        match &self.net {
            Net::Rrdb(net) => net.tail(features),
            Net::Compact(net) => net.tail(features, input),
        }
    }

    /// The factor from [`Self::input`]'s pixels to those of the result.
    pub fn tail_scale(&self) -> usize {
        self.config.scale() * self.unshuffle()
    }
}

/// Numbers that a body holds at a time for each pixel of its input: a block's input and the inner one, what it adds, and the result.
pub(crate) fn body_numbers(config: &UpscalerConfig) -> usize {
    match *config {
        UpscalerConfig::Rrdb { features, growth, .. } => 5 * features + 5 * growth,
        UpscalerConfig::Compact { features, .. } => 3 * features,
    }
}

/// The same of a tail, for each pixel of the result.
pub(crate) fn tail_numbers(config: &UpscalerConfig) -> usize {
    match *config {
        UpscalerConfig::Rrdb { features, .. } => 3 * features,
        UpscalerConfig::Compact { .. } => 12,
    }
}

/// Bytes of the weights in this precision.
pub(crate) fn weight_bytes(config: &UpscalerConfig, dtype: DType, on_cpu: bool) -> u64 {
    let conv = |outputs: usize, inputs: usize| memory::weight_bytes(&[outputs, inputs, 3, 3], dtype, on_cpu);
    match *config {
        UpscalerConfig::Rrdb { features, growth, blocks, doublings, unshuffle, .. } => {
            let dense: u64 =
                (0..4).map(|conv_of| conv(growth, features + conv_of * growth)).sum::<u64>() + conv(features, features + 4 * growth);
            let plain = conv(features, 3 * unshuffle * unshuffle) + conv(features, features) * (2 + doublings as u64) + conv(3, features);
            3 * blocks as u64 * dense + plain
        }
        UpscalerConfig::Compact { features, convs, scale } => {
            conv(features, 3) + conv(features, features) * convs as u64 + conv(3 * scale * scale, features)
        }
    }
}

/// Repeats the last lines backwards, as torch's "reflect", until there is a multiple of `unit` of them. Where there are too few lines to
/// mirror, the last one is repeated.
fn mirrored(images: &Tensor, dim: usize, unit: usize) -> Result<Tensor> {
    let extent = images.dim(dim)?;
    let whole = extent.next_multiple_of(unit);
    if whole == extent {
        return Ok(images.clone());
    }
    let line = |at: usize| if at < extent { at } else { (2 * (extent - 1)).checked_sub(at).unwrap_or(extent - 1) };
    let lines: Vec<u32> = (0..whole).map(|at| line(at) as u32).collect();
    Ok(images.contiguous()?.index_select(&Tensor::from_vec(lines, whole, images.device())?, dim)?)
}

/// A 3x3 convolution that keeps the size.
fn same() -> Conv2dParams {
    Conv2dParams::same(3)
}
