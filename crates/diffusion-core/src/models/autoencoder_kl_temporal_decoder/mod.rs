//! AutoencoderKLTemporalDecoder: pictures to latents one by one, latents of a clip to frames together; driven by vae/config.json.
//!
//! Knows nothing of scaling factors beyond holding the number: latents come in already divided by it and go out not yet multiplied. The
//! invariant: frames that are decoded in one call are one clip, and those of another call are not seen. Follows diffusers
//! models/autoencoders/autoencoder_kl_temporal_decoder.py; tiles, which that class lacks, are cut and blended as AutoencoderKL's, all
//! frames together.

mod config;
mod decoder;
mod plan;

use candle_core::{DType, Device, Tensor};

pub use config::AutoencoderKlTemporalDecoderConfig;
pub use plan::TemporalDecoderPlan;

use self::decoder::TemporalDecoder;
use super::{
    LatentDistribution, Tiling,
    autoencoder_kl::{Direction, PictureEncoder},
};
use crate::{Error, Result, ops::Nhwc, weights::ComponentWeights};

/// The autoencoder.
#[derive(Debug)]
pub struct AutoencoderKlTemporalDecoder {
    encoder: PictureEncoder,
    decoder: TemporalDecoder,
    tiling: Option<Tiling>,
    placement: (DType, Device),
    config: AutoencoderKlTemporalDecoderConfig,
}

impl AutoencoderKlTemporalDecoder {
    /// Reads the weights. Pictures of more than 1024 x 1024 pixels are coded in tiles, see [`Tiling`].
    ///
    /// An encoder whose config says `force_upcast` is kept in f32 where the weights are asked for in f16, whose range it exceeds; the
    /// decoder is not, as in diffusers' pipeline.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &AutoencoderKlTemporalDecoderConfig, weights: &ComponentWeights) -> Result<Self> {
        let upcasts = config.force_upcast && weights.dtype() == DType::F16;
        let encoder_weights = if upcasts { weights.in_f32() } else { weights.clone() };
        Ok(Self {
            encoder: PictureEncoder::load(&config.encoder(), &encoder_weights)?,
            decoder: TemporalDecoder::load(config, &weights.pp("decoder"))?,
            tiling: Some(Tiling::default()),
            placement: (weights.dtype(), weights.device().clone()),
            config: config.clone(),
        })
    }

    /// The same model with other tiling; `None` codes every picture whole.
    #[must_use]
    pub fn with_tiling(self, tiling: Option<Tiling>) -> Self {
        Self { tiling, ..self }
    }

    /// When and how it codes pictures in tiles.
    pub fn tiling(&self) -> Option<Tiling> {
        self.tiling
    }

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &AutoencoderKlTemporalDecoderConfig {
        &self.config
    }

    /// Pictures [batch, in_channels, height, width] in [-1, 1] to the distribution of their latents, in the encoder's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the config's or height or width is no multiple of
    /// [`AutoencoderKlTemporalDecoderConfig::factor`].
    pub fn encode(&self, images: &Tensor) -> Result<LatentDistribution> {
        self.encoder.encode(images, self.tiling)
    }

    /// Latents [frames, latent_channels, height, width] of one clip, already divided by the scaling factor, to its frames [frames,
    /// out_channels, factor * height, factor * width] in about [-1, 1] and the model's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the config's.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decode_tiled(latents, self.tiling)
    }

    /// The same with other tiling than the model's own; `None` decodes every picture whole.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`Error::Params`] if the tiling is not one.
    pub fn decode_tiled(&self, latents: &Tensor, tiling: Option<Tiling>) -> Result<Tensor> {
        let factor = self.config.factor();
        let channels = self.config.latent_channels;
        if !matches!(latents.dims(), [frames, found, height, width] if *found == channels && frames * height * width > 0) {
            let expected = format!("[frames, {channels}, height, width]");
            return Err(Error::Shape { what: "latents to decode", expected, found: latents.dims().to_vec() });
        }
        let latents = latents.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        match Tiling::of_picture(tiling, latents.dims(), factor, factor)? {
            Some(tiles) => tiles.run(&latents, factor, Direction::Decode, |tile| self.decode_whole(tile)),
            None => self.decode_whole(&latents),
        }
    }

    /// How large the activations become that a decode of these latents holds, tiles taken into account.
    ///
    /// # Errors
    /// [`Error::Params`] if the tiling is not one.
    pub fn planned(&self, frames: usize, height: usize, width: usize) -> Result<TemporalDecoderPlan> {
        let factor = self.config.factor();
        Ok(match Tiling::of_picture(self.tiling, &[frames, self.config.latent_channels, height, width], factor, factor)? {
            Some(tiles) => {
                let side = tiles.tile_sample_min_size / factor;
                self.config.planned(frames, height.min(side), width.min(side))
            }
            None => self.config.planned(frames, height, width),
        })
    }

    fn decode_whole(&self, latents: &Tensor) -> Result<Tensor> {
        self.decoder.forward(&Nhwc::from_nchw(latents)?)?.to_nchw()
    }
}
