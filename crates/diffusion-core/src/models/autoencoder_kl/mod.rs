//! AutoencoderKL: between pictures and latents, driven by vae/config.json.
//!
//! Knows nothing of scaling factors beyond holding the number: latents come in already divided by it and go out not yet multiplied.
//! Follows diffusers models/autoencoders/autoencoder_kl.py.

mod coder;
mod config;
mod tiling;

use candle_core::Tensor;

pub use config::AutoencoderKlConfig;
pub use tiling::Tiling;

use self::coder::{Decoder, Encoder};
use crate::{
    Error, Result,
    noise::SeededNoise,
    ops::{Conv2d, Conv2dParams, Nhwc},
    weights::ComponentWeights,
};

/// diffusers' bounds of the logarithm of the variance.
const LOGVAR_RANGE: (f64, f64) = (-30.0, 20.0);

/// The normal distribution of latents that a picture is encoded to; not yet multiplied by the scaling factor.
#[derive(Clone, Debug)]
pub struct LatentDistribution {
    /// [batch, latent_channels, height / 8, width / 8].
    pub mean: Tensor,
    /// The logarithm of the variance, within -30..=20; of the same shape.
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

/// The autoencoder.
#[derive(Debug)]
pub struct AutoencoderKl {
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    tiling: Option<Tiling>,
    placement: (candle_core::DType, candle_core::Device),
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
        let point = |name, channels| Conv2d::load(&weights.pp(name), channels, channels, Conv2dParams::same(1));
        Ok(Self {
            encoder: Encoder::load(config, &weights.pp("encoder"))?,
            decoder: Decoder::load(config, &weights.pp("decoder"))?,
            quant_conv: config.use_quant_conv.then(|| point("quant_conv", 2 * channels)).transpose()?,
            post_quant_conv: config.use_post_quant_conv.then(|| point("post_quant_conv", channels)).transpose()?,
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

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &AutoencoderKlConfig {
        &self.config
    }

    /// Pictures [batch, in_channels, height, width] in [-1, 1] to the distribution of their latents, in the model's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the config's or height or width is no multiple of [`AutoencoderKlConfig::factor`].
    pub fn encode(&self, images: &Tensor) -> Result<LatentDistribution> {
        let factor = self.config.factor();
        let fits = matches!(images.dims(), [_, channels, height, width] if *channels == self.config.in_channels
            && height * width > 0 && height.is_multiple_of(factor) && width.is_multiple_of(factor));
        if !fits {
            let expected = format!("[batch, {}, height and width in multiples of {factor}]", self.config.in_channels);
            return Err(Error::Shape { what: "pictures to encode", expected, found: images.dims().to_vec() });
        }
        let images = self.place(images)?;
        let moments = match self.tiles(images.dims(), 1)? {
            Some(tiles) => tiles.run(&images, factor, tiling::Direction::Encode, |tile| self.encode_whole(tile))?,
            None => self.encode_whole(&images)?,
        };
        let channels = self.config.latent_channels;
        let mean = moments.narrow(1, 0, channels)?.contiguous()?;
        let logvar = moments.narrow(1, channels, channels)?.contiguous()?.clamp(LOGVAR_RANGE.0, LOGVAR_RANGE.1)?;
        Ok(LatentDistribution { mean, logvar })
    }

    /// Latents [batch, latent_channels, height, width], already divided by the scaling factor, to pictures [batch, out_channels,
    /// factor * height, factor * width] in about [-1, 1] and the model's precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the config's.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let factor = self.config.factor();
        let channels = self.config.latent_channels;
        if !matches!(latents.dims(), [_, found, height, width] if *found == channels && height * width > 0) {
            let expected = format!("[batch, {channels}, height, width]");
            return Err(Error::Shape { what: "latents to decode", expected, found: latents.dims().to_vec() });
        }
        let latents = self.place(latents)?;
        match self.tiles(latents.dims(), factor)? {
            Some(tiles) => tiles.run(&latents, factor, tiling::Direction::Decode, |tile| self.decode_whole(tile)),
            None => self.decode_whole(&latents),
        }
    }

    fn encode_whole(&self, images: &Tensor) -> Result<Tensor> {
        let moments = self.encoder.forward(&Nhwc::from_nchw(images)?)?;
        apply(self.quant_conv.as_ref(), moments)?.to_nchw()
    }

    fn decode_whole(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = apply(self.post_quant_conv.as_ref(), Nhwc::from_nchw(latents)?)?;
        self.decoder.forward(&latents)?.to_nchw()
    }

    fn place(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_dtype(self.placement.0)?.to_device(&self.placement.1)?)
    }

    /// The tiling, if a picture of `factor` times these dimensions exceeds its bound.
    fn tiles(&self, dims: &[usize], factor: usize) -> Result<Option<Tiling>> {
        let pixels = dims.iter().skip(2).map(|extent| extent * factor).product::<usize>();
        match self.tiling.filter(|tiling| pixels > tiling.above_pixels) {
            Some(tiling) => tiling.checked(self.config.factor()).map(Some),
            None => Ok(None),
        }
    }
}

fn apply(conv: Option<&Conv2d>, x: Nhwc) -> Result<Nhwc> {
    match conv {
        Some(conv) => conv.forward(&x),
        None => Ok(x),
    }
}
