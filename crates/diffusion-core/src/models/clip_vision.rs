//! The CLIP image encoder of Stable Video Diffusion: from an image to one vector.
//!
//! Pixels arrive resized and normalised (`preprocess::clip_pixels`). Follows CLIPVisionModelWithProjection of transformers
//! models/clip/modeling_clip.py, whose misspelling `pre_layrnorm` is also in the weights.

use candle_core::Tensor;
use serde_json::Value;

use super::{
    clip_layer::{ClipLayer, ClipLayerParams, activation},
    config_reader::ConfigReader,
    patch_embedding::{PatchEmbedding, PatchEmbeddingWeights, patches},
};
use crate::{
    Result,
    ops::{Activation, LayerNorm, Linear},
    weights::ComponentWeights,
};

const FILE: &str = "image_encoder/config.json";

/// image_encoder/config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipVisionConfig {
    /// Channels of the hidden states.
    pub hidden_size: usize,
    /// Channels inside the feed-forward layer.
    pub intermediate_size: usize,
    /// Channels of an image's vector.
    pub projection_dim: usize,
    /// The number of layers.
    pub num_hidden_layers: usize,
    /// The number of attention heads.
    pub num_attention_heads: usize,
    /// Channels of an image.
    pub num_channels: usize,
    /// Pixels along a side of an image.
    pub image_size: usize,
    /// Pixels along a side of a patch, which becomes one token.
    pub patch_size: usize,
    /// The activation of the feed-forward layer.
    pub hidden_act: Activation,
    /// The epsilon of every layer norm.
    pub layer_norm_eps: f64,
}

impl ClipVisionConfig {
    /// Parses the model's JSON; absent fields take transformers' defaults.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        // The file of a whole CLIP model holds this part in a nested object.
        let reader = ConfigReader::new(FILE, json.get("vision_config").filter(|part| part.is_object()).unwrap_or(json))?;
        let config = Self {
            hidden_size: reader.size("hidden_size", 768)?,
            intermediate_size: reader.size("intermediate_size", 3072)?,
            projection_dim: reader.size("projection_dim", 512)?,
            num_hidden_layers: reader.count("num_hidden_layers", 12)?,
            num_attention_heads: reader.size("num_attention_heads", 12)?,
            num_channels: reader.size("num_channels", 3)?,
            image_size: reader.size("image_size", 224)?,
            patch_size: reader.size("patch_size", 32)?,
            hidden_act: activation(&reader, Activation::QuickGelu)?,
            layer_norm_eps: reader.positive("layer_norm_eps", 1e-5)?,
        };
        reader.check_heads(config.hidden_size, config.num_attention_heads)?;
        reader.check_patch_size(config.image_size, config.patch_size)?;
        reader.only("per_layer_config", &Value::Null)?;
        // Training and provenance of the file: none of it changes the vector.
        reader.harmless(&[
            "architectures",
            "attention_dropout",
            "chunk_size_feed_forward",
            "dropout",
            "dtype",
            "id2label",
            "initializer_factor",
            "initializer_range",
            "is_encoder_decoder",
            "label2id",
            "model_type",
            "output_attentions",
            "output_hidden_states",
            "problem_type",
            "return_dict",
            "tie_word_embeddings",
            "torch_dtype",
            "transformers_version",
        ]);
        Ok((config, reader.ignored()))
    }
}

/// The image encoder.
#[derive(Debug)]
pub struct ClipVisionModelWithProjection {
    embeddings: PatchEmbedding,
    pre_layrnorm: LayerNorm,
    layers: Vec<ClipLayer>,
    post_layernorm: LayerNorm,
    visual_projection: Linear,
    config: ClipVisionConfig,
}

impl ClipVisionModelWithProjection {
    /// Loads the weights.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &ClipVisionConfig, weights: &ComponentWeights) -> Result<Self> {
        let vision = weights.pp("vision_model");
        let (embeddings, layers) = (vision.pp("embeddings"), vision.pp("encoder.layers"));
        let hidden = config.hidden_size;
        let params = ClipLayerParams {
            hidden,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            causal: false,
            activation: config.hidden_act,
            eps: config.layer_norm_eps,
        };
        let norm = |name| LayerNorm::load(&vision.pp(name), hidden, config.layer_norm_eps);
        let (side, patch) = (config.image_size, config.patch_size);
        let embedding_weights = PatchEmbeddingWeights {
            patch: embeddings.get((hidden, config.num_channels, patch, patch), "patch_embedding.weight")?,
            patch_bias: None,
            class: embeddings.get(hidden, "class_embedding")?,
            position: embeddings.get((patches(side, patch).pow(2) + 1, hidden), "position_embedding.weight")?,
        };
        Ok(Self {
            embeddings: PatchEmbedding::new("pixels of the image encoder", side, embedding_weights)?,
            pre_layrnorm: norm("pre_layrnorm")?,
            layers: (0..config.num_hidden_layers).map(|i| ClipLayer::load(&layers.pp(i), &params)).collect::<Result<_>>()?,
            post_layernorm: norm("post_layernorm")?,
            visual_projection: Linear::load(&weights.pp("visual_projection"), hidden, config.projection_dim, false)?,
            config: config.clone(),
        })
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &ClipVisionConfig {
        &self.config
    }

    /// Encodes pixels [batch, num_channels, image_size, image_size], normalised, in any float type, to `image_embeds` [batch,
    /// projection_dim] in the model's precision.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the pixels do not match the config.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let mut x = self.pre_layrnorm.forward(&self.embeddings.forward(pixels)?)?;
        for layer in &self.layers {
            x = layer.forward(&x, None)?;
        }
        // The image's vector is the projected class token.
        let pooled = self.post_layernorm.forward(&x.narrow(1, 0, 1)?.squeeze(1)?)?;
        self.visual_projection.forward(&pooled)
    }
}
