//! BLIP's image encoder: from an image to one vector for each patch and one for the whole image.
//!
//! Pixels arrive resized and normalised (`preprocess::blip_pixels`). Follows BlipVisionModel of transformers models/blip/modeling_blip.py.

use candle_core::Tensor;

use super::{
    super::patch_embedding::{PatchEmbedding, PatchEmbeddingWeights, patches},
    BlipVisionConfig,
};
use crate::{
    Result,
    ops::{Activation, AttentionParams, LayerNorm, Linear, attention},
    weights::ComponentWeights,
};

/// A pre-norm layer: norm, attention, residual, norm, feed-forward, residual.
#[derive(Debug)]
struct EncoderLayer {
    layer_norm1: LayerNorm,
    /// Queries, keys and values in one product.
    qkv: Linear,
    projection: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    attention: AttentionParams,
    activation: Activation,
}

impl EncoderLayer {
    fn load(config: &BlipVisionConfig, weights: &ComponentWeights) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            layer_norm1: LayerNorm::load(&weights.pp("layer_norm1"), hidden, config.layer_norm_eps)?,
            qkv: Linear::load(&weights.pp("self_attn.qkv"), hidden, 3 * hidden, true)?,
            projection: Linear::load(&weights.pp("self_attn.projection"), hidden, hidden, true)?,
            layer_norm2: LayerNorm::load(&weights.pp("layer_norm2"), hidden, config.layer_norm_eps)?,
            fc1: Linear::load(&weights.pp("mlp.fc1"), hidden, inner, true)?,
            fc2: Linear::load(&weights.pp("mlp.fc2"), inner, hidden, true)?,
            attention: AttentionParams { heads: config.num_attention_heads, causal: false, upcast: false },
            activation: config.hidden_act,
        })
    }

    /// [batch, tokens, hidden] to the same shape.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = x.dim(2)?;
        let qkv = self.qkv.forward(&self.layer_norm1.forward(x)?)?;
        let part = |index: usize| qkv.narrow(2, index * hidden, hidden);
        let mixed = attention(&part(0)?, &part(1)?, &part(2)?, self.attention)?;
        let x = self.projection.forward_add(&mixed, x)?;
        let inner = self.activation.forward(&self.fc1.forward(&self.layer_norm2.forward(&x)?)?)?;
        self.fc2.forward_add(&inner, &x)
    }
}

/// The image encoder.
#[derive(Debug)]
pub struct BlipVisionModel {
    embeddings: PatchEmbedding,
    layers: Vec<EncoderLayer>,
    post_layernorm: LayerNorm,
}

impl BlipVisionModel {
    /// Loads the weights under `vision_model`.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &BlipVisionConfig, weights: &ComponentWeights) -> Result<Self> {
        let vision = weights.pp("vision_model");
        let (embeddings, layers) = (vision.pp("embeddings"), vision.pp("encoder.layers"));
        let (hidden, side, patch) = (config.hidden_size, config.image_size, config.patch_size);
        let embedding_weights = PatchEmbeddingWeights {
            patch: embeddings.get((hidden, 3, patch, patch), "patch_embedding.weight")?,
            patch_bias: Some(embeddings.get(hidden, "patch_embedding.bias")?),
            class: embeddings.get((1, 1, hidden), "class_embedding")?,
            position: embeddings.get((1, patches(side, patch).pow(2) + 1, hidden), "position_embedding")?,
        };
        Ok(Self {
            embeddings: PatchEmbedding::new("pixels of the captioner's image encoder", side, embedding_weights)?,
            layers: (0..config.num_hidden_layers).map(|i| EncoderLayer::load(config, &layers.pp(i))).collect::<Result<_>>()?,
            post_layernorm: LayerNorm::load(&vision.pp("post_layernorm"), hidden, config.layer_norm_eps)?,
        })
    }

    /// Embeds pixels [batch, 3, image_size, image_size], normalised, in any float type, as the layers' input: [batch, 1 + patches,
    /// hidden_size] in the model's precision, the class token first.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the pixels do not match the config.
    pub fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        self.embeddings.forward(pixels)
    }

    /// Encodes pixels as for [`Self::embed`] to `image_embeds` [batch, 1 + patches, hidden_size]. `before_layer` is called before each
    /// layer; its error stops the run.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the pixels do not match the config; any error of `before_layer`.
    pub fn forward(&self, pixels: &Tensor, before_layer: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let mut x = self.embed(pixels)?;
        for layer in &self.layers {
            before_layer()?;
            x = layer.forward(&x)?;
        }
        self.post_layernorm.forward(&x)
    }
}
