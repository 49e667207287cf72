//! The skeleton of every UNet: time embedding, down blocks, middle, up blocks, and the convolutions around them.
//!
//! A [`UNetFamily`] says what the residual blocks and the transformers are. The skeleton must not know texts, frames, guidance or
//! schedulers. Follows the forward methods of diffusers models/unets/unet_2d_condition.py and unet_spatio_temporal_condition.py, which
//! agree in all that is written here.

mod family;
mod layers;
mod plan;
mod shape;

use candle_core::{DType, Device, Tensor};

pub use shape::UNetLevel;

pub(super) use self::{
    family::{Site, Stage, UNetFamily},
    shape::UNetShape,
};

use self::layers::Layer;
use super::{
    embeddings::{Sinusoids, TimestepEmbedding},
    resnet::activate_time,
};
use crate::{Result, ops::Nhwc, weights::ComponentWeights};

/// A noise predictor of one family.
#[derive(Debug)]
pub(super) struct UNet<F: UNetFamily> {
    sinusoids: Sinusoids,
    time_embedding: TimestepEmbedding,
    /// Shrinks the activations and keeps skips; the middle ends it. A ControlNet is a copy of it that adds to what it hands to `up`.
    down: Vec<Layer<F>>,
    /// Enlarges the activations and takes the skips.
    up: Vec<Layer<F>>,
    config: F,
}

impl<F: UNetFamily> UNet<F> {
    /// Reads the weights that the config asks for.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or mis-shaped.
    pub(super) fn load(config: &F, weights: &ComponentWeights) -> Result<Self> {
        let shape = config.shape();
        let ((down, up), first) = (shape.layers(), shape.first_channels());
        let time = weights.pp("time_embedding");
        Ok(Self {
            sinusoids: shape.sinusoids,
            time_embedding: TimestepEmbedding::load(&time, first, shape.time_channels, shape.time_cond_proj_dim)?,
            down: Layer::load_all(config, down, weights)?,
            up: Layer::load_all(config, up, weights)?,
            config: config.clone(),
        })
    }

    /// The configuration that it was loaded with.
    pub(super) fn config(&self) -> &F {
        &self.config
    }

    /// The model's precision and device.
    pub(super) fn placement(&self) -> (DType, &Device) {
        self.time_embedding.placement()
    }

    /// In the order in which `forward` runs them.
    pub(super) fn transformers(&self) -> impl Iterator<Item = &F::Transformer> {
        self.down.iter().chain(&self.up).filter_map(Layer::transformer)
    }

    /// [rows, time_channels]: the sum of the timestep's embedding and of `added`, what else is embedded for the call, after its SiLU. `cond`
    /// as in [`TimestepEmbedding::forward`].
    pub(super) fn time(&self, timestep: f64, cond: Option<&Tensor>, added: Option<&Tensor>) -> Result<Tensor> {
        let time = self.time_embedding.forward(&self.sinusoids.embed(timestep)?, cond)?;
        match added {
            Some(added) => activate_time(&added.broadcast_add(&time)?),
            None => activate_time(&time),
        }
    }

    /// What the model predicts for `sample` [images, in_channels, height, width] in any float type. The result is [images, out_channels,
    /// height, width] in the model's precision, of as many images as the transformers gave. Height and width need not be multiples of
    /// anything.
    pub(super) fn forward(&self, sample: &Tensor, call: &mut F::Call<'_>) -> Result<Tensor> {
        let (dtype, device) = self.placement();
        let mut hidden = Nhwc::from_nchw(&sample.to_dtype(dtype)?.to_device(device)?)?;
        let mut skips = Vec::new();
        for layer in self.down.iter().chain(&self.up) {
            hidden = layer.forward(hidden, call, &mut skips)?;
        }
        hidden.to_nchw()
    }
}
