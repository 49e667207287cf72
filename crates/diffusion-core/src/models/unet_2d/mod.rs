//! UNet2DConditionModel: the noise predictor of Stable Diffusion 1.x and 2.x, driven by unet/config.json.
//!
//! This module does not depend on schedulers or guidance. Invariant: it computes the same as diffusers' class with the same config, or the
//! config is refused. Follows diffusers models/unets/unet_2d_condition.py.
//!
//! Two things are computed once where diffusers repeats them, with the same results: whatever depends on the text states alone goes into a
//! [`TextContext`] before the first step, and the layers before the first cross-attention run once for all texts that share a sample (the
//! halves of classifier-free guidance).

mod config;
mod family;

use candle_core::Tensor;

pub use config::UNet2dConfig;

use self::family::Call;
use super::{
    transformer::{KeysValues, TextReader, Transformer2d},
    unet::UNet,
};
use crate::{Error, Result, ops::repeat_images, weights::ComponentWeights};

/// Texts prepared for one UNet: their keys and values in each of its cross-attentions, which are the same at every step.
///
/// Made by [`UNet2dConditionModel::text_context`], and valid only for that model.
#[derive(Clone, Debug)]
pub struct TextContext {
    batch: usize,
    /// In the order of the model's cross-attentions.
    keys_values: Vec<KeysValues>,
}

impl TextContext {
    /// Number of texts.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

/// The noise predictor.
#[derive(Debug)]
pub struct UNet2dConditionModel(UNet<UNet2dConfig>);

impl UNet2dConditionModel {
    /// Loads the weights that the config requires.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &UNet2dConfig, weights: &ComponentWeights) -> Result<Self> {
        Ok(Self(UNet::load(config, weights)?))
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &UNet2dConfig {
        self.0.config()
    }

    /// Prepares texts for the model, once for all steps of a run.
    ///
    /// `encoder_hidden_states` is [texts, tokens, cross_attention_dim] in any float type.
    ///
    /// # Errors
    /// [`Error::Shape`] if the states do not match the config.
    pub fn text_context(&self, encoder_hidden_states: &Tensor) -> Result<TextContext> {
        let batch = match encoder_hidden_states.dims() {
            [batch, tokens, _] if batch * tokens > 0 => *batch,
            found => {
                let expected = "[texts, tokens, cross_attention_dim]".into();
                return Err(Error::Shape { what: "encoder_hidden_states", expected, found: found.to_vec() });
            }
        };
        let (dtype, device) = self.0.placement();
        let text = encoder_hidden_states.to_dtype(dtype)?.to_device(device)?.contiguous()?;
        let attentions = self.0.transformers().flat_map(Transformer2d::text_attentions);
        Ok(TextContext { batch, keys_values: attentions.map(|attention| attention.keys_values(&text)).collect::<Result<_>>()? })
    }

    /// Predicts the noise in noisy latents.
    ///
    /// `sample` is [batch, in_channels, height, width] in any float type, and `batch` divides the number of texts: text i belongs to image
    /// i % batch. The halves of classifier-free guidance are one image with two texts, and whatever does not depend on the text is computed
    /// once for both. `timestep` may be fractional and is the same for the whole batch; `timestep_cond` [batch or 1, time_cond_proj_dim] is
    /// the guidance embedding of consistency models, and may be `None` as in diffusers. The result is [texts, out_channels, height, width]
    /// in the model's precision. Height and width may be any size.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not match the config or the texts.
    pub fn forward(&self, sample: &Tensor, timestep: f64, text: &TextContext, timestep_cond: Option<&Tensor>) -> Result<Tensor> {
        let (batch, channels) = match sample.dims() {
            [batch, channels, height, width] if batch * height * width > 0 => (*batch, *channels),
            _ => (0, 0),
        };
        if channels != self.config().in_channels || !text.batch.is_multiple_of(batch) {
            let expected = format!("[a divisor of {} texts, {}, height, width]", text.batch, self.config().in_channels);
            return Err(Error::Shape { what: "the UNet's sample", expected, found: sample.dims().to_vec() });
        }
        if let Some(cond) = timestep_cond.filter(|cond| !matches!(cond.dims().first(), Some(rows) if [1, batch].contains(rows))) {
            let expected = format!("[1 or {batch}, time_cond_proj_dim]");
            return Err(Error::Shape { what: "timestep_cond", expected, found: cond.dims().to_vec() });
        }
        // Activations have the sample's batch until the first cross-attention, and the texts' from there on.
        let mut call = Call { time: self.0.time(timestep, timestep_cond, None)?, text: TextReader::new(&text.keys_values) };
        // A model without cross-attention predicts the same for all texts.
        repeat_images(&self.0.forward(sample, &mut call)?, text.batch)
    }
}
