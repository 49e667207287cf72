//! Classifier-free guidance: the inputs of the noise predictor, and the combination of its two predictions.
//!
//! This module must not depend on schedulers. Invariant: the unconditional half of a batch comes first, and predictions are combined in f32
//! whatever the model's precision. Follows diffusers' `StableDiffusionPipeline.__call__` and `get_guidance_scale_embedding`; the paper is
//! Ho and Salimans, "Classifier-Free Diffusion Guidance".

mod per_frame;

use candle_core::{DType, Device, Tensor};

pub use per_frame::{VideoConditioning, VideoConditions};

use crate::{
    Error, Result,
    conditioning::PromptEmbeds,
    models::{TextContext, UNet2dConditionModel},
};

/// The numbers that Stable Diffusion XL is conditioned on: height and width of the original image, top and left of the crop, height and width
/// of the target, in pixels; for its refiner an aesthetic score instead of the target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddedTimeIds {
    /// For the prompt.
    pub positive: Vec<f32>,
    /// For the negative prompt.
    pub negative: Vec<f32>,
}

/// A noise predictor with all of its inputs except latents and timestep, fixed for a run.
#[derive(Clone, Debug)]
pub struct Conditioning<'a> {
    unet: &'a UNet2dConditionModel,
    /// The unconditional text comes first, if there is guidance.
    text: TextContext,
    /// The unconditional text where its length differs from the other's: then the model is called twice a step.
    separate_negative: Option<TextContext>,
    guidance_scale: Option<f64>,
    timestep_cond: Option<Tensor>,
    channels: Option<Tensor>,
}

impl<'a> Conditioning<'a> {
    /// Conditioning on a prompt alone, for a guidance scale of at most one: the model's batch is one row a step.
    ///
    /// `prompt_embeds` is [1, tokens, hidden].
    ///
    /// # Errors
    /// [`Error::Shape`] if the embeddings' shape is not the model's.
    pub fn unguided(unet: &'a UNet2dConditionModel, prompt_embeds: &Tensor) -> Result<Self> {
        Ok(Self {
            unet,
            text: unet.text_context(prompt_embeds)?,
            separate_negative: None,
            guidance_scale: None,
            timestep_cond: None,
            channels: None,
        })
    }

    /// Conditioning on a prompt against a negative prompt, both [1, tokens, hidden]: the batch is two rows a step, which share all
    /// computations that do not depend on the text. Texts of different lengths are two calls a step, as in stable-diffusion-webui.
    ///
    /// # Errors
    /// [`Error::Candle`] if the shapes differ; [`Error::Shape`] if the embeddings' shape is not the model's.
    pub fn guided(
        unet: &'a UNet2dConditionModel,
        prompt_embeds: &Tensor,
        negative_prompt_embeds: &Tensor,
        guidance_scale: f64,
    ) -> Result<Self> {
        if prompt_embeds.dim(1)? != negative_prompt_embeds.dim(1)? {
            let negative = unet.text_context(negative_prompt_embeds)?;
            let unguided = Self::unguided(unet, prompt_embeds)?;
            return Ok(Self { guidance_scale: Some(guidance_scale), separate_negative: Some(negative), ..unguided });
        }
        let both = Tensor::cat(&[negative_prompt_embeds, prompt_embeds], 0)?;
        Ok(Self { guidance_scale: Some(guidance_scale), ..Self::unguided(unet, &both)? })
    }

    /// Conditioning on a request's texts: guided if the negative prompt was encoded, and at the sizes of `added_time_ids` if there are pooled
    /// states, which a model with a "text_time" embedding takes.
    ///
    /// # Errors
    /// As [`Self::guided`].
    pub fn new(unet: &'a UNet2dConditionModel, embeds: &PromptEmbeds, added_time_ids: &AddedTimeIds, guidance_scale: f64) -> Result<Self> {
        let PromptEmbeds { prompt_embeds, negative_prompt_embeds: negative, pooled } = embeds;
        let Some(pooled) = pooled else {
            return match negative {
                Some(negative) => Self::guided(unet, prompt_embeds, negative, guidance_scale),
                None => Self::unguided(unet, prompt_embeds),
            };
        };
        let row = |ids: &[f32]| Tensor::new(ids, &Device::Cpu)?.unsqueeze(0);
        let (text_embeds, ids) = (&pooled.pooled_prompt_embeds, row(&added_time_ids.positive)?);
        let conditioning = |text, separate_negative, guidance_scale| {
            Ok(Self { unet, text, separate_negative, guidance_scale, timestep_cond: None, channels: None })
        };
        let Some((negative, negative_text_embeds)) = negative.as_ref().zip(pooled.negative_pooled_prompt_embeds.as_ref()) else {
            return conditioning(unet.text_time_context(prompt_embeds, text_embeds, &ids)?, None, None);
        };
        let negative_ids = row(&added_time_ids.negative)?;
        if prompt_embeds.dim(1)? != negative.dim(1)? {
            let separate_negative = unet.text_time_context(negative, negative_text_embeds, &negative_ids)?;
            let text = unet.text_time_context(prompt_embeds, text_embeds, &ids)?;
            return conditioning(text, Some(separate_negative), Some(guidance_scale));
        }
        let both = |negative: &Tensor, positive: &Tensor| Tensor::cat(&[negative, positive], 0);
        let (text_embeds, ids) = (both(negative_text_embeds, text_embeds)?, both(&negative_ids, &ids)?);
        let text = unet.text_time_context(&both(negative, prompt_embeds)?, &text_embeds, &ids)?;
        conditioning(text, None, Some(guidance_scale))
    }

    /// Adds the embedding of the guidance scale, [1, time_cond_proj_dim], for models that were distilled with it.
    #[must_use]
    pub fn with_timestep_cond(self, timestep_cond: Tensor) -> Self {
        Self { timestep_cond: Some(timestep_cond), ..self }
    }

    /// Adds channels that are concatenated to the latents, [1, channels, height, width] f32 (inpainting models).
    #[must_use]
    pub fn with_channels(self, channels: Tensor) -> Self {
        Self { channels: Some(channels), ..self }
    }

    /// Predicts the guided noise, f32 on the CPU, for scaled latents [1, c, h, w], f32 on the CPU.
    ///
    /// # Errors
    /// [`Error::Shape`] if the latents do not fit; [`Error::Candle`] from the model.
    pub fn predict(&self, scaled_latents: &Tensor, timestep: f64) -> Result<Tensor> {
        // A batch of latents would be mistaken for the halves of the guidance.
        if scaled_latents.dims().first() != Some(&1) {
            let expected = "[1, channels, height, width]".into();
            return Err(Error::Shape { what: "latents", expected, found: scaled_latents.dims().to_vec() });
        }
        let sample = match &self.channels {
            Some(channels) => Tensor::cat(&[scaled_latents, channels], 1)?,
            None => scaled_latents.clone(),
        };
        let predict = |text: &TextContext| -> Result<Tensor> {
            let noise_pred = self.unet.forward(&sample, timestep, text, self.timestep_cond.as_ref())?;
            Ok(noise_pred.to_dtype(DType::F32)?.to_device(&Device::Cpu)?)
        };
        let noise_pred = match &self.separate_negative {
            None => predict(&self.text)?,
            Some(negative) => Tensor::cat(&[&predict(negative)?, &predict(&self.text)?], 0)?,
        };
        match self.guidance_scale {
            None => Ok(noise_pred),
            Some(scale) => combine(&noise_pred, scale),
        }
    }
}

/// `uncond + scale * (text - uncond)` for a batch whose first half is unconditional.
fn combine(noise_pred: &Tensor, scale: f64) -> Result<Tensor> {
    let rows = noise_pred.dim(0)? / 2;
    let uncond = noise_pred.narrow(0, 0, rows)?;
    let text = noise_pred.narrow(0, rows, rows)?;
    Ok((&uncond + ((text - &uncond)? * scale)?)?)
}

/// The sinusoidal embedding of a guidance scale, [1, `dim`] f32 on the CPU, for models with `time_cond_proj_dim`.
///
/// # Errors
/// [`Error::Candle`] if the tensor cannot be made.
pub fn guidance_scale_embedding(guidance_scale: f64, dim: usize) -> Result<Tensor> {
    // Every step is in f32, as in diffusers: the sines of large arguments amplify every rounding.
    let w = (guidance_scale - 1.0) as f32 * 1000.0;
    let half = dim / 2;
    let rate = (10000f64.ln() as f32) / (half as f32 - 1.0);
    let angles = (0..half).map(|index| w * (index as f32 * -rate).exp()).collect::<Vec<f32>>();
    let mut values = angles.iter().map(|angle| angle.sin()).chain(angles.iter().map(|angle| angle.cos())).collect::<Vec<f32>>();
    values.resize(dim, 0.0);
    Ok(Tensor::from_vec(values, (1, dim), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn guidance_extrapolates_from_the_first_half_through_the_second() {
        let pair = Tensor::new(&[[[[1f32]]], [[[3f32]]]], &Device::Cpu).unwrap();
        assert_eq!(combine(&pair, 7.5).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), [16.0]);
    }

    #[test]
    fn the_guidance_embedding_has_sines_then_cosines_then_padding() {
        let values = guidance_scale_embedding(8.5, 5).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = [7500f32.sin(), 0.75f32.sin(), 7500f32.cos(), 0.75f32.cos(), 0.0];
        for (found, expected) in values.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3, "{values:?}");
        }
    }
}
