//! vae/config.json of a video model. Absent fields take the class's defaults.

use serde_json::Value;

use super::plan::{TemporalDecoderPlan, plan};
use crate::{
    Result,
    models::{AutoencoderKlConfig, AutoencoderKlPlan, config_reader::ConfigReader},
};

const FILE: &str = "vae/config.json";

/// Groups of every group norm: diffusers' class has no field for them.
pub(super) const GROUPS: usize = 32;

/// vae/config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoencoderKlTemporalDecoderConfig {
    /// Channels of the picture that is encoded.
    pub in_channels: usize,
    /// Channels of the pictures that are decoded.
    pub out_channels: usize,
    /// Channels at each resolution, from the finest.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks at each resolution of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Latents are multiplied by this for the UNet, so that their variance is about 1.
    pub scaling_factor: f64,
    /// Whether the encoder overflows in f16, by its makers' word.
    pub force_upcast: bool,
    /// The picture's side that the model was trained on.
    pub sample_size: Option<(usize, usize)>,
}

impl AutoencoderKlTemporalDecoderConfig {
    /// Reads the model's own JSON.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// As [`Self::from_json`], and the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(FILE, json)?;
        let config = Self {
            in_channels: reader.size("in_channels", 3)?,
            out_channels: reader.size("out_channels", 3)?,
            block_out_channels: reader.sizes("block_out_channels", &[64])?,
            layers_per_block: reader.size("layers_per_block", 1)?,
            latent_channels: reader.size("latent_channels", 4)?,
            scaling_factor: reader.positive("scaling_factor", 0.18215)?,
            force_upcast: reader.flag("force_upcast", true)?,
            sample_size: reader.optional_extent("sample_size")?,
        };
        let levels = config.block_out_channels.len();
        let blocks = reader.block_types("down_block_types", &[()], &[("DownEncoderBlock2D", ())])?.len();
        if blocks != levels {
            return Err(reader.refuse("down_block_types", format!("{blocks} blocks, but block_out_channels has {levels}")));
        }
        if let Some(channels) = config.block_out_channels.iter().find(|channels| !channels.is_multiple_of(GROUPS)) {
            return Err(reader.refuse("block_out_channels", format!("{channels} is no multiple of the {GROUPS} groups of a norm")));
        }
        Ok((config, reader.ignored()))
    }

    /// How many pixels of the picture one latent spans along each side: 8 for Stable Video Diffusion.
    pub fn factor(&self) -> usize {
        self.encoder().factor()
    }

    /// How large a decode's activations become, for so many frames of latents of that size; computed, nothing is run.
    pub fn planned(&self, frames: usize, height: usize, width: usize) -> TemporalDecoderPlan {
        plan(self, frames, height, width)
    }

    /// How large an encode's activations become, for so many pictures of that size in pixels; computed, nothing is run.
    pub fn planned_encode(&self, pictures: usize, height: usize, width: usize) -> AutoencoderKlPlan {
        self.encoder().planned_encode(pictures, height, width)
    }

    /// The encoder's part, which is AutoencoderKL's.
    pub(super) fn encoder(&self) -> AutoencoderKlConfig {
        AutoencoderKlConfig {
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            block_out_channels: self.block_out_channels.clone(),
            layers_per_block: self.layers_per_block,
            latent_channels: self.latent_channels,
            norm_num_groups: GROUPS,
            scaling_factor: self.scaling_factor,
            force_upcast: self.force_upcast,
            use_quant_conv: true,
            use_post_quant_conv: false,
            mid_block_add_attention: true,
            sample_size: self.sample_size,
        }
    }
}
