//! The skeleton of every UNet: time embedding, down blocks, middle, up blocks, and the convolutions around them.
//!
//! A [`UNetFamily`] defines the residual blocks and the transformers. The skeleton must not depend on texts, frames, guidance or
//! schedulers. Follows the forward methods of diffusers models/unets/unet_2d_condition.py and unet_spatio_temporal_condition.py, which
//! agree on everything implemented here.

mod down_path;
mod family;
mod layers;
mod plan;
mod residuals;
mod shape;

use candle_core::{DType, Device, Tensor};

pub use residuals::Residuals;
pub use shape::UNetLevel;

pub(super) use self::{
    down_path::DownPath,
    family::{Site, Stage, UNetFamily},
    shape::{TransformerLayers, UNetShape},
};

use self::layers::Layer;
use crate::{Result, weights::ComponentWeights};

/// A noise predictor of one family.
#[derive(Debug)]
pub(super) struct UNet<F: UNetFamily> {
    /// Shrinks the activations and keeps skips, up to and including the middle.
    down: DownPath<F>,
    /// Enlarges the activations and concatenates the skips.
    up: Vec<Layer<F>>,
}

impl<F: UNetFamily> UNet<F> {
    /// Loads the weights that the config requires.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub(super) fn load(config: &F, weights: &ComponentWeights) -> Result<Self> {
        let (_, up) = config.shape().layers();
        Ok(Self { down: DownPath::load(config, weights)?, up: Layer::load_all(config, up, weights)? })
    }

    /// The configuration that the model was loaded with.
    pub(super) fn config(&self) -> &F {
        self.down.config()
    }

    /// The model's precision and device.
    pub(super) fn placement(&self) -> (DType, &Device) {
        self.down.placement()
    }

    /// The transformers in execution order.
    pub(super) fn transformers(&self) -> impl Iterator<Item = &F::Transformer> {
        self.down.transformers().chain(self.up.iter().filter_map(Layer::transformer))
    }

    /// As [`DownPath::time`].
    pub(super) fn time(&self, timestep: f64, cond: Option<&Tensor>, added: Option<&Tensor>) -> Result<Tensor> {
        self.down.time(timestep, cond, added)
    }

    /// Predicts the noise in `sample` [images, in_channels, height, width] of any float type. The result is [images, out_channels, height,
    /// width] in the model's precision, with as many images as the transformers return. Height and width may be any size.
    pub(super) fn forward(&self, sample: &Tensor, call: &mut F::Call<'_>, residuals: Option<&Residuals>) -> Result<Tensor> {
        let (mut hidden, mut skips) = self.down.forward(sample, None, call)?;
        if let Some(residuals) = residuals {
            (skips, hidden) = residuals.added_to(&skips, &hidden)?;
        }
        for layer in &self.up {
            hidden = layer.forward(hidden, call, &mut skips)?;
        }
        hidden.to_nchw()
    }
}
