//! Prompt encoding: tokenizers and text encoders turn prompts into the [`PromptEmbeds`] that condition a noise predictor.
//!
//! This module must not depend on noise predictors, guidance or schedulers. Invariant: as in diffusers' `encode_prompt`, `clip_skip`
//! applies to the prompt but not to the negative prompt. A model with two text encoders attends to the penultimate states of both, side by
//! side, and has the second one's pooled state besides (diffusers' `StableDiffusionXLPipeline`).

mod compel;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use self::compel::CompelEncoder;
use crate::{
    Result,
    adapters::Embedding,
    models::{ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ProjectedText, TextTokens},
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
    /// The pooled states of a model with two text encoders.
    pub pooled: Option<PooledEmbeds>,
}

/// The projected pooled states of a request's texts, [1, channels] each.
#[derive(Clone, Debug)]
pub struct PooledEmbeds {
    /// The prompt's.
    pub pooled_prompt_embeds: Tensor,
    /// The negative prompt's; `None` if the noise predictor does not use it.
    pub negative_pooled_prompt_embeds: Option<Tensor>,
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
        let mix_both =
            |from: &Option<Tensor>, to: &Option<Tensor>| from.as_ref().zip(to.as_ref()).map(|(from, to)| mix(from, to)).transpose();
        let mix_pooled = |(from, to): (&PooledEmbeds, &PooledEmbeds)| -> Result<PooledEmbeds> {
            Ok(PooledEmbeds {
                pooled_prompt_embeds: mix(&from.pooled_prompt_embeds, &to.pooled_prompt_embeds)?,
                negative_pooled_prompt_embeds: mix_both(&from.negative_pooled_prompt_embeds, &to.negative_pooled_prompt_embeds)?,
            })
        };
        Ok(Self {
            prompt_embeds: mix(&self.prompt_embeds, &other.prompt_embeds)?,
            negative_prompt_embeds: mix_both(&self.negative_prompt_embeds, &other.negative_prompt_embeds)?,
            pooled: self.pooled.as_ref().zip(other.pooled.as_ref()).map(mix_pooled).transpose()?,
        })
    }
}

/// A text for each text encoder.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// The first encoder's, which a model with one encoder reads.
    pub first: &'a str,
    /// The second encoder's.
    pub second: &'a str,
}

impl<'a> From<&'a str> for Texts<'a> {
    fn from(text: &'a str) -> Self {
        Self { first: text, second: text }
    }
}

/// The tokenizer and the text encoder of Stable Diffusion 1.x and 2.x, and the first ones of XL.
pub struct FirstEncoder {
    tokenizer: Arc<ClipTokenizer>,
    text_encoder: ClipTextModel,
    words: AddedWords,
}

impl FirstEncoder {
    /// A tokenizer and its text encoder.
    pub fn new(tokenizer: impl Into<Arc<ClipTokenizer>>, text_encoder: ClipTextModel) -> Self {
        Self { tokenizer: tokenizer.into(), text_encoder, words: AddedWords::default() }
    }

    fn chunks(&self, text: &str, syntax: PromptSyntax) -> Result<Vec<PromptChunk>> {
        prompt::chunks_with(text, syntax, &self.tokenizer, &self.words)
    }
}

/// The second tokenizer and text encoder of Stable Diffusion XL, which its refiner has alone.
pub struct SecondEncoder {
    tokenizer: Arc<ClipTokenizer>,
    text_encoder: ClipTextModelWithProjection,
    words: AddedWords,
    zeroes_empty_negatives: bool,
}

impl SecondEncoder {
    /// A tokenizer and its text encoder, and whether zeros replace the states of an empty negative prompt.
    pub fn new(tokenizer: impl Into<Arc<ClipTokenizer>>, text_encoder: ClipTextModelWithProjection, zeroes_empty_negatives: bool) -> Self {
        Self { tokenizer: tokenizer.into(), text_encoder, words: AddedWords::default(), zeroes_empty_negatives }
    }

    fn chunks(&self, text: &str, syntax: PromptSyntax) -> Result<Vec<PromptChunk>> {
        prompt::chunks_with(text, syntax, &self.tokenizer, &self.words)
    }
}

/// The text encoders of a model, or what they are loaded from.
pub enum TextEncoders<F = FirstEncoder, S = SecondEncoder> {
    /// Stable Diffusion 1.x and 2.x.
    First(F),
    /// Stable Diffusion XL.
    Both(F, S),
    /// Stable Diffusion XL's refiner.
    Second(S),
}

impl<F, S> TextEncoders<F, S> {
    /// The first encoder.
    pub fn first(&self) -> Option<&F> {
        match self {
            Self::First(first) | Self::Both(first, _) => Some(first),
            Self::Second(_) => None,
        }
    }

    /// The second encoder.
    pub fn second(&self) -> Option<&S> {
        match self {
            Self::First(_) => None,
            Self::Both(_, second) | Self::Second(second) => Some(second),
        }
    }
}

/// The tokenizers of a model's text encoders, as far as they are loaded.
#[derive(Clone, Default)]
pub(crate) struct Tokenizers {
    pub(crate) first: Option<Arc<ClipTokenizer>>,
    pub(crate) second: Option<Arc<ClipTokenizer>>,
}

/// Tokenizers and their text encoders.
pub struct TextConditioner {
    encoders: TextEncoders,
    /// The device of the text encoders and of the noise predictor.
    device: Device,
    /// The noise predictor's precision.
    dtype: DType,
}

impl TextConditioner {
    /// Output embeddings have `dtype`, whatever the text encoders' precision.
    pub fn new(encoders: TextEncoders, device: Device, dtype: DType) -> Self {
        Self { encoders, device, dtype }
    }

    /// Makes embeddings words of the prompts; they replace those added before. Each text encoder gets the vectors of its width. Returns a
    /// remark for each embedding that does not fit, or fits one of two text encoders only.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] from the device.
    pub fn set_embeddings(&mut self, embeddings: &[Embedding]) -> Result<Vec<String>> {
        let mut widths = Vec::new();
        let (first, second) = match &mut self.encoders {
            TextEncoders::First(first) => (Some(first), None),
            TextEncoders::Both(first, second) => (Some(first), Some(second)),
            TextEncoders::Second(second) => (None, Some(second)),
        };
        if let Some(FirstEncoder { text_encoder, words, .. }) = first {
            let (own, vectors) = words_of(embeddings, text_encoder.config())?;
            vectors.map_or(Ok(()), |vectors| text_encoder.set_added_words(&vectors))?;
            *words = own;
            widths.push(text_encoder.config().hidden_size);
        }
        if let Some(SecondEncoder { text_encoder, words, .. }) = second {
            let (own, vectors) = words_of(embeddings, text_encoder.config())?;
            vectors.map_or(Ok(()), |vectors| text_encoder.set_added_words(&vectors))?;
            *words = own;
            widths.push(text_encoder.config().hidden_size);
        }
        Ok(embeddings.iter().filter_map(|embedding| misfit(embedding, &widths)).collect())
    }

    /// The tokenizers, for the same model with other adapters: building one takes longer than reading an adapter's layers.
    pub(crate) fn tokenizers(&self) -> Tokenizers {
        Tokenizers {
            first: self.encoders.first().map(|first| Arc::clone(&first.tokenizer)),
            second: self.encoders.second().map(|second| Arc::clone(&second.tokenizer)),
        }
    }

    /// The tokenizer of a request's `prompt`, and its added words.
    fn tokenizer(&self) -> (&ClipTokenizer, &AddedWords) {
        match &self.encoders {
            TextEncoders::First(first) | TextEncoders::Both(first, _) => (&first.tokenizer, &first.words),
            TextEncoders::Second(second) => (&second.tokenizer, &second.words),
        }
    }

    /// The number of tokens of `prompt` before truncation, and the most that the model reads, both without the start and end tokens.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if the text cannot be encoded.
    pub fn text_length(&self, prompt: &str) -> Result<(usize, usize)> {
        let (tokenizer, words) = self.tokenizer();
        let tokens = prompt::plain_tokens(prompt, tokenizer, words)?;
        Ok((tokens.len(), tokenizer.max_length().saturating_sub(2)))
    }

    /// The embeddings that are words of these texts, each once.
    pub fn used_words(&self, texts: Texts<'_>, syntax: PromptSyntax) -> Vec<&str> {
        let first = self.encoders.first().map(|first| prompt::used_words(texts.first, syntax, &first.words));
        let second = self.encoders.second().map(|second| prompt::used_words(texts.second, syntax, &second.words));
        let mut used: Vec<&str> = Vec::new();
        for word in first.into_iter().chain(second).flatten() {
            if !used.contains(&word) {
                used.push(word);
            }
        }
        used
    }

    /// The writing systems that the model reads.
    pub fn scripts(&self) -> Scripts {
        self.tokenizer().0.scripts()
    }

    /// Encodes a prompt and its negative prompt. `clip_skip` is the number of the encoders' last layers to leave out.
    /// A prompt of several chunks has as many times the tokens; the negative prompt may have another number of them, except in compel's
    /// language, which lengthens the shorter one.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if a text cannot be encoded; [`crate::Error::Params`] if an encoder has no more layers than that.
    pub fn encode<'a>(
        &self,
        prompt: impl Into<Texts<'a>>,
        negative_prompt: Option<Texts<'a>>,
        syntax: PromptSyntax,
        clip_skip: usize,
    ) -> Result<PromptEmbeds> {
        let embeds = self.encode_both(prompt.into(), negative_prompt, syntax, clip_skip)?;
        let lengths = (embeds.prompt_embeds.dim(1)?, embeds.negative_prompt_embeds.as_ref().map(|negative| negative.dim(1)).transpose()?);
        let (PromptSyntax::Compel, (prompt, Some(negative))) = (syntax, lengths) else { return Ok(embeds) };
        let longest = prompt.max(negative);
        Ok(PromptEmbeds {
            prompt_embeds: self.lengthened(embeds.prompt_embeds, longest, clip_skip)?,
            negative_prompt_embeds: embeds.negative_prompt_embeds.map(|negative| self.lengthened(negative, longest, 0)).transpose()?,
            pooled: embeds.pooled,
        })
    }

    /// [`Self::encode`], for texts of different lengths.
    fn encode_both(
        &self,
        prompt: Texts<'_>,
        negative_prompt: Option<Texts<'_>>,
        syntax: PromptSyntax,
        clip_skip: usize,
    ) -> Result<PromptEmbeds> {
        let (first, second) = match &self.encoders {
            TextEncoders::First(first) => {
                let negative_prompt_embeds = negative_prompt.map(|texts| self.encode_text(first, texts.first, syntax, 0)).transpose()?;
                let prompt_embeds = self.encode_text(first, prompt.first, syntax, clip_skip)?;
                return Ok(PromptEmbeds { prompt_embeds, negative_prompt_embeds, pooled: None });
            }
            TextEncoders::Both(first, second) => (Some(first), second),
            TextEncoders::Second(second) => (None, second),
        };
        let (prompt_embeds, pooled_prompt_embeds) = self.encode_texts(first, second, prompt, syntax, clip_skip)?;
        let negative = negative_prompt.map(|texts| {
            if second.zeroes_empty_negatives && texts.first.is_empty() && texts.second.is_empty() {
                return Ok((prompt_embeds.zeros_like()?, pooled_prompt_embeds.zeros_like()?));
            }
            self.encode_texts(first, second, texts, syntax, 0)
        });
        let (negative_prompt_embeds, negative_pooled_prompt_embeds) = negative.transpose()?.unzip();
        let pooled = Some(PooledEmbeds { pooled_prompt_embeds, negative_pooled_prompt_embeds });
        Ok(PromptEmbeds { prompt_embeds, negative_prompt_embeds, pooled })
    }

    /// Lengthens the shorter of two requests' texts by chunks without text, until those that are mixed have as many tokens.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn padded(&self, [from, to]: [PromptEmbeds; 2]) -> Result<[PromptEmbeds; 2]> {
        let pair = |from: Tensor, to: Tensor| -> Result<(Tensor, Tensor)> {
            let longest = from.dim(1)?.max(to.dim(1)?);
            Ok((self.lengthened(from, longest, 0)?, self.lengthened(to, longest, 0)?))
        };
        let (from_prompt, to_prompt) = pair(from.prompt_embeds, to.prompt_embeds)?;
        let (from_negative, to_negative) = match (from.negative_prompt_embeds, to.negative_prompt_embeds) {
            (Some(from), Some(to)) => pair(from, to).map(|(from, to)| (Some(from), Some(to)))?,
            (from, to) => (from, to),
        };
        let embeds = |prompt_embeds, negative_prompt_embeds, pooled| PromptEmbeds { prompt_embeds, negative_prompt_embeds, pooled };
        Ok([embeds(from_prompt, from_negative, from.pooled), embeds(to_prompt, to_negative, to.pooled)])
    }

    fn lengthened(&self, embeds: Tensor, tokens: usize, clip_skip: usize) -> Result<Tensor> {
        if embeds.dim(1)? >= tokens {
            return Ok(embeds);
        }
        let empty = self.encode("", None, PromptSyntax::Plain, clip_skip)?.prompt_embeds;
        let mut parts = vec![embeds];
        while parts.iter().map(|part| part.dims().get(1).copied().unwrap_or(tokens)).sum::<usize>() < tokens {
            parts.push(empty.clone());
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    /// The chunks' states one behind the other, [1, chunks * tokens, hidden].
    fn encode_text(&self, first: &FirstEncoder, text: &str, syntax: PromptSyntax, clip_skip: usize) -> Result<Tensor> {
        if syntax == PromptSyntax::Compel {
            let encode = |tokens: TextTokens<'_>| first.text_encoder.forward(tokens, clip_skip);
            return self.place(&CompelEncoder::new(&first.tokenizer, &first.words, &self.device, encode).states(text)?);
        }
        let chunks = first.chunks(text, syntax)?;
        let encode = |chunk: PromptChunk| weigh(&first.text_encoder.forward(&self.ids(&chunk)?, clip_skip)?, chunk);
        let states = chunks.into_iter().map(encode).collect::<Result<Vec<_>>>()?;
        self.place(&Tensor::cat(&states, 1)?)
    }

    /// The encoders' penultimate states side by side, [1, chunks * tokens, hidden of all], and the second one's pooled state of the first
    /// chunk.
    fn encode_texts(
        &self,
        first: Option<&FirstEncoder>,
        second: &SecondEncoder,
        texts: Texts<'_>,
        syntax: PromptSyntax,
        clip_skip: usize,
    ) -> Result<(Tensor, Tensor)> {
        if syntax == PromptSyntax::Compel {
            return self.encode_compel_texts(first, second, texts, clip_skip);
        }
        let mut second_chunks = second.chunks(texts.second, syntax)?;
        let mut states = Vec::new();
        if let Some(first) = first {
            let mut first_chunks = first.chunks(texts.first, syntax)?;
            // The shorter of two texts is continued with empty chunks.
            let count = first_chunks.len().max(second_chunks.len());
            for (chunks, tokenizer) in [(&mut first_chunks, &first.tokenizer), (&mut second_chunks, &second.tokenizer)] {
                let empty = prompt::chunks("", syntax, tokenizer)?.into_iter().cycle();
                chunks.extend(empty.take(count - chunks.len()));
            }
            let encode = |chunk: PromptChunk| weigh(&first.text_encoder.penultimate(&self.ids(&chunk)?, clip_skip)?, chunk);
            states.push(Tensor::cat(&first_chunks.into_iter().map(encode).collect::<Result<Vec<_>>>()?, 1)?);
        }
        let (mut second_states, mut pooled) = (Vec::new(), None);
        for chunk in second_chunks {
            let ProjectedText { hidden_states, text_embeds } = second.text_encoder.forward(&self.ids(&chunk)?, clip_skip)?;
            second_states.push(weigh(&hidden_states, chunk)?);
            pooled.get_or_insert(text_embeds);
        }
        states.push(Tensor::cat(&second_states, 1)?);
        let pooled = pooled.ok_or(candle_core::Error::UnwrapNone)?;
        Ok((self.place(&Tensor::cat(&states, 2)?)?, self.place(&pooled)?))
    }

    /// [`Self::encode_texts`] in compel's language. As there, the pooled state is that of the whole text as if it had no syntax.
    fn encode_compel_texts(
        &self,
        first: Option<&FirstEncoder>,
        second: &SecondEncoder,
        texts: Texts<'_>,
        clip_skip: usize,
    ) -> Result<(Tensor, Tensor)> {
        let encode = |tokens: TextTokens<'_>| Ok(second.text_encoder.forward(tokens, clip_skip)?.hidden_states);
        let second_encoder = CompelEncoder::new(&second.tokenizer, &second.words, &self.device, encode);
        let mut states = second_encoder.states(texts.second)?;
        if let Some(first) = first {
            let encode = |tokens: TextTokens<'_>| first.text_encoder.penultimate(tokens, clip_skip);
            let first_encoder = CompelEncoder::new(&first.tokenizer, &first.words, &self.device, encode);
            let first_states = first_encoder.states(texts.first)?;
            let longest = first_states.dim(1)?.max(states.dim(1)?);
            states = Tensor::cat(&[first_encoder.lengthened(first_states, longest)?, second_encoder.lengthened(states, longest)?], 2)?;
        }
        let chunk = second.chunks(texts.second, PromptSyntax::Plain)?.into_iter().next().ok_or(candle_core::Error::UnwrapNone)?;
        let pooled = second.text_encoder.forward(&self.ids(&chunk)?, clip_skip)?.text_embeds;
        Ok((self.place(&states)?, self.place(&pooled)?))
    }

    /// A chunk's ids, [1, tokens].
    fn ids(&self, chunk: &PromptChunk) -> Result<Tensor> {
        Ok(Tensor::new(chunk.ids.as_slice(), &self.device)?.unsqueeze(0)?)
    }

    /// In the noise predictor's precision, on its device.
    fn place(&self, states: &Tensor) -> Result<Tensor> {
        Ok(states.to_dtype(self.dtype)?.to_device(&self.device)?)
    }
}

/// The embeddings that a text encoder of this configuration can read: their words, and the vectors of all of them, if there is one.
fn words_of(embeddings: &[Embedding], config: &ClipTextConfig) -> Result<(AddedWords, Option<Tensor>)> {
    let (mut words, mut vectors) = (AddedWords::default(), Vec::new());
    let mut next = config.vocab_size as u32;
    for embedding in embeddings {
        let Some(own) = embedding.of_width(config.hidden_size) else { continue };
        let end = next.saturating_add(own.dim(0)? as u32);
        words.add(&embedding.name, next..end);
        vectors.push(own);
        next = end;
    }
    let vectors = if vectors.is_empty() { None } else { Some(Tensor::cat(&vectors, 0)?) };
    Ok((words, vectors))
}

/// Says if an embedding has no vectors for one of the text encoders of these widths.
fn misfit(embedding: &Embedding, widths: &[usize]) -> Option<String> {
    let fitting = widths.iter().filter(|width| embedding.of_width(**width).is_some()).count();
    let fate = match fitting {
        0 => "is left out",
        _ if fitting == widths.len() => return None,
        _ => "is a word of one text encoder only",
    };
    let list = |widths: Vec<usize>| widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let (name, own, wanted) = (&embedding.name, list(embedding.widths()), list(widths.to_vec()));
    let encoders = if widths.len() == 1 { "this text encoder's" } else { "these text encoders'" };
    Some(format!("the embedding {name} {fate}: its vectors have {own} numbers, and {encoders} {wanted}"))
}

/// Multiplies each token's states by its weight, if the chunk has any, then all by what restores their mean. As `EmphasisOriginal` of
/// stable-diffusion-webui's modules/sd_emphasis.py.
fn weigh(states: &Tensor, chunk: PromptChunk) -> Result<Tensor> {
    if !chunk.is_weighted() {
        return Ok(states.clone());
    }
    let length = chunk.weights.len();
    let wide = states.to_dtype(DType::F32)?;
    let weighted = wide.broadcast_mul(&Tensor::from_vec(chunk.weights, (1, length, 1), states.device())?)?;
    let mean = |states: &Tensor| -> Result<f64> { Ok(f64::from(states.mean_all()?.to_scalar::<f32>()?)) };
    let (before, after) = (mean(&wide)?, mean(&weighted)?);
    let restored = if after == 0.0 { weighted } else { (weighted * (before / after))? };
    Ok(restored.to_dtype(states.dtype())?)
}
