//! BLIP's text decoder: from tokens and an encoded image to the logits of the next token.
//!
//! This module does not depend on tokenization or on how the next token is chosen. Invariant: a token's logits do not depend on whether the
//! tokens before it come in the same call or are in the cache. The image's keys and values are computed once, and all texts of a run share
//! them. Follows BlipTextLMHeadModel of transformers models/blip/modeling_blip_text.py.

use candle_core::{DType, Tensor};

use super::{super::token_embedding::embed_tokens, BlipTextConfig};
use crate::{
    Error, Result,
    ops::{Activation, AttentionParams, LayerNorm, Linear, attention},
    weights::ComponentWeights,
};

/// Projection, residual connection and norm: the end of each part of a layer.
#[derive(Debug)]
struct Output {
    dense: Linear,
    norm: LayerNorm,
}

impl Output {
    fn load(weights: &ComponentWeights, inputs: usize, config: &BlipTextConfig) -> Result<Self> {
        let hidden = config.hidden_size;
        let dense = Linear::load(&weights.pp("dense"), inputs, hidden, true)?;
        Ok(Self { dense, norm: LayerNorm::load(&weights.pp("LayerNorm"), hidden, config.layer_norm_eps)? })
    }

    fn forward(&self, x: &Tensor, input: &Tensor) -> Result<Tensor> {
        self.norm.forward(&self.dense.forward_add(x, input)?)
    }
}

/// An attention; the input of keys and values may be the image.
#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Output,
}

impl Attention {
    fn load(weights: &ComponentWeights, context: usize, config: &BlipTextConfig) -> Result<Self> {
        let hidden = config.hidden_size;
        let projection = |name, inputs| Linear::load(&weights.pp("self").pp(name), inputs, hidden, true);
        Ok(Self {
            query: projection("query", hidden)?,
            key: projection("key", context)?,
            value: projection("value", context)?,
            output: Output::load(&weights.pp("output"), hidden, config)?,
        })
    }

    fn keys_and_values(&self, x: &Tensor) -> Result<KeysAndValues> {
        Ok(KeysAndValues { keys: self.key.forward(x)?, values: self.value.forward(x)? })
    }
}

/// Keys and values of an attention: [texts, tokens, hidden] each.
#[derive(Clone, Debug)]
struct KeysAndValues {
    keys: Tensor,
    values: Tensor,
}

impl KeysAndValues {
    fn map(&self, run: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<Self> {
        Ok(Self { keys: run(&self.keys)?, values: run(&self.values)? })
    }

    /// Appends the keys and values of further tokens.
    fn append(&self, more: &Self) -> Result<Self> {
        Ok(Self { keys: Tensor::cat(&[&self.keys, &more.keys], 1)?, values: Tensor::cat(&[&self.values, &more.values], 1)? })
    }
}

/// Self-attention, cross-attention to the image, and feed-forward.
#[derive(Debug)]
struct DecoderLayer {
    attention: Attention,
    cross_attention: Attention,
    intermediate: Linear,
    activation: Activation,
    output: Output,
    heads: usize,
}

impl DecoderLayer {
    fn load(weights: &ComponentWeights, image: usize, config: &BlipTextConfig) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            attention: Attention::load(&weights.pp("attention"), hidden, config)?,
            cross_attention: Attention::load(&weights.pp("crossattention"), image, config)?,
            intermediate: Linear::load(&weights.pp("intermediate.dense"), hidden, inner, true)?,
            activation: config.hidden_act,
            output: Output::load(&weights.pp("output"), inner, config)?,
            heads: config.num_attention_heads,
        })
    }

    /// Maps [texts, tokens, hidden] to the same shape; `past` is extended by these tokens.
    fn forward(&self, x: &Tensor, past: &mut Option<KeysAndValues>, image: &KeysAndValues) -> Result<Tensor> {
        let (texts, tokens, hidden) = x.dims3()?;
        let new = self.attention.keys_and_values(x)?;
        let all = match past.take() {
            Some(past) => past.append(&new)?,
            None => new,
        };
        let params = AttentionParams { heads: self.heads, causal: tokens > 1, upcast: false };
        let mixed = attention(&self.attention.query.forward(x)?, &all.keys, &all.values, params)?;
        let x = self.attention.output.forward(&mixed, x)?;
        *past = Some(all);
        // Every token of every text attends to the same image, so they form the queries of one attention.
        let query = self.cross_attention.query.forward(&x)?.reshape((1, texts * tokens, hidden))?;
        let params = AttentionParams { causal: false, ..params };
        let mixed = attention(&query, &image.keys, &image.values, params)?.reshape((texts, tokens, hidden))?;
        let x = self.cross_attention.output.forward(&mixed, &x)?;
        self.output.forward(&self.activation.forward(&self.intermediate.forward(&x)?)?, &x)
    }
}

/// The image's keys and values in each decoder layer.
#[derive(Clone, Debug)]
pub struct BlipImageContext {
    layers: Vec<KeysAndValues>,
}

/// The decoder's key-value cache of the tokens seen so far; 38 MB a text for the published models' 512 tokens in f32.
#[derive(Clone, Debug)]
pub struct BlipCache {
    layers: Vec<Option<KeysAndValues>>,
    tokens: usize,
}

impl BlipCache {
    /// Selects the texts with these indices, in this order; an index may occur several times.
    ///
    /// # Errors
    /// Only if the device fails, or an index is out of range.
    pub fn select(&mut self, texts: &[u32]) -> Result<()> {
        for layer in self.layers.iter_mut().flatten() {
            let index = Tensor::new(texts, layer.keys.device())?;
            *layer = layer.map(|x| x.contiguous()?.index_select(&index, 0))?;
        }
        Ok(())
    }

    /// Number of tokens of each text in the cache.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// The text decoder with its language model head.
#[derive(Debug)]
pub struct BlipTextDecoder {
    word_embeddings: Tensor,
    position_embeddings: Tensor,
    embeddings_norm: LayerNorm,
    layers: Vec<DecoderLayer>,
    transform: Linear,
    transform_norm: LayerNorm,
    /// The word embeddings again, as the matrix from states to logits.
    decoder: Linear,
    config: BlipTextConfig,
}

impl BlipTextDecoder {
    /// Loads the weights under `text_decoder`, for image embeddings of `picture` channels. The head's matrix is always the word embeddings,
    /// whether the file repeats it or not, as in transformers.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &BlipTextConfig, image: usize, weights: &ComponentWeights) -> Result<Self> {
        let (bert, head) = (weights.pp("text_decoder.bert"), weights.pp("text_decoder.cls.predictions"));
        let (embeddings, layers) = (bert.pp("embeddings"), bert.pp("encoder.layer"));
        let (vocabulary, hidden, eps) = (config.vocab_size, config.hidden_size, config.layer_norm_eps);
        let word_embeddings = embeddings.get((vocabulary, hidden), "word_embeddings.weight")?;
        Ok(Self {
            position_embeddings: embeddings.get((config.max_position_embeddings, hidden), "position_embeddings.weight")?,
            embeddings_norm: LayerNorm::load(&embeddings.pp("LayerNorm"), hidden, eps)?,
            layers: (0..config.num_hidden_layers).map(|i| DecoderLayer::load(&layers.pp(i), image, config)).collect::<Result<_>>()?,
            transform: Linear::load(&head.pp("transform.dense"), hidden, hidden, true)?,
            transform_norm: LayerNorm::load(&head.pp("transform.LayerNorm"), hidden, eps)?,
            decoder: Linear::new(&word_embeddings, Some(head.get(vocabulary, "bias")?))?,
            word_embeddings,
            config: config.clone(),
        })
    }

    /// The configuration that the decoder was loaded with.
    pub fn config(&self) -> &BlipTextConfig {
        &self.config
    }

    /// Prepares one image's `image_embeds` [1, tokens, channels] for the layers' cross-attention.
    ///
    /// # Errors
    /// [`Error::Shape`] if they have another shape.
    pub fn image_context(&self, image_embeds: &Tensor) -> Result<BlipImageContext> {
        if !matches!(image_embeds.dims(), [1, tokens, _] if *tokens > 0) {
            let expected = "[1, tokens, channels]".into();
            return Err(Error::Shape { what: "a picture for the text decoder", expected, found: image_embeds.dims().to_vec() });
        }
        let layers = self.layers.iter().map(|layer| layer.cross_attention.keys_and_values(image_embeds)).collect::<Result<_>>()?;
        Ok(BlipImageContext { layers })
    }

    /// An empty cache.
    pub fn new_cache(&self) -> BlipCache {
        BlipCache { layers: vec![None; self.layers.len()], tokens: 0 }
    }

    /// The logits of the next token: `ids` [texts, tokens] (u32) follow the tokens in `cache` of the same texts, and the result is [texts,
    /// vocab_size], f32, on the CPU. Several tokens at once are allowed only with an empty cache.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no or too many tokens; [`Error::Params`] if an id is not in the vocabulary.
    pub fn forward(&self, ids: &Tensor, cache: &mut BlipCache, image: &BlipImageContext) -> Result<Tensor> {
        let room = self.config.max_position_embeddings.saturating_sub(cache.tokens);
        let most = if cache.tokens > 0 { room.min(1) } else { room };
        let tokens = match ids.dims() {
            [texts, tokens] if *texts > 0 && (1..=most).contains(tokens) => *tokens,
            found => {
                let expected = format!("[texts, 1..={most}] behind {} tokens", cache.tokens);
                return Err(Error::Shape { what: "token ids of a caption", expected, found: found.to_vec() });
            }
        };
        let words = embed_tokens(&self.word_embeddings, ids)?;
        let positions = self.position_embeddings.narrow(0, cache.tokens, tokens)?;
        let mut x = self.embeddings_norm.forward(&words.broadcast_add(&positions)?)?;
        for ((layer, past), image) in self.layers.iter().zip(&mut cache.layers).zip(&image.layers) {
            x = layer.forward(&x, past, image)?;
        }
        cache.tokens += tokens;
        let last = x.narrow(1, tokens - 1, 1)?.squeeze(1)?;
        let transformed = self.config.hidden_act.forward(&self.transform.forward(&last)?)?;
        let scores = self.decoder.forward(&self.transform_norm.forward(&transformed)?)?;
        Ok(scores.to_dtype(DType::F32)?.to_device(&candle_core::Device::Cpu)?)
    }
}
