//! UNet2DConditionModel: the noise predictor of Stable Diffusion 1.x and 2.x, driven by unet/config.json.
//!
//! Knows nothing of schedulers or guidance. The invariant: it computes what diffusers' class computes from the same config, or the
//! config is refused. Follows diffusers models/unets/unet_2d_condition.py.

mod blocks;
mod config;

use candle_core::Tensor;

pub use config::UNet2dConfig;

use self::blocks::{DownBlock, MidBlock, UpBlock};
use super::{
    embeddings::{Sinusoids, TimestepEmbedding},
    resnet::activate_time,
};
use crate::{
    Error, Result,
    ops::{Conv2d, Conv2dParams, GroupNorm, Nhwc},
    weights::ComponentWeights,
};

/// The noise predictor.
#[derive(Debug)]
pub struct UNet2dConditionModel {
    sinusoids: Sinusoids,
    time_embedding: TimestepEmbedding,
    conv_in: Conv2d,
    down_blocks: Vec<DownBlock>,
    mid_block: Option<MidBlock>,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UNet2dConfig,
}

impl UNet2dConditionModel {
    /// Reads the weights that the config asks for.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &UNet2dConfig, weights: &ComponentWeights) -> Result<Self> {
        let first = config.first_channels();
        let sinusoids = Sinusoids { channels: first, flip_sin_to_cos: config.flip_sin_to_cos, freq_shift: config.freq_shift };
        let time_embedding =
            TimestepEmbedding::load(&weights.pp("time_embedding"), first, config.time_channels, config.time_cond_proj_dim)?;
        let levels = config.levels.len();
        let (down, up) = (weights.pp("down_blocks"), weights.pp("up_blocks"));
        let same = Conv2dParams::same;
        Ok(Self {
            sinusoids,
            time_embedding,
            conv_in: Conv2d::load(&weights.pp("conv_in"), config.in_channels, first, same(config.conv_in_kernel))?,
            down_blocks: (0..levels).map(|level| DownBlock::load(config, level, &down.pp(level))).collect::<Result<_>>()?,
            mid_block: config.has_mid_block.then(|| MidBlock::load(config, &weights.pp("mid_block"))).transpose()?,
            up_blocks: (0..levels).map(|index| UpBlock::load(config, index, &up.pp(index))).collect::<Result<_>>()?,
            conv_norm_out: GroupNorm::load(&weights.pp("conv_norm_out"), first, config.norm_num_groups, config.norm_eps)?,
            conv_out: Conv2d::load(&weights.pp("conv_out"), first, config.out_channels, same(config.conv_out_kernel))?,
            config: config.clone(),
        })
    }

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &UNet2dConfig {
        &self.config
    }

    /// What the model predicts for noisy latents.
    ///
    /// `sample` is [batch, in_channels, height, width] in any float type; `encoder_hidden_states` [batch, tokens,
    /// cross_attention_dim]; `timestep` may be fractional and is one for the batch; `timestep_cond` [batch or 1, time_cond_proj_dim]
    /// is the guidance embedding of consistency models, and may be left out as in diffusers. The result is [batch, out_channels,
    /// height, width] in the model's precision. Height and width need not be multiples of anything.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not fit the config.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        encoder_hidden_states: &Tensor,
        timestep_cond: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (batch, channels) = match sample.dims() {
            [batch, channels, height, width] if batch * height * width > 0 => (*batch, *channels),
            _ => (0, 0),
        };
        if channels != self.config.in_channels {
            let expected = format!("[batch, {}, height, width]", self.config.in_channels);
            return Err(Error::Shape { what: "the UNet's sample", expected, found: sample.dims().to_vec() });
        }
        if !matches!(encoder_hidden_states.dims(), [found, tokens, _] if *found == batch && *tokens > 0) {
            let (expected, found) = (format!("[{batch}, tokens, channels]"), encoder_hidden_states.dims().to_vec());
            return Err(Error::Shape { what: "encoder_hidden_states", expected, found });
        }
        let (dtype, device) = self.time_embedding.placement();
        let text = encoder_hidden_states.to_dtype(dtype)?.to_device(device)?.contiguous()?;
        let time = self.time_embedding.forward(&self.sinusoids.embed(timestep)?, timestep_cond)?;
        let time = activate_time(&time)?.broadcast_as((batch, self.config.time_channels))?.contiguous()?;

        let sample = sample.to_dtype(dtype)?.to_device(device)?;
        let mut hidden = self.conv_in.forward(&Nhwc::from_nchw(&sample)?)?;
        let mut skips = vec![hidden.clone()];
        for block in &self.down_blocks {
            hidden = block.forward(&hidden, &time, &text, &mut skips)?;
        }
        if let Some(block) = &self.mid_block {
            hidden = block.forward(&hidden, &time, &text)?;
        }
        for block in &self.up_blocks {
            hidden = block.forward(&hidden, &time, &text, &mut skips)?;
        }
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&hidden)?)?.to_nchw()
    }
}
