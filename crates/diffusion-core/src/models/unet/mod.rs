//! The skeleton of every UNet: time embedding, down blocks, middle, up blocks, and the convolutions around them.
//!
//! A [`UNetFamily`] defines the residual blocks and the transformers. The skeleton must not depend on texts, frames, guidance or
//! schedulers. Follows the forward methods of diffusers models/unets/unet_2d_condition.py and unet_spatio_temporal_condition.py, which
//! agree on everything implemented here.

mod family;
mod layers;
mod plan;
mod shape;

use candle_core::{DType, Device, Tensor};

pub use shape::UNetLevel;

pub(super) use self::{
    family::{Site, Stage, UNetFamily},
    shape::{TransformerLayers, UNetShape},
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
    /// Shrinks the activations and keeps skips, up to and including the middle. A ControlNet is a copy of it whose results are added to the
    /// inputs of `up`.
    down: Vec<Layer<F>>,
    /// Enlarges the activations and concatenates the skips.
    up: Vec<Layer<F>>,
    config: F,
}

impl<F: UNetFamily> UNet<F> {
    /// Loads the weights that the config requires.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
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

    /// The configuration that the model was loaded with.
    pub(super) fn config(&self) -> &F {
        &self.config
    }

    /// The model's precision and device.
    pub(super) fn placement(&self) -> (DType, &Device) {
        self.time_embedding.placement()
    }

    /// The transformers in execution order.
    pub(super) fn transformers(&self) -> impl Iterator<Item = &F::Transformer> {
        self.down.iter().chain(&self.up).filter_map(Layer::transformer)
    }

    /// The sum of the timestep's embedding and of `added`, the call's other embeddings, after its SiLU: [rows, time_channels]. `cond` as in
    /// [`TimestepEmbedding::forward`].
    pub(super) fn time(&self, timestep: f64, cond: Option<&Tensor>, added: Option<&Tensor>) -> Result<Tensor> {
        let time = self.time_embedding.forward(&self.sinusoids.embed(timestep)?, cond)?;
        match added {
            Some(added) => activate_time(&added.broadcast_add(&time)?),
            None => activate_time(&time),
        }
    }

    /// Predicts the noise in `sample` [images, in_channels, height, width] of any float type. The result is [images, out_channels, height,
    /// width] in the model's precision, with as many images as the transformers return. Height and width may be any size.
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
