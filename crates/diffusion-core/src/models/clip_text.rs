//! The CLIP text encoder of Stable Diffusion 1.x and XL (OpenAI's, quick_gelu) and 2.x (OpenCLIP's, gelu).
//!
//! Returns the hidden states that a UNet attends to, without CLIP's pooled state. Works on token ids, not on text. Follows transformers
//! models/clip/modeling_clip.py; clip_skip as in diffusers' encode_prompt.

use candle_core::Tensor;
use serde_json::Value;

use super::{
    clip_layer::{ClipLayer, ClipLayerParams, activation},
    config_reader::ConfigReader,
    token_embedding::{embed_tokens, embed_tokens_or_added},
};
use crate::{
    Error, Result,
    ops::{Activation, LayerNorm},
    weights::{ComponentWeights, text_part},
};

/// config.json of a text encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipTextConfig {
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Channels of the hidden states.
    pub hidden_size: usize,
    /// Channels inside the feed-forward layer.
    pub intermediate_size: usize,
    /// The number of layers.
    pub num_hidden_layers: usize,
    /// The number of attention heads.
    pub num_attention_heads: usize,
    /// The most tokens of a text, 77.
    pub max_position_embeddings: usize,
    /// The activation of the feed-forward layer.
    pub hidden_act: Activation,
    /// The epsilon of every layer norm.
    pub layer_norm_eps: f64,
}

impl ClipTextConfig {
    /// Parses the model's JSON; absent fields take transformers' defaults.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        Self::read_file("text_encoder/config.json", json)
    }

    /// [`Self::read`] of the file `file`, for messages.
    pub(super) fn read_file(file: &'static str, json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(file, text_part(json))?;
        let config = Self {
            vocab_size: reader.size("vocab_size", 49_408)?,
            hidden_size: reader.size("hidden_size", 512)?,
            intermediate_size: reader.size("intermediate_size", 2048)?,
            num_hidden_layers: reader.count("num_hidden_layers", 12)?,
            num_attention_heads: reader.size("num_attention_heads", 8)?,
            max_position_embeddings: reader.size("max_position_embeddings", 77)?,
            hidden_act: activation(&reader, Activation::QuickGelu)?,
            layer_norm_eps: reader.positive("layer_norm_eps", 1e-5)?,
        };
        reader.check_heads(config.hidden_size, config.num_attention_heads)?;
        reader.only("per_layer_config", &Value::Null)?;
        // diffusers' pipelines read it from any class's file.
        reader.off("use_attention_mask")?;
        // Training, the pooled output and provenance of the file: none of it changes the hidden states.
        reader.harmless(&[
            "architectures",
            "attention_dropout",
            "bos_token_id",
            "chunk_size_feed_forward",
            "dropout",
            "dtype",
            "eos_token_id",
            "id2label",
            "initializer_factor",
            "initializer_range",
            "is_encoder_decoder",
            "label2id",
            "model_type",
            "output_attentions",
            "output_hidden_states",
            "pad_token_id",
            "problem_type",
            "projection_dim",
            "return_dict",
            "tie_word_embeddings",
            "torch_dtype",
            "transformers_version",
            "use_cache",
        ]);
        Ok((config, reader.ignored()))
    }
}

/// The tokens of texts, of which some may be hidden from all others.
#[derive(Clone, Copy, Debug)]
pub struct TextTokens<'a> {
    ids: &'a Tensor,
    bias: Option<&'a Tensor>,
}

impl<'a> TextTokens<'a> {
    /// Ids [batch, tokens] (u32), and what is added to the scores of each in the attention, of the same shape in f32: minus infinity hides
    /// a token. The first must be visible.
    pub fn biased(ids: &'a Tensor, bias: &'a Tensor) -> Self {
        Self { ids, bias: Some(bias) }
    }

    pub(super) fn ids(self) -> &'a Tensor {
        self.ids
    }
}

impl<'a> From<&'a Tensor> for TextTokens<'a> {
    fn from(ids: &'a Tensor) -> Self {
        Self { ids, bias: None }
    }
}

/// The text encoder.
#[derive(Debug)]
pub struct ClipTextModel {
    token_embedding: Tensor,
    /// [words, hidden]: the vectors of ids behind the vocabulary, if any were added.
    added_words: Option<Tensor>,
    position_embedding: Tensor,
    layers: Vec<ClipLayer>,
    final_layer_norm: LayerNorm,
    config: ClipTextConfig,
}

impl ClipTextModel {
    /// Loads the weights, with or without transformers' `text_model.` prefix.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &ClipTextConfig, weights: &ComponentWeights) -> Result<Self> {
        let bare =
            weights.contains("embeddings.token_embedding.weight") && !weights.contains("text_model.embeddings.token_embedding.weight");
        let weights = if bare { weights.clone() } else { weights.pp("text_model") };
        let embeddings = weights.pp("embeddings");
        let layers = weights.pp("encoder.layers");
        let hidden = config.hidden_size;
        let params = ClipLayerParams {
            hidden,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            causal: true,
            activation: config.hidden_act,
            eps: config.layer_norm_eps,
        };
        Ok(Self {
            token_embedding: {
                let table = embeddings.pp("token_embedding");
                table.kept_or(|| table.get((config.vocab_size, hidden), "weight"))?
            },
            added_words: None,
            position_embedding: embeddings.get((config.max_position_embeddings, hidden), "position_embedding.weight")?,
            layers: (0..config.num_hidden_layers).map(|i| ClipLayer::load(&layers.pp(i), &params)).collect::<Result<_>>()?,
            final_layer_norm: LayerNorm::load(&weights.pp("final_layer_norm"), hidden, config.layer_norm_eps)?,
            config: config.clone(),
        })
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &ClipTextConfig {
        &self.config
    }

    /// Adds words behind the vocabulary: `vectors` [words, hidden_size] have the ids from `vocab_size` on, and replace those added before.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors have another width.
    pub fn set_added_words(&mut self, vectors: &Tensor) -> Result<()> {
        let hidden = self.config.hidden_size;
        if !matches!(vectors.dims(), [_, width] if *width == hidden) {
            let found = vectors.dims().to_vec();
            return Err(Error::Shape { what: "vectors of added words", expected: format!("[words, {hidden}]"), found });
        }
        let table = &self.token_embedding;
        self.added_words = Some(vectors.to_dtype(table.dtype())?.to_device(table.device())?);
        Ok(())
    }

    /// Encodes token ids [batch, tokens] (u32; at most `max_position_embeddings` tokens) to normalised hidden states [batch, tokens,
    /// hidden_size]. `clip_skip` is the number of last layers to leave out: 0 gives the last layer's states.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no or too many tokens; [`Error::Params`] if `clip_skip` exceeds the number of layers or an id exceeds
    /// the vocabulary.
    pub fn forward<'a>(&self, tokens: impl Into<TextTokens<'a>>, clip_skip: usize) -> Result<Tensor> {
        self.final_layer_norm.forward(&self.run(tokens.into(), self.kept_layers(clip_skip, self.layers.len())?)?)
    }

    /// The states that Stable Diffusion XL attends to: as [`Self::forward`], but of one layer less and without the final norm, so
    /// `clip_skip` 0 gives the penultimate layer's states.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn penultimate<'a>(&self, tokens: impl Into<TextTokens<'a>>, clip_skip: usize) -> Result<Tensor> {
        self.run(tokens.into(), self.kept_layers(clip_skip, self.layers.len().saturating_sub(1))?)
    }

    /// The states of [`Self::penultimate`], and the last layer's normalised states.
    pub(super) fn penultimate_and_last(&self, tokens: TextTokens<'_>, clip_skip: usize) -> Result<(Tensor, Tensor)> {
        let penultimate = self.penultimate(tokens, clip_skip)?;
        let kept = self.kept_layers(clip_skip, self.layers.len().saturating_sub(1))?.len();
        let last = self.layers.iter().skip(kept).try_fold(penultimate.clone(), |x, layer| layer.forward(&x, tokens.bias))?;
        Ok((penultimate, self.final_layer_norm.forward(&last)?))
    }

    /// The first `most` layers without the last `clip_skip` of them.
    fn kept_layers(&self, clip_skip: usize, most: usize) -> Result<&[ClipLayer]> {
        most.checked_sub(clip_skip).and_then(|count| self.layers.get(..count)).ok_or_else(|| {
            let layers = if most == self.layers.len() { "" } else { " before the last one" };
            let reason = format!("{clip_skip} is more than the text encoder's {most} layers{layers}");
            Error::Params { field: "clip_skip", reason }
        })
    }

    /// The hidden states after these layers.
    fn run(&self, TextTokens { ids: input_ids, bias }: TextTokens<'_>, layers: &[ClipLayer]) -> Result<Tensor> {
        let limit = self.config.max_position_embeddings;
        let tokens = match input_ids.dims() {
            [batch, tokens] if *batch > 0 && (1..=limit).contains(tokens) => *tokens,
            found => {
                let expected = format!("[batch, 1..={limit}]");
                return Err(Error::Shape { what: "token ids", expected, found: found.to_vec() });
            }
        };
        let words = match &self.added_words {
            Some(added) => embed_tokens_or_added(&self.token_embedding, added, input_ids)?,
            None => embed_tokens(&self.token_embedding, input_ids)?,
        };
        let mut x = words.broadcast_add(&self.position_embedding.narrow(0, 0, tokens)?)?;
        for layer in layers {
            x = layer.forward(&x, bias)?;
        }
        Ok(x)
    }
}
