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

impl StableDiffusion {
    /// What the noise predictor is conditioned on in this call.
    pub(super) fn conditioning(&self, params: &TextToImageParams) -> Result<Conditioning<'_>> {
        let prompt_embeds = self.encode_text(&params.prompt, params.clip_skip)?;
        if let Some(dim) = self.unet.config().time_cond_proj_dim {
            let timestep_cond = self.for_unet(&guidance_scale_embedding(params.guidance_scale, dim)?)?;
            return Ok(Conditioning::unguided(&self.unet, &prompt_embeds)?.with_timestep_cond(timestep_cond));
        }
        if params.guidance_scale > 1.0 {
            let negative_prompt_embeds = self.encode_text(&params.negative_prompt, 0)?;
            Conditioning::guided(&self.unet, &prompt_embeds, &negative_prompt_embeds, params.guidance_scale)
        } else {
            Conditioning::unguided(&self.unet, &prompt_embeds)
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
