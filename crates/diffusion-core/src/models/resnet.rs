//! The residual block and the two resamplers that UNet and VAE share. Follows diffusers models/{resnet,downsampling,upsampling}.py.

use candle_core::Tensor;

use crate::{
    Result,
    ops::{Conv2d, Conv2dParams, ConvExtras, GroupNorm, Linear, Nhwc, repeat_images, repeat_rows, silu},
    weights::ComponentWeights,
};

/// The shape of a residual block.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResnetParams {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Channels of the time embedding; `None` in the VAE, which has none.
    pub(super) time_channels: Option<usize>,
    pub(super) groups: usize,
    pub(super) eps: f64,
    /// Divisor of the block's result (mid_block_scale_factor).
    pub(super) output_scale: f64,
    /// Of both convolutions.
    pub(super) conv: Conv2dParams,
}

/// norm, silu, conv, + time embedding, norm, silu, conv, + shortcut.
#[derive(Debug)]
pub(super) struct ResnetBlock2d {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
    output_scale: f64,
}

impl ResnetBlock2d {
    pub(super) fn load(weights: &ComponentWeights, params: ResnetParams) -> Result<Self> {
        let ResnetParams { inputs, outputs, time_channels, groups, eps, output_scale, conv } = params;
        let time_emb_proj =
            time_channels.map(|channels| Linear::load(&weights.pp("time_emb_proj"), channels, outputs, true)).transpose()?;
        let shortcut = (inputs != outputs).then(|| Conv2d::load(&weights.pp("conv_shortcut"), inputs, outputs, Conv2dParams::same(1)));
        Ok(Self {
            norm1: GroupNorm::load(&weights.pp("norm1"), inputs, groups, eps)?,
            conv1: Conv2d::load(&weights.pp("conv1"), inputs, outputs, conv)?,
            time_emb_proj,
            norm2: GroupNorm::load(&weights.pp("norm2"), outputs, groups, eps)?,
            conv2: Conv2d::load(&weights.pp("conv2"), outputs, outputs, conv)?,
            shortcut: shortcut.transpose()?,
            output_scale,
        })
    }

    /// `time` is [batch or a divisor of it, time_channels], after its SiLU; images share its rows as in [`repeat_images`].
    pub(super) fn forward(&self, x: &Nhwc, time: Option<&Tensor>) -> Result<Nhwc> {
        let images = x.dims()?.0;
        self.run(x, self.project(time)?.map(|time| repeat_images(&time, images)).transpose()?)
    }

    /// [`Self::forward`] without a time embedding, for activations that nobody else holds: a block that changes the channels uses their
    /// memory as soon as it can. In a decode these are the largest activations.
    pub(super) fn forward_owned(&self, x: Nhwc) -> Result<Nhwc> {
        let Some(shortcut) = &self.shortcut else { return self.run(&x, None) };
        let projected = shortcut.forward(&x)?;
        let mut hidden = self.norm1.silu_of_owned(x)?;
        hidden = self.conv1.forward(&hidden)?;
        self.finish(hidden, &projected)
    }

    /// [`Self::forward`] for frames of clips: `time` is [clips, time_channels], and the `num_frames` frames of a clip share its row.
    pub(super) fn forward_clips(&self, x: &Nhwc, time: Option<&Tensor>, num_frames: usize) -> Result<Nhwc> {
        self.run(x, self.project(time)?.map(|time| repeat_rows(&time, num_frames)).transpose()?)
    }

    fn project(&self, time: Option<&Tensor>) -> Result<Option<Tensor>> {
        self.time_emb_proj.as_ref().zip(time).map(|(project, time)| project.forward(time)).transpose()
    }

    fn run(&self, x: &Nhwc, per_image: Option<Tensor>) -> Result<Nhwc> {
        // Reassigned, so that each activation is freed when it is replaced: these are the largest activations of a decode.
        let mut hidden = self.norm1.forward_silu(x)?;
        hidden = self.conv1.forward_with(&hidden, ConvExtras { per_image: per_image.as_ref(), ..ConvExtras::default() })?;
        let projected = self.shortcut.as_ref().map(|shortcut| shortcut.forward(x)).transpose()?;
        self.finish(hidden, projected.as_ref().unwrap_or(x))
    }

    /// The second half, with the first convolution's result.
    fn finish(&self, hidden: Nhwc, residual: &Nhwc) -> Result<Nhwc> {
        let hidden = self.norm2.silu_of_owned(hidden)?;
        let sum = self.conv2.forward_with(&hidden, ConvExtras { residual: Some(residual), ..ConvExtras::default() })?;
        if self.output_scale == 1.0 { Ok(sum) } else { sum.scale(1.0 / self.output_scale) }
    }
}

/// Halves height and width with a 3x3 convolution of stride 2.
#[derive(Debug)]
pub(super) struct Downsample2d(Conv2d);

impl Downsample2d {
    /// With `padding` 0 it pads one row and one column of zeros below and to the right only, as the VAE does.
    pub(super) fn load(weights: &ComponentWeights, channels: usize, padding: usize) -> Result<Self> {
        Ok(Self(Conv2d::load(&weights.pp("conv"), channels, channels, Conv2dParams::downsample(padding))?))
    }

    pub(super) fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        self.0.forward(x)
    }
}

/// Nearest-neighbour enlargement followed by a 3x3 convolution.
#[derive(Debug)]
pub(super) struct Upsample2d(Conv2d);

impl Upsample2d {
    pub(super) fn load(weights: &ComponentWeights, channels: usize) -> Result<Self> {
        Ok(Self(Conv2d::load(&weights.pp("conv"), channels, channels, Conv2dParams::upsample())?))
    }

    /// Enlarges to `size` (height, width), or to twice the size.
    pub(super) fn forward(&self, x: &Nhwc, size: Option<(usize, usize)>) -> Result<Nhwc> {
        let (_, height, width, _) = x.dims()?;
        let (height, width) = size.unwrap_or((2 * height, 2 * width));
        self.0.forward_enlarged(x, height, width)
    }
}

/// The SiLU of the time embedding, computed once for all blocks of a call.
pub(super) fn activate_time(time: &Tensor) -> Result<Tensor> {
    silu(time)
}
