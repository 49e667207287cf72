//! Classifier-free guidance: the inputs of the noise predictor, and the combination of its two predictions.
//!
//! This module must not depend on schedulers. Invariant: the unconditional half of a batch comes first, and predictions are combined in f32
//! whatever the model's precision. Follows diffusers' `StableDiffusionPipeline.__call__` and `get_guidance_scale_embedding`; the paper is
//! Ho and Salimans, "Classifier-Free Diffusion Guidance".

mod controls;
mod per_frame;
mod texts;

use candle_core::{DType, Device, Tensor};

pub use controls::Control;
pub use per_frame::{VideoConditioning, VideoConditions};

use self::{
    controls::{Controls, Half},
    texts::{CallTexts, RunTexts},
};

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
    texts: RunTexts,
    controls: Option<Controls<'a>>,
}

impl<'a> Conditioning<'a> {
    /// Conditioning on a prompt alone, for a guidance scale of at most one: the model's batch is one row a step.
    ///
    /// `prompt_embeds` is [1, tokens, hidden].
    ///
    /// # Errors
    /// [`Error::Shape`] if the embeddings' shape is not the model's.
    pub fn unguided(unet: &'a UNet2dConditionModel, prompt_embeds: &Tensor) -> Result<Self> {
        Self::of(unet, RunTexts { positive: CallTexts::new(prompt_embeds), negative: None }, None)
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
        let texts = RunTexts { positive: CallTexts::new(prompt_embeds), negative: Some(CallTexts::new(negative_prompt_embeds)) };
        Self::of(unet, texts, Some(guidance_scale))
    }

    /// Conditioning on a request's texts: guided if the negative prompt was encoded, and at the sizes of `added_time_ids` if there are pooled
    /// states, which a model with a "text_time" embedding takes.
    ///
    /// # Errors
    /// As [`Self::guided`].
    pub fn new(unet: &'a UNet2dConditionModel, embeds: &PromptEmbeds, added_time_ids: &AddedTimeIds, guidance_scale: f64) -> Result<Self> {
        let texts = RunTexts::of(embeds, added_time_ids)?;
        let guidance_scale = texts.negative.is_some().then_some(guidance_scale);
        Self::of(unet, texts, guidance_scale)
    }

    fn of(unet: &'a UNet2dConditionModel, texts: RunTexts, guidance_scale: Option<f64>) -> Result<Self> {
        let context = |texts: &CallTexts| match &texts.added {
            None => unet.text_context(&texts.states),
            Some((pooled, ids)) => unet.text_time_context(&texts.states, pooled, ids),
        };
        let (main, separate_negative) = texts.of_calls()?;
        Ok(Self {
            unet,
            text: context(&main)?,
            separate_negative: separate_negative.as_ref().map(context).transpose()?,
            guidance_scale,
            timestep_cond: None,
            channels: None,
            texts,
            controls: None,
        })
    }

    /// Adds ControlNets; in guess mode they act on the prompt's half only, and less on finer details.
    ///
    /// # Errors
    /// [`Error::Shape`] if a control image or a text is not what its net takes.
    pub fn with_controls(self, controls: Vec<Control<'a>>, guess_mode: bool) -> Result<Self> {
        if controls.is_empty() {
            return Ok(self);
        }
        Ok(Self { controls: Some(Controls::new(controls, guess_mode, &self.texts)?), ..self })
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

    /// Predicts the guided noise, f32 on the CPU, for scaled latents [1, c, h, w], f32 on the CPU. `call` counts the run's predictions from 0.
    ///
    /// # Errors
    /// [`Error::Shape`] if the latents do not fit; [`Error::Candle`] from the model.
    pub fn predict(&self, scaled_latents: &Tensor, timestep: f64, call: usize) -> Result<Tensor> {
        // A batch of latents would be mistaken for the halves of the guidance.
        if scaled_latents.dims().first() != Some(&1) {
            let expected = "[1, channels, height, width]".into();
            return Err(Error::Shape { what: "latents", expected, found: scaled_latents.dims().to_vec() });
        }
        let sample = match &self.channels {
            Some(channels) => Tensor::cat(&[scaled_latents, channels], 1)?,
            None => scaled_latents.clone(),
        };
        let predict = |text: &TextContext, half: Half| -> Result<Tensor> {
            let controls = self.controls.as_ref();
            let residuals = controls.map(|controls| controls.residuals(scaled_latents, timestep, call, half)).transpose()?.flatten();
            let noise_pred = self.unet.forward_controlled(&sample, timestep, text, self.timestep_cond.as_ref(), residuals.as_ref())?;
            Ok(noise_pred.to_dtype(DType::F32)?.to_device(&Device::Cpu)?)
        };
        let noise_pred = match &self.separate_negative {
            None => predict(&self.text, Half::Main)?,
            Some(negative) => Tensor::cat(&[&predict(negative, Half::SeparateNegative)?, &predict(&self.text, Half::Main)?], 0)?,
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
