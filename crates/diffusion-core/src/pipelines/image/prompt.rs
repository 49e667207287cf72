//! Turns a request's prompts into the conditioning of its run.
//!
//! This module must not depend on schedulers. Invariant: a model that embeds the guidance scale itself (`time_cond_proj_dim`) is called
//! without classifier-free guidance.

use super::{ImageParams, StableDiffusion};
use crate::{
    Result,
    conditioning::{PromptEmbeds, Texts},
    guidance::{AddedTimeIds, Conditioning, guidance_scale_embedding},
};

impl StableDiffusion {
    /// The conditioning of the noise predictor for a run that calls it this often.
    pub(super) fn conditioning<'a>(&'a self, params: &'a ImageParams, calls: usize) -> Result<Conditioning<'a>> {
        self.condition_on(&self.encode_prompt(params, params.guidance_scale)?, params, calls)
    }

    /// As [`Self::conditioning`] for a run that continues another model's, without ControlNets.
    pub(super) fn conditioning_from_latents<'a>(&'a self, params: &'a ImageParams) -> Result<Conditioning<'a>> {
        let (embeds, ids) = (self.encode_prompt(params, params.guidance_scale)?, params.added_time_ids_of(self.family, false));
        self.condition_with(&embeds, &ids, params, 0)
    }

    /// The embeddings of a request's prompts, including the negative prompt if this guidance scale needs it.
    pub(super) fn encode_prompt(&self, params: &ImageParams, guidance_scale: f64) -> Result<PromptEmbeds> {
        let is_guided = guidance_scale > 1.0 && self.unet.config().time_cond_proj_dim.is_none();
        let negative_prompt = is_guided.then(|| texts(&params.negative_prompt, &params.xl.negative_prompt_2));
        self.text_conditioner.encode(texts(&params.prompt, &params.xl.prompt_2), negative_prompt, params.prompt_syntax, params.clip_skip)
    }

    /// The names of the embeddings that are words of a request's prompts, as far as they are read.
    pub fn used_embeddings(&self, params: &ImageParams) -> Vec<String> {
        let is_guided = params.guidance_scale > 1.0 && self.unet.config().time_cond_proj_dim.is_none();
        let negative = is_guided.then(|| texts(&params.negative_prompt, &params.xl.negative_prompt_2));
        let mut used: Vec<String> = Vec::new();
        for texts in [Some(texts(&params.prompt, &params.xl.prompt_2)), negative].into_iter().flatten() {
            for word in self.text_conditioner.used_words(texts, params.prompt_syntax) {
                if !used.iter().any(|known| known == word) {
                    used.push(word.to_owned());
                }
            }
        }
        used
    }

    /// Conditions the noise predictor on these embeddings, at the guidance scale that they were encoded for, at the request's sizes, and
    /// with the request's ControlNets in a run that calls it `calls` times.
    pub(super) fn condition_on<'a>(&'a self, embeds: &PromptEmbeds, params: &'a ImageParams, calls: usize) -> Result<Conditioning<'a>> {
        self.condition_with(embeds, &params.added_time_ids(self.family), params, calls)
    }

    fn condition_with<'a>(
        &'a self,
        embeds: &PromptEmbeds,
        ids: &AddedTimeIds,
        params: &'a ImageParams,
        calls: usize,
    ) -> Result<Conditioning<'a>> {
        let conditioning = Conditioning::new(&self.unet, embeds, ids, params.guidance_scale)?;
        let conditioning = conditioning.with_controls(params.controls.prepared(params, calls)?, params.controls.guess_mode)?;
        match self.unet.config().time_cond_proj_dim {
            Some(dim) => Ok(conditioning.with_timestep_cond(guidance_scale_embedding(params.guidance_scale, dim)?)),
            None => Ok(conditioning),
        }
    }
}

/// A text for each text encoder; an empty second one is the same as the first.
fn texts<'a>(first: &'a str, second: &'a str) -> Texts<'a> {
    Texts { first, second: if second.is_empty() { first } else { second } }
}
