//! Encoding of images to the distribution of their latents, the same in every class.
//!
//! This module must not depend on decoding. Follows the encode methods of diffusers models/autoencoders/autoencoder_kl.py and
//! autoencoder_kl_temporal_decoder.py, and DiagonalGaussianDistribution of vae.py.

use candle_core::{DType, Device, Tensor};

use super::{
    coder::Coder,
    config::AutoencoderConfig,
    shapes::check_images,
    tiling::{Direction, Tiling},
};
use crate::{
    Result,
    noise::SeededNoise,
    ops::{Conv2d, Conv2dParams, Nhwc},
    weights::ComponentWeights,
};

/// diffusers' bounds of the log-variance.
const LOGVAR_RANGE: (f64, f64) = (-30.0, 20.0);

/// The normal distribution of an image's latents, not yet multiplied by the scaling factor.
#[derive(Clone, Debug)]
pub struct LatentDistribution {
    /// [batch, latent_channels, height / 8, width / 8].
    pub mean: Tensor,
    /// The log-variance, within -30..=20; of the same shape.
    pub logvar: Tensor,
}

impl LatentDistribution {
    /// mean + standard deviation * noise, the noise drawn for the whole batch in NCHW order.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn sample(&self, noise: &mut SeededNoise) -> Result<Tensor> {
        let normal = noise.randn(self.mean.dims())?.to_dtype(self.mean.dtype())?.to_device(self.mean.device())?;
        Ok((&self.mean + ((&self.logvar * 0.5)?.exp()? * normal)?)?)
    }

    /// The most likely latents: the mean.
    pub fn mode(&self) -> Tensor {
        self.mean.clone()
    }
}

/// An encoder with its 1x1 convolution, if it has one.
#[derive(Debug)]
pub(super) struct ImageEncoder {
    encoder: Coder,
    quant_conv: Option<Conv2d>,
    in_channels: usize,
    latent_channels: usize,
    factor: usize,
    placement: (DType, Device),
}

impl ImageEncoder {
    /// Loads `encoder` and `quant_conv` from an autoencoder's weights.
    pub(super) fn load<const TEMPORAL: bool>(config: &AutoencoderConfig<TEMPORAL>, weights: &ComponentWeights) -> Result<Self> {
        let moments = 2 * config.latent_channels;
        let quant_conv = || Conv2d::load(&weights.pp("quant_conv"), moments, moments, Conv2dParams::same(1));
        Ok(Self {
            encoder: Coder::load(&weights.pp("encoder"), config.encoder_layers(), config.norm_num_groups, false)?,
            quant_conv: config.use_quant_conv.then(quant_conv).transpose()?,
            in_channels: config.in_channels,
            latent_channels: config.latent_channels,
            factor: config.factor(),
            placement: (weights.dtype(), weights.device().clone()),
        })
    }

    /// Encodes images [batch, in_channels, height, width] in [-1, 1] to the distribution of their latents, in the encoder's precision.
    pub(super) fn encode(&self, images: &Tensor, tiling: Option<Tiling>) -> Result<LatentDistribution> {
        let factor = self.factor;
        check_images(images, self.in_channels, factor)?;
        let images = images.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        let moments = match Tiling::of_image(tiling, images.dims(), 1, factor)? {
            Some(tiles) => tiles.run(&images, factor, Direction::Encode, |tile| self.moments(tile))?,
            None => self.moments(&images)?,
        };
        let channels = self.latent_channels;
        let mean = moments.narrow(1, 0, channels)?.contiguous()?;
        let logvar = moments.narrow(1, channels, channels)?.contiguous()?.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1)?;
        Ok(LatentDistribution { mean, logvar })
    }

    fn moments(&self, images: &Tensor) -> Result<Tensor> {
        let moments = self.encoder.forward(&Nhwc::from_nchw(images)?)?;
        match &self.quant_conv {
            Some(conv) => conv.forward(&moments)?.to_nchw(),
            None => moments.to_nchw(),
        }
    }
}
