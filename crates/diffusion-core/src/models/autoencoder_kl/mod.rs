//! AutoencoderKL: between pictures and latents, driven by vae/config.json.
//!
//! Knows nothing of scaling factors beyond holding the number: latents come in already divided by it and go out not yet multiplied.
//! Follows diffusers models/autoencoders/autoencoder_kl.py.

mod coder;
mod config;
mod encoding;
mod plan;
mod tiling;

use candle_core::{DType, Device, Tensor};

pub use config::AutoencoderKlConfig;
pub use encoding::LatentDistribution;
pub use plan::AutoencoderKlPlan;
pub use tiling::Tiling;

pub(super) use self::{coder::PixelAttention, encoding::PictureEncoder, tiling::Direction};

use self::coder::Decoder;
use crate::{
    Error, Result,
    ops::{Conv2d, Conv2dParams, Nhwc},
    weights::ComponentWeights,
};

/// The autoencoder.
#[derive(Debug)]
pub struct AutoencoderKl {
    encoder: PictureEncoder,
    decoder: Decoder,
    post_quant_conv: Option<Conv2d>,
    tiling: Option<Tiling>,
    placement: (DType, Device),
    config: AutoencoderKlConfig,
}

impl AutoencoderKl {
    /// Reads the weights; attention names of both generations (`to_q`, `query`) are taken. Pictures of more than 1024 x 1024 pixels
    /// are coded in tiles, see [`Tiling`].
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &AutoencoderKlConfig, weights: &ComponentWeights) -> Result<Self> {
        let channels = config.latent_channels;
        let post_quant_conv = || Conv2d::load(&weights.pp("post_quant_conv"), channels, channels, Conv2dParams::same(1));
        Ok(Self {
            encoder: PictureEncoder::load(config, weights)?,
            decoder: Decoder::load(config, &weights.pp("decoder"))?,
            post_quant_conv: config.use_post_quant_conv.then(post_quant_conv).transpose()?,
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
    pub fn config(&self) -> &AutoencoderKlConfig {
        &self.config
    }

    /// Pictures [batch, in_channels, height, width] in [-1, 1] to the distribution of their latents, in the model's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the config's or height or width is no multiple of [`AutoencoderKlConfig::factor`].
    pub fn encode(&self, images: &Tensor) -> Result<LatentDistribution> {
        self.encoder.encode(images, self.tiling)
    }

    /// Latents [batch, latent_channels, height, width], already divided by the scaling factor, to pictures [batch, out_channels,
    /// factor * height, factor * width] in about [-1, 1] and the model's precision.
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
        if !matches!(latents.dims(), [_, found, height, width] if *found == channels && height * width > 0) {
            let expected = format!("[batch, {channels}, height, width]");
            return Err(Error::Shape { what: "latents to decode", expected, found: latents.dims().to_vec() });
        }
        let latents = latents.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        match Tiling::of_picture(tiling, latents.dims(), factor, factor)? {
            Some(tiles) => tiles.run(&latents, factor, Direction::Decode, |tile| self.decode_whole(tile)),
            None => self.decode_whole(&latents),
        }
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
