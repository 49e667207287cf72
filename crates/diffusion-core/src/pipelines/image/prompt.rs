//! Turns a request's prompts into the conditioning of its run.
//!
//! This module must not depend on schedulers. Invariant: a model that embeds the guidance scale itself (`time_cond_proj_dim`) is called
//! without classifier-free guidance.

use super::{ImageParams, StableDiffusion};
use crate::{
    Result,
    conditioning::PromptEmbeds,
    guidance::{Conditioning, guidance_scale_embedding},
};

impl StableDiffusion {
    /// The conditioning of the noise predictor for this call.
    pub(super) fn conditioning(&self, params: &ImageParams) -> Result<Conditioning<'_>> {
        self.condition_on(&self.encode_prompt(params, params.guidance_scale)?, params.guidance_scale)
    }

    /// The embeddings of a request's prompts, including the negative prompt if this guidance scale needs it.
    pub(super) fn encode_prompt(&self, params: &ImageParams, guidance_scale: f64) -> Result<PromptEmbeds> {
        let is_guided = guidance_scale > 1.0 && self.unet.config().time_cond_proj_dim.is_none();
        let negative_prompt = is_guided.then_some(params.negative_prompt.as_str());
        self.text_conditioner.encode(&params.prompt, negative_prompt, params.prompt_syntax, params.clip_skip)
    }

    /// Conditions the noise predictor on these embeddings, at the guidance scale that they were encoded for.
    pub(super) fn condition_on(&self, embeds: &PromptEmbeds, guidance_scale: f64) -> Result<Conditioning<'_>> {
        let PromptEmbeds { prompt_embeds, negative_prompt_embeds } = embeds;
        if let Some(negative) = negative_prompt_embeds {
            return Conditioning::guided(&self.unet, prompt_embeds, negative, guidance_scale);
        }
        let unguided = Conditioning::unguided(&self.unet, prompt_embeds)?;
        match self.unet.config().time_cond_proj_dim {
            Some(dim) => Ok(unguided.with_timestep_cond(guidance_scale_embedding(guidance_scale, dim)?)),
            None => Ok(unguided),
        }
    }
}
