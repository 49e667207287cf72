//! The config.json of a BLIP captioning model, with transformers' defaults for absent fields.
//!
//! This module must not depend on tensors. Invariant: a configuration that requests something unimplemented is refused, and the error names
//! the field. Follows transformers models/blip/configuration_blip.py; the values of blip-image-captioning-base and -large are in their own
//! files, which differ from the class's defaults (12 heads in the decoder, where the class has 8).

use serde_json::{Value, json};

use super::super::{clip_layer::activation, config_reader::ConfigReader};
use crate::{Result, ops::Activation};

const FILE: &str = "config.json";
const VISION: &str = "config.json: vision_config";
const TEXT: &str = "config.json: text_config";

/// Fields of every transformers configuration that do not affect the computation here: training, sampling (transformers 5 does not read it
/// from here either) and provenance of the file.
const HARMLESS: &[&str] = &[
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "bad_words_ids",
    "begin_suppress_tokens",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "encoder_hidden_size",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "hidden_dropout_prob",
    "id2label",
    "image_text_hidden_size",
    "initializer_factor",
    "initializer_range",
    "is_encoder_decoder",
    "label2id",
    "label_smoothing",
    "length_penalty",
    "logit_scale_init_value",
    "max_length",
    "min_length",
    "model_type",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "prefix",
    "problem_type",
    "projection_dim",
    "pruned_heads",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
    "use_cache",
];

/// config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct BlipConfig {
    /// The image encoder's configuration.
    pub vision: BlipVisionConfig,
    /// The text decoder's configuration.
    pub text: BlipTextConfig,
}

/// `vision_config` in config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct BlipVisionConfig {
    /// Channels of the hidden states.
    pub hidden_size: usize,
    /// Channels inside the feed-forward layer.
    pub intermediate_size: usize,
    /// The number of layers.
    pub num_hidden_layers: usize,
    /// The number of attention heads.
    pub num_attention_heads: usize,
    /// Pixels along a side of an image.
    pub image_size: usize,
    /// Pixels along a side of a patch, which becomes one token.
    pub patch_size: usize,
    /// The activation of the feed-forward layer.
    pub hidden_act: Activation,
    /// The epsilon of every layer norm.
    pub layer_norm_eps: f64,
}

/// `text_config` in config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct BlipTextConfig {
    /// Entries of the vocabulary: BERT's 30,522 and two that BLIP adds.
    pub vocab_size: usize,
    /// Channels of the hidden states.
    pub hidden_size: usize,
    /// Channels inside the feed-forward layer.
    pub intermediate_size: usize,
    /// The number of layers.
    pub num_hidden_layers: usize,
    /// The number of attention heads.
    pub num_attention_heads: usize,
    /// The most tokens of a text.
    pub max_position_embeddings: usize,
    /// The activation of the feed-forward layer and of the head.
    pub hidden_act: Activation,
    /// The epsilon of every layer norm.
    pub layer_norm_eps: f64,
    /// The token that every caption begins with.
    pub bos_token_id: u32,
    /// The token that ends a caption. (Not `eos_token_id`: transformers passes `sep_token_id` to `generate` instead.)
    pub sep_token_id: u32,
}

impl BlipConfig {
    /// Parses the model's JSON; absent fields take transformers' defaults.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the classes ignore.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(FILE, json)?;
        reader.only("model_type", &json!("blip"))?;
        // BLIP models for question answering and for text matching have parts of the same names.
        reader.only("architectures", &json!(["BlipForConditionalGeneration"]))?;
        reader.only("tie_word_embeddings", &json!(true))?;
        let empty = json!({});
        let part = |name: &str| json.get(name).filter(|part| !part.is_null()).unwrap_or(&empty);
        let (vision, vision_ignored) = BlipVisionConfig::read(part("vision_config"))?;
        let (text, text_ignored) = BlipTextConfig::read(part("text_config"))?;
        reader.harmless(HARMLESS);
        reader.harmless(&["vision_config", "text_config"]);
        let mut ignored = reader.ignored();
        ignored.extend(vision_ignored.into_iter().map(|field| format!("vision_config.{field}")));
        ignored.extend(text_ignored.into_iter().map(|field| format!("text_config.{field}")));
        Ok((Self { vision, text }, ignored))
    }
}

impl BlipVisionConfig {
    fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(VISION, json)?;
        let config = Self {
            hidden_size: reader.size("hidden_size", 768)?,
            intermediate_size: reader.size("intermediate_size", 3072)?,
            num_hidden_layers: reader.count("num_hidden_layers", 12)?,
            num_attention_heads: reader.size("num_attention_heads", 12)?,
            image_size: reader.size("image_size", 384)?,
            patch_size: reader.size("patch_size", 16)?,
            hidden_act: activation(&reader, Activation::Gelu)?,
            layer_norm_eps: reader.positive("layer_norm_eps", 1e-5)?,
        };
        reader.check_heads(config.hidden_size, config.num_attention_heads)?;
        reader.check_patch_size(config.image_size, config.patch_size)?;
        reader.only("num_channels", &json!(3))?;
        reader.harmless(HARMLESS);
        // The image encoder has no vocabulary and no masks.
        reader.harmless(&["bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "is_decoder", "tie_word_embeddings"]);
        Ok((config, reader.ignored()))
    }
}

impl BlipTextConfig {
    fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(TEXT, json)?;
        let vocab_size = reader.size("vocab_size", 30_524)?;
        let token = |field, default| -> Result<u32> {
            let id = reader.count(field, default)?;
            let id = u32::try_from(id).ok().filter(|_| id < vocab_size);
            id.ok_or_else(|| reader.refuse(field, format!("is not in the vocabulary of {vocab_size}")))
        };
        let config = Self {
            vocab_size,
            hidden_size: reader.size("hidden_size", 768)?,
            intermediate_size: reader.size("intermediate_size", 3072)?,
            num_hidden_layers: reader.count("num_hidden_layers", 12)?,
            num_attention_heads: reader.size("num_attention_heads", 8)?,
            max_position_embeddings: reader.size("max_position_embeddings", 512)?,
            hidden_act: activation(&reader, Activation::Gelu)?,
            layer_norm_eps: reader.positive("layer_norm_eps", 1e-12)?,
            bos_token_id: token("bos_token_id", 30_522)?,
            sep_token_id: token("sep_token_id", 102)?,
        };
        reader.check_heads(config.hidden_size, config.num_attention_heads)?;
        // Without it, the layers have no cross-attention to the image.
        reader.only("is_decoder", &json!(true))?;
        reader.only("tie_word_embeddings", &json!(true))?;
        reader.harmless(HARMLESS);
        // Single texts are never padded.
        reader.harmless(&["eos_token_id", "pad_token_id"]);
        Ok((config, reader.ignored()))
    }
}
