//! SRVGGNetCompact: 3x3 convolutions at the image's own size, each with a slope for every channel's negative numbers; the last one's channels
//! are the pixels to add to the image enlarged by nearest neighbour.
//!
//! Reference: Real-ESRGAN's archs/srvgg_arch.py.

use candle_core::Tensor;

use super::{BetweenBlocks, same};
use crate::{
    Result,
    ops::{Conv2d, ConvExtras, Nhwc},
    weights::ComponentWeights,
};

#[derive(Debug)]
pub(super) struct Compact {
    /// With the slopes of each channel.
    convs: Vec<(Conv2d, Tensor)>,
    last: Conv2d,
    scale: usize,
}

impl Compact {
    pub(super) fn load(weights: &ComponentWeights, features: usize, convs: usize, scale: usize) -> Result<Self> {
        let body = weights.pp("body");
        let conv = |index: usize| -> Result<(Conv2d, Tensor)> {
            let conv = Conv2d::load(&body.pp(2 * index), if index == 0 { 3 } else { features }, features, same())?;
            Ok((conv, body.pp(2 * index + 1).in_f32().get(features, "weight")?))
        };
        let last = Conv2d::load(&body.pp(2 * convs + 2), features, 3 * scale * scale, same())?;
        Ok(Self { convs: (0..=convs).map(conv).collect::<Result<_>>()?, last, scale })
    }

    pub(super) fn body(&self, input: &Nhwc, between: BetweenBlocks<'_>) -> Result<Nhwc> {
        let mut hidden = input.clone();
        for (index, (conv, slopes)) in self.convs.iter().enumerate() {
            hidden = conv.forward_with(&hidden, ConvExtras { slopes: Some(slopes), ..ConvExtras::default() })?;
            if index > 0 {
                between()?;
            }
        }
        Ok(hidden)
    }

    pub(super) fn tail(&self, features: &Nhwc, input: &Nhwc) -> Result<Nhwc> {
        let pixels = self.last.forward(features)?;
        let (batch, height, width, _) = pixels.dims()?;
        let scale = self.scale;
        // A pixel's channels are colour, line, column.
        let split = pixels.tensor().reshape(&[batch, height, width, 3, scale, scale][..])?;
        let added = split.permute(&[0, 1, 4, 2, 5, 3][..])?;
        let base = input.tensor().reshape(&[batch, height, 1, width, 1, 3][..])?;
        Nhwc::new(added.broadcast_add(&base)?.reshape((batch, height * scale, width * scale, 3))?)
    }
}
