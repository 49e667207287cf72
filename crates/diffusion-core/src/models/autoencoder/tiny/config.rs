//! vae/config.json of an AutoencoderTiny. Absent fields take the class's defaults.

use serde_json::{Value, json};

use crate::{Result, models::config_reader::ConfigReader};

const FILE: &str = "vae/config.json";

/// vae/config.json of an AutoencoderTiny.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoencoderTinyConfig {
    /// Channels of the image that is encoded.
    pub in_channels: usize,
    /// Channels of the image that is decoded.
    pub out_channels: usize,
    /// Channels of every layer of the encoder.
    pub encoder_channels: usize,
    /// Channels of every layer of the decoder.
    pub decoder_channels: usize,
    /// Blocks at each resolution of the encoder, from the finest.
    pub num_encoder_blocks: Vec<usize>,
    /// Blocks at each resolution of the decoder, from the coarsest.
    pub num_decoder_blocks: Vec<usize>,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Latents are multiplied by this for the noise predictor; 1 in every published model, which makes the predictor's latents itself.
    pub scaling_factor: f64,
}

impl AutoencoderTinyConfig {
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
            encoder_channels: width(&reader, "encoder_block_out_channels", "num_encoder_blocks")?,
            decoder_channels: width(&reader, "decoder_block_out_channels", "num_decoder_blocks")?,
            num_encoder_blocks: reader.sizes("num_encoder_blocks", &[1, 3, 3, 3])?,
            num_decoder_blocks: reader.sizes("num_decoder_blocks", &[3, 3, 3, 1])?,
            latent_channels: reader.size("latent_channels", 4)?,
            scaling_factor: reader.positive("scaling_factor", 1.0)?,
        };
        reader.choice("act_fn", (), &[("relu", ())])?;
        reader.choice("upsample_fn", (), &[("nearest", ())])?;
        reader.only("upsampling_scaling_factor", &json!(2))?;
        if config.num_decoder_blocks.len() != config.num_encoder_blocks.len() {
            let (found, expected) = (config.num_decoder_blocks.len(), config.num_encoder_blocks.len());
            return Err(reader.refuse("num_decoder_blocks", format!("{found} resolutions, but the encoder has {expected}")));
        }
        // The class writes block_out_channels and force_upcast itself and reads neither; the rest maps latents to bytes and back, or is
        // for other families' pipelines.
        reader.harmless(&["block_out_channels", "force_upcast", "latent_magnitude", "latent_shift", "shift_factor"]);
        Ok((config, reader.ignored()))
    }

    /// How many pixels of the image one latent spans along each side: 8 in every published model.
    pub fn factor(&self) -> usize {
        1 << self.num_decoder_blocks.len().saturating_sub(1).min(16)
    }
}

/// The one width of all resolutions: the class joins them without a projection, so it cannot be built with more than one.
fn width(reader: &ConfigReader<'_>, widths: &'static str, blocks: &'static str) -> Result<usize> {
    let channels = reader.sizes(widths, &[64; 4])?;
    let levels = reader.sizes(blocks, &[1; 4])?.len();
    if channels.len() != levels {
        return Err(reader.refuse(widths, format!("{} resolutions, but {blocks} has {levels}", channels.len())));
    }
    let width = channels.first().copied().unwrap_or(64);
    match channels.iter().find(|other| **other != width) {
        Some(other) => Err(reader.refuse(widths, format!("unsupported value {other} beside {width}; all resolutions have the same width"))),
        None => Ok(width),
    }
}
