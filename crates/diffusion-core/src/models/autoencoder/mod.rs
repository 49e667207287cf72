//! AutoencoderKL and AutoencoderKLTemporalDecoder: convert between images and latents, driven by vae/config.json.
//!
//! Both encode each image alone. AutoencoderKL decodes each image alone, AutoencoderKLTemporalDecoder decodes the frames of a clip
//! together: the frames of one call are one clip, independent of other calls. This module stores the scaling factor but does not apply it:
//! latents come in already divided by it and go out not yet multiplied. Follows diffusers models/autoencoders/autoencoder_kl.py and
//! autoencoder_kl_temporal_decoder.py; the latter has no tiling, which here works as AutoencoderKL's, with all frames together.

mod coder;
mod config;
mod encoding;
mod image_vae;
mod layers;
mod plan;
mod shapes;
mod tiling;
mod tiny;

use candle_core::{DType, Device, Tensor};

pub use config::{AutoencoderConfig, AutoencoderKlConfig, AutoencoderKlTemporalDecoderConfig};
pub use encoding::LatentDistribution;
pub use image_vae::{ImageVae, ImageVaeConfig};
pub use tiling::Tiling;
pub use tiny::{AutoencoderTiny, AutoencoderTinyConfig};

use self::{coder::Coder, encoding::ImageEncoder, shapes::check_latents, tiling::Direction};
use super::plan::ActivationPlan;
use crate::{
    Error, Result,
    ops::{Conv2d, Conv2dParams, Nhwc},
    weights::ComponentWeights,
};

/// An AutoencoderKL or, if `TEMPORAL`, an AutoencoderKLTemporalDecoder.
#[derive(Debug)]
pub struct Autoencoder<const TEMPORAL: bool> {
    /// `None` if it was not asked for.
    encoder: Option<ImageEncoder>,
    decoder: Coder,
    post_quant_conv: Option<Conv2d>,
    tiling: Option<Tiling>,
    placement: (DType, Device),
    config: AutoencoderConfig<TEMPORAL>,
}

/// The autoencoder of Stable Diffusion.
pub type AutoencoderKl = Autoencoder<false>;

/// The autoencoder of Stable Video Diffusion.
pub type AutoencoderKlTemporalDecoder = Autoencoder<true>;

impl<const TEMPORAL: bool> Autoencoder<TEMPORAL> {
    /// Loads the weights; attention names of both generations (`to_q`, `query`) are accepted. Images of more than 1024 x 1024 pixels are
    /// coded in tiles, see [`Tiling`].
    ///
    /// If the config of a temporal decoder has `force_upcast` and the weights are requested in f16, the encoder, which overflows there, is
    /// kept in f32; the decoder is not, as in diffusers' pipeline.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &AutoencoderConfig<TEMPORAL>, weights: &ComponentWeights) -> Result<Self> {
        Self::load_with(config, weights, true)
    }

    /// [`Self::load`]; unless it `encodes`, without the encoder, whose tensors need not be there.
    pub(super) fn load_with(config: &AutoencoderConfig<TEMPORAL>, weights: &ComponentWeights, encodes: bool) -> Result<Self> {
        let upcasts = TEMPORAL && config.force_upcast && weights.dtype() == DType::F16;
        let encoder_weights = if upcasts { weights.in_f32() } else { weights.clone() };
        let channels = config.latent_channels;
        let post_quant_conv = || Conv2d::load(&weights.pp("post_quant_conv"), channels, channels, Conv2dParams::same(1));
        Ok(Self {
            encoder: encodes.then(|| ImageEncoder::load(config, &encoder_weights)).transpose()?,
            decoder: Coder::load(&weights.pp("decoder"), config.decoder_layers(), config.norm_num_groups, TEMPORAL)?,
            post_quant_conv: config.use_post_quant_conv.then(post_quant_conv).transpose()?,
            tiling: Some(Tiling::default()),
            placement: (weights.dtype(), weights.device().clone()),
            config: config.clone(),
        })
    }

    /// The same model with a different tiling; `None` codes every image whole.
    #[must_use]
    pub fn with_tiling(self, tiling: Option<Tiling>) -> Self {
        Self { tiling, ..self }
    }

    /// The tiling of large images.
    pub fn tiling(&self) -> Option<Tiling> {
        self.tiling
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &AutoencoderConfig<TEMPORAL> {
        &self.config
    }

    /// Encodes images [batch, in_channels, height, width] in [-1, 1] to the distribution of their latents, in the encoder's precision.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the config's, or height or width is no multiple of [`AutoencoderConfig::factor`];
    /// [`crate::Error::Params`] if the encoder was not loaded.
    pub fn encode(&self, images: &Tensor) -> Result<LatentDistribution> {
        let Some(encoder) = &self.encoder else {
            let reason = "the model was loaded to make images from prompts alone, without its VAE's encoder".into();
            return Err(Error::Params { field: "init_image", reason });
        };
        encoder.encode(images, self.tiling)
    }

    /// Decodes latents [batch, latent_channels, height, width], already divided by the scaling factor, to images [batch, out_channels,
    /// factor * height, factor * width] in about [-1, 1] and in the model's precision. For a temporal decoder, the batch is the frames of
    /// one clip.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the config's, or there are no latents.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decode_tiled(latents, self.tiling)
    }

    /// [`Self::decode`] with a different tiling than the model's own; `None` decodes every image whole.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`crate::Error::Params`] if the tiling is invalid.
    pub fn decode_tiled(&self, latents: &Tensor, tiling: Option<Tiling>) -> Result<Tensor> {
        let factor = self.config.factor();
        check_latents(latents, self.config.latent_channels)?;
        let latents = latents.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        match Tiling::of_image(tiling, latents.dims(), factor, factor)? {
            Some(tiles) => tiles.run(&latents, factor, Direction::Decode, |tile| self.decode_whole(tile)),
            None => self.decode_whole(&latents),
        }
    }

    /// The activation memory that decoding these latents takes, with tiling.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if the tiling is invalid.
    pub fn planned_decode(&self, batch: usize, height: usize, width: usize) -> Result<ActivationPlan> {
        let factor = self.config.factor();
        let tiles = Tiling::of_image(self.tiling, &[batch, self.config.latent_channels, height, width], factor, factor)?;
        let longest = tiles.map_or(usize::MAX, |tiles| tiles.tile_sample_min_size / factor);
        Ok(self.config.planned_decode(batch, height.min(longest), width.min(longest)))
    }

    fn decode_whole(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = Nhwc::from_nchw(latents)?;
        let latents = match &self.post_quant_conv {
            Some(conv) => conv.forward(&latents)?,
            None => latents,
        };
        self.decoder.forward(&latents)?.to_nchw()
    }
}
