//! The residual block of video models: one over each frame, then one over the frames of each pixel, blended with a learned share.
//!
//! This module does not depend on UNet or VAE, which differ in the blend and in the epsilons. Invariant: activations keep the frames'
//! order, a clip's frames one after the other, so that a clip is an image ([`Nhwc::clips`]) without a copy. Follows diffusers
//! models/resnet.py (SpatioTemporalResBlock, TemporalResnetBlock, AlphaBlender).
//!
//! The blend costs nothing: the temporal block returns x + h for its input x, so a x + (1 - a) (x + h) = x + (1 - a) h, and (1 - a) is
//! multiplied into the last convolution at load.

use candle_core::Tensor;

use super::resnet::{ResnetBlock2d, ResnetParams};
use crate::{
    Result,
    ops::{Conv2dParams, ConvExtras, GroupNorm, Linear, Nhwc, TemporalConv, repeat_images},
    weights::ComponentWeights,
};

/// The shape of a spatio-temporal residual block.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpatioTemporalResParams {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Channels of the time embedding; `None` in the VAE, which has none.
    pub(super) time_channels: Option<usize>,
    pub(super) groups: usize,
    pub(super) spatial_eps: f64,
    pub(super) temporal_eps: f64,
    /// Of both convolutions of each frame.
    pub(super) conv: Conv2dParams,
    /// The block whose share of the blend is sigmoid(mix_factor).
    pub(super) mix: Mix,
}

/// The block whose share of a blend is sigmoid(mix_factor); the other one has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// The spatial block, as in the UNet.
    Spatial,
    /// The temporal block, as in the VAE (`switch_spatial_to_temporal_mix`).
    Temporal,
}

/// Reads `mix_factor` under `weights` and returns the temporal block's share, in (0, 1).
pub(super) fn temporal_share(weights: &ComponentWeights, mix: Mix) -> Result<f64> {
    let factor = f64::from(weights.in_f32().get(1, "mix_factor")?.squeeze(0)?.to_scalar::<f32>()?);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    Ok(match mix {
        Mix::Spatial => sigmoid(-factor),
        Mix::Temporal => sigmoid(factor),
    })
}

/// norm, silu, conv over frames, + time embedding, norm, silu, conv over frames, + input; norms over a whole clip.
#[derive(Debug)]
struct TemporalResnetBlock {
    norm1: GroupNorm,
    conv1: TemporalConv,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    /// Scaled by the block's share of the blend.
    conv2: TemporalConv,
}

impl TemporalResnetBlock {
    fn load(weights: &ComponentWeights, params: &SpatioTemporalResParams, share: f64) -> Result<Self> {
        let (channels, groups, eps) = (params.outputs, params.groups, params.temporal_eps);
        let time_emb_proj = params.time_channels.map(|time| Linear::load(&weights.pp("time_emb_proj"), time, channels, true));
        Ok(Self {
            norm1: GroupNorm::load(&weights.pp("norm1"), channels, groups, eps)?,
            conv1: TemporalConv::load(&weights.pp("conv1"), channels, channels)?,
            time_emb_proj: time_emb_proj.transpose()?,
            norm2: GroupNorm::load(&weights.pp("norm2"), channels, groups, eps)?,
            conv2: TemporalConv::load_scaled(&weights.pp("conv2"), channels, channels, share)?,
        })
    }

    fn forward(&self, clips: &Nhwc, time: Option<&Tensor>) -> Result<Nhwc> {
        let per_clip = match (&self.time_emb_proj, time) {
            (Some(project), Some(time)) => Some(repeat_images(&project.forward(time)?, clips.dims()?.0)?),
            _ => None,
        };
        // Reassigned, so that each activation is freed when it is replaced.
        let mut hidden = self.norm1.forward_silu(clips)?;
        hidden = self.conv1.forward_with(&hidden, ConvExtras { per_image: per_clip.as_ref(), ..ConvExtras::default() })?;
        hidden = self.norm2.forward_silu(&hidden)?;
        self.conv2.forward_with(&hidden, ConvExtras { residual: Some(clips), ..ConvExtras::default() })
    }
}

/// A residual block over each frame, then one over the frames of each pixel.
#[derive(Debug)]
pub(super) struct SpatioTemporalResBlock {
    spatial: ResnetBlock2d,
    temporal: TemporalResnetBlock,
}

impl SpatioTemporalResBlock {
    pub(super) fn load(weights: &ComponentWeights, params: SpatioTemporalResParams) -> Result<Self> {
        let SpatioTemporalResParams { inputs, outputs, time_channels, groups, spatial_eps, conv, mix, .. } = params;
        let spatial = ResnetParams { inputs, outputs, time_channels, groups, eps: spatial_eps, output_scale: 1.0, conv };
        let share = temporal_share(&weights.pp("time_mixer"), mix)?;
        Ok(Self {
            spatial: ResnetBlock2d::load(&weights.pp("spatial_res_block"), spatial)?,
            temporal: TemporalResnetBlock::load(&weights.pp("temporal_res_block"), &params, share)?,
        })
    }

    /// `x` is [clips * num_frames, height, width, inputs], a clip's frames one after the other; `time` is [clips, time_channels], after
    /// its SiLU. The result is [clips * num_frames, height, width, outputs].
    pub(super) fn forward(&self, x: &Nhwc, time: Option<&Tensor>, num_frames: usize) -> Result<Nhwc> {
        let (_, height, width, _) = x.dims()?;
        let clips = self.spatial.forward_clips(x, time, num_frames)?.clips(num_frames)?;
        self.temporal.forward(&clips, time)?.frames(height, width)
    }
}
