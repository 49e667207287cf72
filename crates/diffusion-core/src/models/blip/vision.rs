//! BLIP's image encoder: a picture to one vector a patch, and one for the whole.
//!
//! Knows nothing of where the pixels come from: they arrive resized and normalised (`preprocess::blip_pixels`). Follows BlipVisionModel of
//! transformers models/blip/modeling_blip.py.

use candle_core::{DType, Device, Tensor};

use super::BlipVisionConfig;
use crate::{
    Error, Result,
    ops::{Activation, AttentionParams, LayerNorm, Linear, attention},
    weights::ComponentWeights,
};

/// norm, attention, + input, norm, feed-forward, + that.
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
    class_embedding: Tensor,
    /// A convolution whose windows do not overlap is a matrix product of patches.
    patch_embedding: Linear,
    position_embedding: Tensor,
    layers: Vec<EncoderLayer>,
    post_layernorm: LayerNorm,
    placement: (DType, Device),
    config: BlipVisionConfig,
}

impl BlipVisionModel {
    /// Reads the weights under `vision_model`.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &BlipVisionConfig, weights: &ComponentWeights) -> Result<Self> {
        let vision = weights.pp("vision_model");
        let (embeddings, layers) = (vision.pp("embeddings"), vision.pp("encoder.layers"));
        let (hidden, patch) = (config.hidden_size, config.patch_size);
        let patches = embeddings.get((hidden, 3, patch, patch), "patch_embedding.weight")?;
        let bias = embeddings.get(hidden, "patch_embedding.bias")?;
        Ok(Self {
            class_embedding: embeddings.get((1, 1, hidden), "class_embedding")?,
            patch_embedding: Linear::new(&patches.reshape((hidden, 3 * patch * patch))?, Some(bias))?,
            position_embedding: embeddings.get((1, config.patches().pow(2) + 1, hidden), "position_embedding")?,
            layers: (0..config.num_hidden_layers).map(|i| EncoderLayer::load(config, &layers.pp(i))).collect::<Result<_>>()?,
            post_layernorm: LayerNorm::load(&vision.pp("post_layernorm"), hidden, config.layer_norm_eps)?,
            placement: (weights.dtype(), weights.device().clone()),
            config: config.clone(),
        })
    }

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &BlipVisionConfig {
        &self.config
    }

    /// Pixels [batch, 3, image_size, image_size], normalised, in any float type, to what the layers begin with: [batch, 1 + patches,
    /// hidden_size] in the model's precision, the whole picture's token first.
    ///
    /// # Errors
    /// [`Error::Shape`] if the pixels do not fit the config.
    pub fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        let BlipVisionConfig { image_size: side, patch_size: patch, hidden_size: hidden, .. } = self.config;
        let batch = match pixels.dims() {
            [batch, 3, height, width] if *batch > 0 && (*height, *width) == (side, side) => *batch,
            found => {
                let expected = format!("[batch, 3, {side}, {side}]");
                return Err(Error::Shape { what: "pixels of the captioner's image encoder", expected, found: found.to_vec() });
            }
        };
        let patches = self.config.patches();
        let pixels = pixels.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        let whole = pixels.narrow(2, 0, patches * patch)?.narrow(3, 0, patches * patch)?;
        // A patch as the weight has it: channel, line, column.
        let windows = whole.reshape(&[batch, 3, patches, patch, patches, patch][..])?.permute(vec![0, 2, 4, 1, 3, 5])?;
        let windows = windows.contiguous()?.reshape((batch, patches * patches, 3 * patch * patch))?;
        let class = self.class_embedding.broadcast_as((batch, 1, hidden))?;
        let tokens = Tensor::cat(&[&class, &self.patch_embedding.forward(&windows)?], 1)?;
        Ok(tokens.broadcast_add(&self.position_embedding)?)
    }

    /// Pixels as for [`Self::embed`] to `image_embeds` [batch, 1 + patches, hidden_size]. `before_layer` is called before each layer and
    /// may end the run with its error.
    ///
    /// # Errors
    /// [`Error::Shape`] if the pixels do not fit the config; whatever `before_layer` returns.
    pub fn forward(&self, pixels: &Tensor, before_layer: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let mut x = self.embed(pixels)?;
        for layer in &self.layers {
            before_layer()?;
            x = layer.forward(&x)?;
        }
        self.post_layernorm.forward(&x)
    }
}
