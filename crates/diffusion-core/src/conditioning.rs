//! Prompt encoding: tokenizers and text encoders turn prompts into the [`PromptEmbeds`] that condition a noise predictor.
//!
//! This module must not depend on noise predictors, guidance or schedulers. Invariant: as in diffusers' `encode_prompt`, `clip_skip`
//! applies to the prompt but not to the negative prompt. A model with two text encoders would add its second one here, and its pooled
//! states to the embeds.

use candle_core::{DType, Device, Tensor};

use crate::{
    Result,
    adapters::Embedding,
    models::ClipTextModel,
    prompt::{self, AddedWords, PromptChunk, PromptSyntax},
    tokenizer::{ClipTokenizer, Scripts},
};

/// The encoded texts of a request, [1, tokens, hidden] each, in the noise predictor's precision and on its device.
#[derive(Clone, Debug)]
pub struct PromptEmbeds {
    /// Embeddings of the prompt.
    pub prompt_embeds: Tensor,
    /// Embeddings of the negative prompt; `None` if the noise predictor does not use it.
    pub negative_prompt_embeds: Option<Tensor>,
}

impl PromptEmbeds {
    /// Interpolates linearly from these embeddings (`position` 0) to `other` (`position` 1). The sum is computed in f32.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] if the shapes differ.
    pub fn interpolate(&self, other: &Self, position: f64) -> Result<Self> {
        let mix = |from: &Tensor, to: &Tensor| -> Result<Tensor> {
            let (start, end) = (from.to_dtype(DType::F32)?, to.to_dtype(DType::F32)?);
            Ok(((start * (1.0 - position))? + (end * position)?)?.to_dtype(from.dtype())?)
        };
        let negative = self.negative_prompt_embeds.as_ref().zip(other.negative_prompt_embeds.as_ref());
        Ok(Self {
            prompt_embeds: mix(&self.prompt_embeds, &other.prompt_embeds)?,
            negative_prompt_embeds: negative.map(|(from, to)| mix(from, to)).transpose()?,
        })
    }
}

/// A tokenizer and its text encoder.
pub struct TextConditioner {
    tokenizer: ClipTokenizer,
    text_encoder: ClipTextModel,
    words: AddedWords,
    /// The device of the text encoder and of the noise predictor.
    device: Device,
    /// The noise predictor's precision.
    dtype: DType,
}

impl TextConditioner {
    /// Output embeddings have `dtype`, whatever the text encoder's precision.
    pub fn new(tokenizer: ClipTokenizer, text_encoder: ClipTextModel, device: Device, dtype: DType) -> Self {
        Self { tokenizer, text_encoder, words: AddedWords::default(), device, dtype }
    }

    /// Makes embeddings words of the prompts; they replace those added before. Returns a remark for each that does not fit the text encoder.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] from the device.
    pub fn set_embeddings(&mut self, embeddings: &[Embedding]) -> Result<Vec<String>> {
        let (vocabulary, hidden) = (self.text_encoder.config().vocab_size, self.text_encoder.config().hidden_size);
        let (mut words, mut vectors, mut remarks) = (AddedWords::default(), Vec::new(), Vec::new());
        let mut next = vocabulary as u32;
        for Embedding { name, vectors: own } in embeddings {
            let (count, width) = own.dims2()?;
            if width != hidden {
                remarks
                    .push(format!("the embedding {name} is left out: its vectors have {width} numbers, and this text encoder's {hidden}"));
                continue;
            }
            let end = next.saturating_add(count as u32);
            words.add(name, next..end);
            vectors.push(own);
            next = end;
        }
        if !vectors.is_empty() {
            self.text_encoder.set_added_words(&Tensor::cat(&vectors, 0)?)?;
        }
        self.words = words;
        Ok(remarks)
    }

    /// The number of tokens of `prompt` before truncation, and the most that the model reads, both without the start and end tokens.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if the text cannot be encoded.
    pub fn text_length(&self, prompt: &str) -> Result<(usize, usize)> {
        let tokens = prompt::plain_tokens(prompt, &self.tokenizer, &self.words)?;
        Ok((tokens.len(), self.tokenizer.max_length().saturating_sub(2)))
    }

    /// The writing systems that the model reads.
    pub fn scripts(&self) -> Scripts {
        self.tokenizer.scripts()
    }

    /// Encodes a prompt and its negative prompt. `clip_skip` is the number of the encoder's last layers to leave out.
    /// A prompt of several chunks has as many times the tokens; the negative prompt may have another number of them.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if a text cannot be encoded; [`crate::Error::Params`] if the encoder has no more layers than that.
    pub fn encode(&self, prompt: &str, negative_prompt: Option<&str>, syntax: PromptSyntax, clip_skip: usize) -> Result<PromptEmbeds> {
        let negative_prompt_embeds = negative_prompt.map(|text| self.encode_text(text, syntax, 0)).transpose()?;
        Ok(PromptEmbeds { prompt_embeds: self.encode_text(prompt, syntax, clip_skip)?, negative_prompt_embeds })
    }

    /// Lengthens the shorter of two requests' texts by chunks without text, until those that are mixed have as many tokens.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn padded(&self, [from, to]: [PromptEmbeds; 2]) -> Result<[PromptEmbeds; 2]> {
        let pair = |from: Tensor, to: Tensor| -> Result<(Tensor, Tensor)> {
            let longest = from.dim(1)?.max(to.dim(1)?);
            Ok((self.lengthened(from, longest)?, self.lengthened(to, longest)?))
        };
        let (from_prompt, to_prompt) = pair(from.prompt_embeds, to.prompt_embeds)?;
        let (from_negative, to_negative) = match (from.negative_prompt_embeds, to.negative_prompt_embeds) {
            (Some(from), Some(to)) => pair(from, to).map(|(from, to)| (Some(from), Some(to)))?,
            (from, to) => (from, to),
        };
        let embeds = |prompt_embeds, negative_prompt_embeds| PromptEmbeds { prompt_embeds, negative_prompt_embeds };
        Ok([embeds(from_prompt, from_negative), embeds(to_prompt, to_negative)])
    }

    fn lengthened(&self, embeds: Tensor, tokens: usize) -> Result<Tensor> {
        if embeds.dim(1)? >= tokens {
            return Ok(embeds);
        }
        let empty = self.encode_text("", PromptSyntax::Plain, 0)?;
        let mut parts = vec![embeds];
        while parts.iter().map(|part| part.dims().get(1).copied().unwrap_or(tokens)).sum::<usize>() < tokens {
            parts.push(empty.clone());
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    /// The chunks' states one behind the other, [1, chunks * tokens, hidden].
    fn encode_text(&self, text: &str, syntax: PromptSyntax, clip_skip: usize) -> Result<Tensor> {
        let chunks = prompt::chunks_with(text, syntax, &self.tokenizer, &self.words)?;
        let states = chunks.into_iter().map(|chunk| self.encode_chunk(chunk, clip_skip)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&states, 1)?.to_dtype(self.dtype)?.to_device(&self.device)?)
    }

    fn encode_chunk(&self, chunk: PromptChunk, clip_skip: usize) -> Result<Tensor> {
        let is_weighted = chunk.is_weighted();
        let length = chunk.ids.len();
        let ids = Tensor::from_vec(chunk.ids, (1, length), &self.device)?.to_dtype(DType::U32)?;
        let states = self.text_encoder.forward(&ids, clip_skip)?;
        if is_weighted { weigh(&states, chunk.weights) } else { Ok(states) }
    }
}

/// Multiplies each token's states by its weight, then all by what restores their mean. As `EmphasisOriginal` of stable-diffusion-webui's
/// modules/sd_emphasis.py.
fn weigh(states: &Tensor, weights: Vec<f32>) -> Result<Tensor> {
    let length = weights.len();
    let wide = states.to_dtype(DType::F32)?;
    let weighted = wide.broadcast_mul(&Tensor::from_vec(weights, (1, length, 1), states.device())?)?;
    let mean = |states: &Tensor| -> Result<f64> { Ok(f64::from(states.mean_all()?.to_scalar::<f32>()?)) };
    let (before, after) = (mean(&wide)?, mean(&weighted)?);
    let restored = if after == 0.0 { weighted } else { (weighted * (before / after))? };
    Ok(restored.to_dtype(states.dtype())?)
}
