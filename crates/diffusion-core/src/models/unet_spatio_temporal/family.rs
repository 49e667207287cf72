//! The blocks of this UNet: residual blocks and transformers over frames and over clips.
//!
//! The epsilons are the ones that diffusers' blocks actually use: the `resnet_eps=1e-5` that its UNet passes reaches none of them, and the
//! defaults differ from block to block.

use candle_core::Tensor;

use super::{UNetSpatioTemporalConfig, config::GROUPS};
use crate::{
    Result,
    models::{
        embeddings::Sinusoids,
        temporal_resnet::{Mix, SpatioTemporalResBlock, SpatioTemporalResParams},
        temporal_transformer::{ContextReader, SpatioTemporalTransformerParams, TransformerSpatioTemporal},
        unet::{Site, Stage, UNetFamily, UNetShape},
    },
    ops::Nhwc,
    weights::ComponentWeights,
};

/// The epsilon of DownBlockSpatioTemporal, of UNetMidBlockSpatioTemporal, and of the last group norm.
const PLAIN_DOWN_AND_MIDDLE_EPS: f64 = 1e-5;
/// The epsilon of CrossAttnDownBlockSpatioTemporal and of both up blocks.
const OTHER_EPS: f64 = 1e-6;

/// Inputs of one call's blocks.
pub(in crate::models) struct Call<'a> {
    /// [clips, time_channels], after its SiLU.
    pub(super) time: Tensor,
    pub(super) num_frames: usize,
    pub(super) context: ContextReader<'a>,
}

impl UNetFamily for UNetSpatioTemporalConfig {
    type Resnet = SpatioTemporalResBlock;
    type Transformer = TransformerSpatioTemporal;
    type Call<'a> = Call<'a>;

    fn shape(&self) -> UNetShape<'_> {
        let channels = self.levels.first().map_or(0, |level| level.channels);
        UNetShape {
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            levels: &self.levels,
            has_mid_block: true,
            mid_attention: true,
            downsample_padding: 1,
            kernels: (3, 3),
            norm_out: (GROUPS, PLAIN_DOWN_AND_MIDDLE_EPS),
            sinusoids: Sinusoids { channels, flip_sin_to_cos: true, freq_shift: 0.0 },
            time_channels: self.time_channels(),
            time_cond_proj_dim: None,
        }
    }

    fn load_resnet(&self, weights: &ComponentWeights, site: Site<'_>, inputs: usize) -> Result<SpatioTemporalResBlock> {
        let eps = match site.stage {
            Stage::Middle => PLAIN_DOWN_AND_MIDDLE_EPS,
            Stage::Down if !site.level.down_attention => PLAIN_DOWN_AND_MIDDLE_EPS,
            Stage::Down | Stage::Up => OTHER_EPS,
        };
        let params = SpatioTemporalResParams {
            inputs,
            outputs: site.level.channels,
            time_channels: Some(self.time_channels()),
            groups: GROUPS,
            spatial_eps: eps,
            temporal_eps: eps,
            conv: site.level.conv3x3(),
            mix: Mix::Spatial,
        };
        SpatioTemporalResBlock::load(weights, params)
    }

    fn load_transformer(&self, weights: &ComponentWeights, site: Site<'_>) -> Result<TransformerSpatioTemporal> {
        let params = SpatioTemporalTransformerParams {
            channels: site.level.channels,
            heads: site.level.heads,
            layers: site.transformer_layers,
            cross_attention_dim: self.cross_attention_dim,
        };
        TransformerSpatioTemporal::load(weights, &params)
    }

    fn forward_resnet(resnet: &SpatioTemporalResBlock, x: &Nhwc, call: &Call<'_>) -> Result<Nhwc> {
        resnet.forward(x, Some(&call.time), call.num_frames)
    }

    fn forward_transformer(transformer: &TransformerSpatioTemporal, x: &Nhwc, call: &mut Call<'_>) -> Result<Nhwc> {
        transformer.forward(x, &mut call.context, call.num_frames)
    }
}
