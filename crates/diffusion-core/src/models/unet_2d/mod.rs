//! UNet2DConditionModel: the noise predictor of Stable Diffusion 1.x, 2.x and XL, driven by unet/config.json.
//!
//! This module does not depend on schedulers or guidance. Invariant: it computes the same as diffusers' class with the same config, or the
//! config is refused. Follows diffusers models/unets/unet_2d_condition.py.
//!
//! Two things are computed once where diffusers repeats them, with the same results: whatever depends on the text states alone goes into a
//! [`TextContext`] before the first step, and the layers before the first cross-attention run once for all texts that share a sample (the
//! halves of classifier-free guidance). With a "text_time" embedding the texts differ from the first layer on, and nothing is shared.

pub(super) mod config;
mod family;
mod text_context;
mod text_time;

use candle_core::Tensor;

pub use config::{TextTimeConfig, UNet2dConfig};
pub use text_context::TextContext;

pub(super) use self::{family::Call, text_time::TextTimeEmbedding};
use super::{
    transformer::TextReader,
    unet::{Residuals, UNet},
};
use crate::{Error, Result, ops::repeat_images, weights::ComponentWeights};

/// The noise predictor.
#[derive(Debug)]
pub struct UNet2dConditionModel {
    unet: UNet<UNet2dConfig>,
    text_time: Option<TextTimeEmbedding>,
}

impl UNet2dConditionModel {
    /// Loads the weights that the config requires.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &UNet2dConfig, weights: &ComponentWeights) -> Result<Self> {
        Ok(Self { unet: UNet::load(config, weights)?, text_time: TextTimeEmbedding::load(config, weights)? })
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &UNet2dConfig {
        self.unet.config()
    }

    /// Prepares texts for the model, once for all steps of a run.
    ///
    /// `encoder_hidden_states` is [texts, tokens, cross_attention_dim] in any float type.
    ///
    /// # Errors
    /// [`Error::Shape`] if the states do not match the config, or the model has a "text_time" embedding.
    pub fn text_context(&self, encoder_hidden_states: &Tensor) -> Result<TextContext> {
        if self.text_time.is_some() {
            let expected = "text_embeds and added_time_ids, which a text_time embedding needs".into();
            return Err(Error::Shape { what: "added conditions", expected, found: Vec::new() });
        }
        self.context(encoder_hidden_states)
    }

    /// [`Self::text_context`] for a model with a "text_time" embedding.
    ///
    /// `text_embeds` are the pooled texts, [texts, channels], and `added_time_ids` [texts, ids] in f32: for Stable Diffusion XL height and
    /// width of the original image, top and left of the crop, and height and width of the target, in pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not match the config, or the model has no such embedding.
    pub fn text_time_context(&self, encoder_hidden_states: &Tensor, text_embeds: &Tensor, added_time_ids: &Tensor) -> Result<TextContext> {
        let Some(text_time) = &self.text_time else {
            let expected = "none, for the model has no text_time embedding".into();
            return Err(Error::Shape { what: "added conditions", expected, found: text_embeds.dims().to_vec() });
        };
        let context = self.context(encoder_hidden_states)?;
        let added = text_time.forward(text_embeds, added_time_ids, context.batch())?;
        Ok(TextContext { added: Some(added), ..context })
    }

    fn context(&self, encoder_hidden_states: &Tensor) -> Result<TextContext> {
        TextContext::new(encoder_hidden_states, self.unet.placement(), self.unet.transformers())
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
        self.forward_controlled(sample, timestep, text, timestep_cond, None)
    }

    /// [`Self::forward`] with what ControlNets add to the skips and to the middle.
    ///
    /// # Errors
    /// As [`Self::forward`], and if the residuals are not those of this sample and these texts.
    pub fn forward_controlled(
        &self,
        sample: &Tensor,
        timestep: f64,
        text: &TextContext,
        timestep_cond: Option<&Tensor>,
        residuals: Option<&Residuals>,
    ) -> Result<Tensor> {
        let batch = text.check_sample(sample, self.config().in_channels, "the UNet's sample")?;
        if let Some(cond) = timestep_cond.filter(|cond| !matches!(cond.dims().first(), Some(rows) if [1, batch].contains(rows))) {
            let expected = format!("[1 or {batch}, time_cond_proj_dim]");
            return Err(Error::Shape { what: "timestep_cond", expected, found: cond.dims().to_vec() });
        }
        if self.text_time.is_some() != text.added.is_some() {
            let expected = "one made by this model".into();
            return Err(Error::Shape { what: "the text context", expected, found: vec![text.batch] });
        }
        let text_reader = TextReader::new(&text.keys_values);
        let Some(added) = &text.added else {
            // Activations have the sample's batch until the first cross-attention, and the texts' from there on.
            let mut call = Call { time: self.unet.time(timestep, timestep_cond, None)?, text: text_reader };
            // A model without cross-attention predicts the same for all texts.
            return repeat_images(&self.unet.forward(sample, &mut call, residuals)?, text.batch);
        };
        let cond = timestep_cond.map(|cond| repeat_images(cond, text.batch)).transpose()?;
        let mut call = Call { time: self.unet.time(timestep, cond.as_ref(), Some(added))?, text: text_reader };
        self.unet.forward(&repeat_images(sample, text.batch)?, &mut call, residuals)
    }
}
