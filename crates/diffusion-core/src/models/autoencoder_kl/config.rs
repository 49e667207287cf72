//! vae/config.json. Absent fields take the class's defaults.

use serde_json::Value;

use super::plan::{self, AutoencoderKlPlan};
use crate::{Result, models::config_reader::ConfigReader};

const FILE: &str = "vae/config.json";

/// vae/config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoencoderKlConfig {
    /// Channels of the picture that is encoded.
    pub in_channels: usize,
    /// Channels of the picture that is decoded.
    pub out_channels: usize,
    /// Channels at each resolution, from the finest.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks at each resolution of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Groups of every group norm.
    pub norm_num_groups: usize,
    /// Latents are multiplied by this for the UNet, so that their variance is about 1.
    pub scaling_factor: f64,
    /// Whether the model overflows in f16, by its makers' word.
    pub force_upcast: bool,
    /// Whether a 1x1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1x1 convolution precedes the decoder.
    pub use_post_quant_conv: bool,
    /// Whether the middle of encoder and decoder has an attention.
    pub mid_block_add_attention: bool,
    /// The picture's side that the model was trained on.
    pub sample_size: Option<(usize, usize)>,
}

impl AutoencoderKlConfig {
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
            norm_num_groups: reader.size("norm_num_groups", 32)?,
            scaling_factor: reader.positive("scaling_factor", 0.18215)?,
            force_upcast: reader.flag("force_upcast", true)?,
            use_quant_conv: reader.flag("use_quant_conv", true)?,
            use_post_quant_conv: reader.flag("use_post_quant_conv", true)?,
            mid_block_add_attention: reader.flag("mid_block_add_attention", true)?,
            sample_size: reader.optional_extent("sample_size")?,
        };
        let levels = config.block_out_channels.len();
        let down = reader.block_types("down_block_types", &[()], &[("DownEncoderBlock2D", ())])?;
        let up = reader.block_types("up_block_types", &[()], &[("UpDecoderBlock2D", ())])?;
        for (field, found) in [("down_block_types", down.len()), ("up_block_types", up.len())] {
            if found != levels {
                return Err(reader.refuse(field, format!("{found} blocks, but block_out_channels has {levels}")));
            }
        }
        for channels in &config.block_out_channels {
            if !channels.is_multiple_of(config.norm_num_groups) {
                return Err(reader.refuse("norm_num_groups", format!("{} does not divide {channels} channels", config.norm_num_groups)));
            }
        }
        reader.choice("act_fn", (), &[("silu", ()), ("swish", ())])?;
        // Other families' pipelines shift and scale latents by these; Stable Diffusion's do not look at them.
        reader.harmless(&["shift_factor", "latents_mean", "latents_std"]);
        Ok((config, reader.ignored()))
    }

    /// How large the activations become where so many pictures are decoded at once, whole, from latents of that size; computed, nothing is
    /// run.
    pub fn planned_decode(&self, pictures: usize, height: usize, width: usize) -> AutoencoderKlPlan {
        plan::decode(self, pictures, height, width)
    }

    /// The same where pictures of that size in pixels are encoded.
    pub fn planned_encode(&self, pictures: usize, height: usize, width: usize) -> AutoencoderKlPlan {
        plan::encode(self, pictures, height, width)
    }

    /// How many pixels of the picture one latent spans along each side: 8 for Stable Diffusion.
    pub fn factor(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1).min(16)
    }
}
