//! From prompts to conditioning: tokens, text states, guidance.
//!
//! It must not know schedulers. The invariant: as in diffusers' `encode_prompt`, `clip_skip` acts on the prompt and not on the negative
//! prompt, and a model that embeds the guidance scale itself (`time_cond_proj_dim`) is called without classifier-free guidance.

use candle_core::{DType, Tensor};

use super::{StableDiffusion, TextToImageParams};
use crate::{
    Result,
    guidance::{Conditioning, guidance_scale_embedding},
};

/// The states of a request's texts, [1, tokens, hidden] each, in the noise predictor's precision.
#[derive(Clone, Debug)]
pub(super) struct PromptEmbeds {
    prompt: Tensor,
    /// There is none where the model makes no use of it: without guidance, or with the guidance scale embedded.
    negative: Option<Tensor>,
}

impl PromptEmbeds {
    /// The texts on the way from these to `other`: `position` 0 is these, 1 the other. The sum is made in f32.
    pub(super) fn towards(&self, other: &Self, position: f64) -> Result<Self> {
        let mix = |from: &Tensor, to: &Tensor| -> Result<Tensor> {
            let (start, end) = (from.to_dtype(DType::F32)?, to.to_dtype(DType::F32)?);
            Ok(((start * (1.0 - position))? + (end * position)?)?.to_dtype(from.dtype())?)
        };
        let negative = self.negative.as_ref().zip(other.negative.as_ref()).map(|(from, to)| mix(from, to)).transpose()?;
        Ok(Self { prompt: mix(&self.prompt, &other.prompt)?, negative })
    }
}

impl StableDiffusion {
    /// What the noise predictor is conditioned on in this call.
    pub(super) fn conditioning(&self, params: &TextToImageParams) -> Result<Conditioning<'_>> {
        self.condition_on(&self.encode_prompt(params)?, params.guidance_scale)
    }

    /// The states of a request's texts.
    pub(super) fn encode_prompt(&self, params: &TextToImageParams) -> Result<PromptEmbeds> {
        let guided = params.guidance_scale > 1.0 && self.unet.config().time_cond_proj_dim.is_none();
        let negative = guided.then(|| self.encode_text(&params.negative_prompt, 0)).transpose()?;
        Ok(PromptEmbeds { prompt: self.encode_text(&params.prompt, params.clip_skip)?, negative })
    }

    /// The noise predictor with these texts, at the guidance scale that they were encoded for.
    pub(super) fn condition_on(&self, embeds: &PromptEmbeds, guidance_scale: f64) -> Result<Conditioning<'_>> {
        match &embeds.negative {
            Some(negative) => Conditioning::guided(&self.unet, &embeds.prompt, negative, guidance_scale),
            None => match self.unet.config().time_cond_proj_dim {
                Some(dim) => {
                    let timestep_cond = self.for_unet(&guidance_scale_embedding(guidance_scale, dim)?)?;
                    Ok(Conditioning::unguided(&self.unet, &embeds.prompt)?.with_timestep_cond(timestep_cond))
                }
                None => Conditioning::unguided(&self.unet, &embeds.prompt),
            },
        }
    }

    /// A text's states, [1, tokens, hidden], in the noise predictor's precision.
    fn encode_text(&self, text: &str, clip_skip: usize) -> Result<Tensor> {
        let ids = self.tokenizer.encode(text)?.ids;
        let length = ids.len();
        let ids = Tensor::from_vec(ids, (1, length), &self.policy.device)?.to_dtype(DType::U32)?;
        self.for_unet(&self.text_encoder.forward(&ids, clip_skip)?)
    }

    fn for_unet(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_dtype(self.policy.unet)?.to_device(&self.policy.device)?)
    }
}
