//! The blocks of this UNet: residual blocks over images, and transformers that attend to texts.

use candle_core::Tensor;

use super::UNet2dConfig;
use crate::{
    Result,
    models::{
        embeddings::Sinusoids,
        resnet::{ResnetBlock2d, ResnetParams},
        transformer::{TextReader, Transformer2d, TransformerParams},
        unet::{Site, Stage, UNetFamily, UNetShape},
    },
    ops::Nhwc,
    weights::ComponentWeights,
};

/// Inputs of one call's blocks.
pub(in crate::models) struct Call<'a> {
    /// [batch or a divisor of it, time_channels], after its SiLU.
    pub(in crate::models) time: Tensor,
    pub(in crate::models) text: TextReader<'a>,
}

impl UNetFamily for UNet2dConfig {
    type Resnet = ResnetBlock2d;
    type Transformer = Transformer2d;
    type Call<'a> = Call<'a>;

    fn shape(&self) -> UNetShape<'_> {
        let channels = self.levels.first().map_or(0, |level| level.channels);
        UNetShape {
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            levels: &self.levels,
            has_mid_block: self.has_mid_block,
            mid_attention: self.mid_attention,
            downsample_padding: self.downsample_padding,
            kernels: (self.conv_in_kernel, self.conv_out_kernel),
            norm_out: (self.norm_num_groups, self.norm_eps),
            sinusoids: Sinusoids { channels, flip_sin_to_cos: self.flip_sin_to_cos, freq_shift: self.freq_shift },
            time_channels: self.time_channels,
            time_cond_proj_dim: self.time_cond_proj_dim,
        }
    }

    fn load_resnet(&self, weights: &ComponentWeights, site: Site<'_>, inputs: usize) -> Result<ResnetBlock2d> {
        let params = ResnetParams {
            inputs,
            outputs: site.level.channels,
            time_channels: Some(self.time_channels),
            groups: self.norm_num_groups,
            eps: self.norm_eps,
            output_scale: if site.stage == Stage::Middle { self.mid_block_scale_factor } else { 1.0 },
            conv: site.level.conv3x3(),
        };
        ResnetBlock2d::load(weights, params)
    }

    fn load_transformer(&self, weights: &ComponentWeights, site: Site<'_>) -> Result<Transformer2d> {
        let params = TransformerParams {
            channels: site.level.channels,
            heads: site.level.heads,
            layers: site.transformer_layers,
            cross_attention_dim: site.level.cross_attention_dim,
            groups: self.norm_num_groups,
            // The first attention of the middle is always a self-attention.
            only_cross_attention: site.level.only_cross_attention && site.stage != Stage::Middle,
            upcast_attention: self.upcast_attention,
        };
        Transformer2d::load(weights, &params)
    }

    fn forward_resnet(resnet: &ResnetBlock2d, x: &Nhwc, call: &Call<'_>) -> Result<Nhwc> {
        resnet.forward(x, Some(&call.time))
    }

    fn forward_transformer(transformer: &Transformer2d, x: &Nhwc, call: &mut Call<'_>) -> Result<Nhwc> {
        transformer.forward(x, &mut call.text)
    }
}
