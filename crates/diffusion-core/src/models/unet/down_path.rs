//! The first half of a UNet: time embedding, down blocks and middle. A ControlNet is a copy of it.
//!
//! This module must not depend on what follows the middle.

use candle_core::{DType, Device, Tensor};

use super::{family::UNetFamily, layers::Layer};
use crate::{
    Result,
    models::{
        embeddings::{Sinusoids, TimestepEmbedding},
        resnet::activate_time,
    },
    ops::Nhwc,
    weights::ComponentWeights,
};

/// The layers from the sample to the middle of a UNet of one family.
#[derive(Debug)]
pub(in crate::models) struct DownPath<F: UNetFamily> {
    sinusoids: Sinusoids,
    time_embedding: TimestepEmbedding,
    layers: Vec<Layer<F>>,
    config: F,
}

impl<F: UNetFamily> DownPath<F> {
    /// Loads the weights that the config requires.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub(in crate::models) fn load(config: &F, weights: &ComponentWeights) -> Result<Self> {
        let shape = config.shape();
        let ((down, _), first) = (shape.layers(), shape.first_channels());
        let time = weights.pp("time_embedding");
        Ok(Self {
            sinusoids: shape.sinusoids,
            time_embedding: TimestepEmbedding::load(&time, first, shape.time_channels, shape.time_cond_proj_dim)?,
            layers: Layer::load_all(config, down, weights)?,
            config: config.clone(),
        })
    }

    /// The configuration that the model was loaded with.
    pub(in crate::models) fn config(&self) -> &F {
        &self.config
    }

    /// The model's precision and device.
    pub(in crate::models) fn placement(&self) -> (DType, &Device) {
        self.time_embedding.placement()
    }

    /// The transformers in execution order.
    pub(in crate::models) fn transformers(&self) -> impl Iterator<Item = &F::Transformer> {
        self.layers.iter().filter_map(Layer::transformer)
    }

    /// The sum of the timestep's embedding and of `added`, the call's other embeddings, after its SiLU: [rows, time_channels]. `cond` as in
    /// [`TimestepEmbedding::forward`].
    pub(in crate::models) fn time(&self, timestep: f64, cond: Option<&Tensor>, added: Option<&Tensor>) -> Result<Tensor> {
        let time = self.time_embedding.forward(&self.sinusoids.embed(timestep)?, cond)?;
        match added {
            Some(added) => activate_time(&added.broadcast_add(&time)?),
            None => activate_time(&time),
        }
    }

    /// The middle's result and the skips of `sample` [images, in_channels, height, width] of any float type. `condition` is added to the
    /// first convolution's result; its images are repeated as in [`Nhwc::add_repeated`].
    pub(in crate::models) fn forward(
        &self,
        sample: &Tensor,
        condition: Option<&Nhwc>,
        call: &mut F::Call<'_>,
    ) -> Result<(Nhwc, Vec<Nhwc>)> {
        let (dtype, device) = self.placement();
        let mut hidden = Nhwc::from_nchw(&sample.to_dtype(dtype)?.to_device(device)?)?;
        let mut skips = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            hidden = layer.forward(hidden, call, &mut skips)?;
            if let Some(condition) = condition.filter(|_| index == 0) {
                hidden = hidden.add_repeated(condition)?;
            }
        }
        Ok((hidden, skips))
    }
}
