//! The vae/config.json of both classes. Absent fields take the class's defaults.

use serde_json::Value;

use crate::{Result, models::config_reader::ConfigReader};

const FILE: &str = "vae/config.json";

/// vae/config.json of an AutoencoderKL or, if `TEMPORAL`, of an AutoencoderKLTemporalDecoder.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoencoderConfig<const TEMPORAL: bool> {
    /// Channels of the image that is encoded.
    pub in_channels: usize,
    /// Channels of the image that is decoded.
    pub out_channels: usize,
    /// Channels at each resolution, from the finest.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks at each resolution of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Groups of every group norm; 32 if `TEMPORAL`.
    pub norm_num_groups: usize,
    /// Factor of the latents for the UNet, which brings their variance to about 1.
    pub scaling_factor: f64,
    /// Whether the model overflows in f16, according to its makers; if `TEMPORAL`, whether its encoder does.
    pub force_upcast: bool,
    /// Whether a 1x1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1x1 convolution precedes the decoder; not if `TEMPORAL`.
    pub use_post_quant_conv: bool,
    /// Whether encoder and decoder have an attention in the middle; always if `TEMPORAL`, except in a decoder with one layer a resolution.
    pub mid_block_add_attention: bool,
    /// (height, width) of the images that the model was trained on.
    pub sample_size: Option<(usize, usize)>,
}

/// vae/config.json of an AutoencoderKL.
pub type AutoencoderKlConfig = AutoencoderConfig<false>;

/// vae/config.json of an AutoencoderKLTemporalDecoder.
pub type AutoencoderKlTemporalDecoderConfig = AutoencoderConfig<true>;

impl<const TEMPORAL: bool> AutoencoderConfig<TEMPORAL> {
    /// Parses the model's JSON.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(FILE, json)?;
        let mut config = Self {
            in_channels: reader.size("in_channels", 3)?,
            out_channels: reader.size("out_channels", 3)?,
            block_out_channels: reader.sizes("block_out_channels", &[64])?,
            layers_per_block: reader.size("layers_per_block", 1)?,
            latent_channels: reader.size("latent_channels", 4)?,
            norm_num_groups: 32,
            scaling_factor: reader.positive("scaling_factor", 0.18215)?,
            force_upcast: reader.flag("force_upcast", true)?,
            use_quant_conv: true,
            use_post_quant_conv: !TEMPORAL,
            mid_block_add_attention: true,
            sample_size: reader.optional_extent("sample_size")?,
        };
        let down = reader.block_types("down_block_types", &[()], &[("DownEncoderBlock2D", ())])?;
        reader.check_blocks("down_block_types", down.len(), config.block_out_channels.len())?;
        if !TEMPORAL {
            config.read_kl(&reader)?;
        }
        let groups = config.norm_num_groups;
        match config.block_out_channels.iter().find(|channels| !channels.is_multiple_of(groups)) {
            Some(channels) if TEMPORAL => {
                Err(reader.refuse("block_out_channels", format!("{channels} is no multiple of the {groups} groups of a norm")))
            }
            Some(channels) => Err(reader.refuse("norm_num_groups", format!("{groups} does not divide {channels} channels"))),
            None => Ok((config, reader.ignored())),
        }
    }

    /// Reads the fields that only AutoencoderKL has.
    fn read_kl(&mut self, reader: &ConfigReader<'_>) -> Result<()> {
        self.norm_num_groups = reader.size("norm_num_groups", self.norm_num_groups)?;
        self.use_quant_conv = reader.flag("use_quant_conv", true)?;
        self.use_post_quant_conv = reader.flag("use_post_quant_conv", true)?;
        self.mid_block_add_attention = reader.flag("mid_block_add_attention", true)?;
        let up = reader.block_types("up_block_types", &[()], &[("UpDecoderBlock2D", ())])?;
        reader.check_blocks("up_block_types", up.len(), self.block_out_channels.len())?;
        reader.choice("act_fn", (), &[("silu", ()), ("swish", ())])?;
        // Other families' pipelines shift and scale latents by these; Stable Diffusion's pipelines do not read them.
        reader.harmless(&["shift_factor", "latents_mean", "latents_std"]);
        Ok(())
    }

    /// Image pixels along a side for each latent: 8 for Stable Diffusion and Stable Video Diffusion.
    pub fn factor(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1).min(16)
    }
}
