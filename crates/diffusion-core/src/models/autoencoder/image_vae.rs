//! The autoencoder of a model that makes images: its family's own AutoencoderKL, or an AutoencoderTiny in its place.
//!
//! This module must not know how either is built. The invariant: [`ImageVae::encode`] returns latents and [`ImageVae::decode`] takes them
//! as the noise predictor has them, whichever autoencoder it is: the scaling factor is applied here. Follows `retrieve_latents` of diffusers'
//! image pipelines.

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::{AutoencoderKl, AutoencoderKlConfig, AutoencoderTiny, AutoencoderTinyConfig, tiling::Tiling};
use crate::{Result, models::plan::ActivationPlan, noise::SeededNoise, weights::ComponentWeights};

/// vae/config.json of either class.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageVaeConfig {
    /// AutoencoderKL.
    Kl(AutoencoderKlConfig),
    /// AutoencoderTiny.
    Tiny(AutoencoderTinyConfig),
}

impl ImageVaeConfig {
    /// Reads the model's own JSON, whose `_class_name` tells the class; without one it is AutoencoderKL.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// As [`Self::from_json`], and the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        if json.get("_class_name").and_then(Value::as_str) == Some("AutoencoderTiny") {
            let (config, ignored) = AutoencoderTinyConfig::read(json)?;
            return Ok((Self::Tiny(config), ignored));
        }
        let (config, ignored) = AutoencoderKlConfig::read(json)?;
        Ok((Self::Kl(config), ignored))
    }

    /// Whether it is a small approximation of another one: an AutoencoderTiny.
    pub fn is_tiny(&self) -> bool {
        matches!(self, Self::Tiny(_))
    }

    /// Image pixels along a side for each latent.
    pub fn factor(&self) -> usize {
        match self {
            Self::Kl(config) => config.factor(),
            Self::Tiny(config) => config.factor(),
        }
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        match self {
            Self::Kl(config) => config.latent_channels,
            Self::Tiny(config) => config.latent_channels,
        }
    }

    /// Whether f16 overflows in it.
    pub fn force_upcast(&self) -> bool {
        match self {
            Self::Kl(config) => config.force_upcast,
            Self::Tiny(_) => false,
        }
    }

    /// The activations if this many images are decoded at once, whole, from latents of that size. Computes; nothing is run.
    pub fn planned_decode(&self, images: usize, height: usize, width: usize) -> ActivationPlan {
        match self {
            Self::Kl(config) => config.planned_decode(images, height, width),
            Self::Tiny(config) => config.planned_decode(images, height, width),
        }
    }

    /// The same if images of that size in pixels are encoded.
    pub fn planned_encode(&self, images: usize, height: usize, width: usize) -> ActivationPlan {
        match self {
            Self::Kl(config) => config.planned_encode(images, height, width),
            Self::Tiny(config) => config.planned_encode(images, height, width),
        }
    }

    fn scaling_factor(&self) -> f64 {
        match self {
            Self::Kl(config) => config.scaling_factor,
            Self::Tiny(config) => config.scaling_factor,
        }
    }
}

/// The autoencoder of a model that makes images.
#[derive(Debug)]
pub struct ImageVae {
    config: ImageVaeConfig,
    model: Model,
}

#[derive(Debug)]
enum Model {
    Kl(Box<AutoencoderKl>),
    Tiny(AutoencoderTiny),
}

impl ImageVae {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &ImageVaeConfig, weights: &ComponentWeights) -> Result<Self> {
        Self::load_with(config, weights, true)
    }

    /// [`Self::load`]; unless it `encodes`, without AutoencoderKL's encoder (AutoencoderTiny's is small).
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn load_with(config: &ImageVaeConfig, weights: &ComponentWeights, encodes: bool) -> Result<Self> {
        let model = match config {
            ImageVaeConfig::Kl(config) => Model::Kl(Box::new(AutoencoderKl::load_with(config, weights, encodes)?)),
            ImageVaeConfig::Tiny(config) => Model::Tiny(AutoencoderTiny::load(config, weights)?),
        };
        Ok(Self { config: config.clone(), model })
    }

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &ImageVaeConfig {
        &self.config
    }

    /// When and how it codes images in tiles.
    pub fn tiling(&self) -> Option<Tiling> {
        match &self.model {
            Model::Kl(model) => model.tiling(),
            Model::Tiny(model) => model.tiling(),
        }
    }

    /// Images [batch, in_channels, height, width] in [-1, 1] to latents, f32 on the CPU. AutoencoderKL draws one tensor of noise for them,
    /// AutoencoderTiny none.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the config's, or height or width is no multiple of [`ImageVaeConfig::factor`];
    /// [`crate::Error::Params`] if the encoder was not loaded.
    pub fn encode(&self, images: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let latents = match &self.model {
            Model::Kl(model) => model.encode(images)?.sample(noise)?,
            Model::Tiny(model) => model.encode(images)?,
        };
        let latents = latents.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        Ok((latents * self.config.scaling_factor())?)
    }

    /// Whether [`Self::encode`] draws noise.
    pub fn draws_noise(&self) -> bool {
        matches!(self.model, Model::Kl(_))
    }

    /// Latents [batch, latent_channels, height, width] to images [batch, out_channels, factor * height, factor * width] in about [-1, 1] and
    /// the model's precision.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the config's, or there are no latents.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decode_tiled(latents, self.tiling())
    }

    /// [`Self::decode`] with a different tiling than the model's own; `None` decodes every image whole.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`crate::Error::Params`] if the tiling is invalid.
    pub fn decode_tiled(&self, latents: &Tensor, tiling: Option<Tiling>) -> Result<Tensor> {
        let latents = (latents / self.config.scaling_factor())?;
        match &self.model {
            Model::Kl(model) => model.decode_tiled(&latents, tiling),
            Model::Tiny(model) => model.decode_tiled(&latents, tiling),
        }
    }
}
