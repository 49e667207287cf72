//! The text encoders of a CompVis checkpoint: OpenAI's CLIP with transformers' names (Stable Diffusion 1.x), OpenCLIP with its own (2.x), or
//! both (XL). Infers the configuration from shapes, and renames the tensors as in diffusers.
//!
//! OpenCLIP keeps query, key and value in one matrix, which is split in three. Its last layer, which Stable Diffusion 2.x was trained without,
//! is omitted there; XL has it, and the projection of its pooled state. Shapes do not determine the number of heads, which are 64 wide in
//! all, or the activation. Reference: diffusers' `convert_ldm_clip_checkpoint` and `convert_open_clip_checkpoint`.

use serde_json::{Value, json};

use super::{
    ldm::{LdmPart, numbered},
    strided::StoredTensor,
    table::TensorTable,
};
use crate::Result;

/// The prefixes of CLIP's tensors: in CompVis' checkpoints, and in those of Stability AI's later code.
pub(super) const CLIP_PREFIXES: [&str; 2] = ["cond_stage_model.transformer.", "conditioner.embedders.0.transformer."];

/// The prefixes of OpenCLIP's tensors.
pub(super) const OPENCLIP_PREFIXES: [&str; 2] = ["cond_stage_model.model.", "conditioner.embedders.0.model."];

/// The prefix of the tensors that only a Stable Diffusion XL checkpoint with both text encoders has.
pub(super) const XL_PREFIX: &str = "conditioner.embedders.1.";

/// The prefixes of Stable Diffusion XL's second text encoder: in a base model, and in its refiner, which has no first one.
pub(super) const SECOND_PREFIXES: [&str; 2] = ["conditioner.embedders.1.model.", "conditioner.embedders.0.model."];

/// The omitted layer of OpenCLIP-H.
const UNUSED_LAYER: usize = 23;

/// Which of OpenCLIP's text towers a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenClip {
    /// Stable Diffusion 2.x's, without its last layer.
    Penultimate,
    /// Stable Diffusion XL's, with all layers and its projection.
    Projected,
}

/// OpenCLIP's projection, [hidden, projected].
pub(super) const PROJECTION: &str = "text_projection";

const HEAD_WIDTH: usize = 64;

/// A text encoder's dimensions, inferred from shapes.
struct Shapes {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    max_position_embeddings: usize,
}

impl Shapes {
    fn config(&self, part: &LdmPart, class: &str, token_embedding: &str, hidden_act: &str, projection_dim: usize) -> Result<Value> {
        if self.hidden_size == 0 || !self.hidden_size.is_multiple_of(HEAD_WIDTH) {
            let reason =
                format!("its width {} is no multiple of 64, so the number of attention heads cannot be inferred", self.hidden_size);
            return Err(part.fail(token_embedding, reason));
        }
        Ok(json!({
            "architectures": [class],
            "attention_dropout": 0.0,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "hidden_act": hidden_act,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "layer_norm_eps": 1e-5,
            "max_position_embeddings": self.max_position_embeddings,
            "model_type": "clip_text_model",
            "num_attention_heads": self.hidden_size / HEAD_WIDTH,
            "num_hidden_layers": self.num_hidden_layers,
            "pad_token_id": 1,
            "projection_dim": projection_dim,
            "vocab_size": self.vocab_size,
        }))
    }
}

/// Widths by which text encoders are told apart, which all have OpenCLIP's activation but OpenAI's: OpenAI's, and OpenCLIP-H's, whose last layer
/// is omitted.
const OPENAI_WIDTH: usize = 768;
const OPENCLIP_H_WIDTH: usize = 1024;

/// The configuration and tensors of a text encoder with transformers' names, with its projection if it is read.
///
/// # Errors
/// [`crate::Error::Weights`] naming a missing tensor.
pub(super) fn clip(part: &LdmPart, projects: bool) -> Result<(Value, TensorTable)> {
    // Files exist with and without this level.
    let level = if part.has_any("text_model.") { "text_model." } else { "" };
    let token_embedding = format!("{level}embeddings.token_embedding.weight");
    let hidden_size = part.dimension(&token_embedding, 1)?;
    let layers = part.count(|layer| format!("{level}encoder.layers.{layer}."));
    let shapes = Shapes {
        vocab_size: part.dimension(&token_embedding, 0)?,
        hidden_size,
        intermediate_size: part.dimension(&format!("{level}encoder.layers.0.mlp.fc1.weight"), 0)?,
        num_hidden_layers: if projects || hidden_size != OPENCLIP_H_WIDTH { layers } else { layers.min(UNUSED_LAYER) },
        max_position_embeddings: part.dimension(&format!("{level}embeddings.position_embedding.weight"), 0)?,
    };
    let (class, projection_dim) = if projects {
        ("CLIPTextModelWithProjection", part.dimension("text_projection.weight", 0)?)
    } else {
        ("CLIPTextModel", hidden_size)
    };
    let hidden_act = if projects || hidden_size >= OPENCLIP_H_WIDTH { "gelu" } else { "quick_gelu" };
    let config = shapes.config(part, class, &token_embedding, hidden_act, projection_dim)?;
    // A whole CLIP has an image encoder beside it.
    let is_text = |name: &str| name.starts_with(level) || (projects && name.starts_with("text_projection."));
    let keep = |name: &str, tensor: &StoredTensor| Ok(if is_text(name) { vec![(name.to_owned(), tensor.clone())] } else { Vec::new() });
    Ok((config, part.rename(keep)?))
}

/// OpenCLIP's configuration and tensors.
///
/// # Errors
/// [`crate::Error::Weights`] naming a tensor that is missing or cannot be split in three.
pub(super) fn openclip(part: &LdmPart, tower: OpenClip) -> Result<(Value, TensorTable)> {
    let layers = part.count(|layer| format!("transformer.resblocks.{layer}."));
    let projects = tower == OpenClip::Projected;
    let shapes = Shapes {
        vocab_size: part.dimension("token_embedding.weight", 0)?,
        hidden_size: part.dimension("token_embedding.weight", 1)?,
        intermediate_size: part.dimension("transformer.resblocks.0.mlp.c_fc.weight", 0)?,
        num_hidden_layers: if projects { layers } else { layers.min(UNUSED_LAYER) },
        max_position_embeddings: part.dimension("positional_embedding", 0)?,
    };
    let (class, projection_dim) =
        if projects { ("CLIPTextModelWithProjection", part.dimension(PROJECTION, 1)?) } else { ("CLIPTextModel", 512) };
    let hidden_act = if projects || shapes.hidden_size != OPENAI_WIDTH { "gelu" } else { "quick_gelu" };
    let config = shapes.config(part, class, "token_embedding.weight", hidden_act, projection_dim)?;
    let table = part.rename(|name, tensor| {
        for (openclip, diffusers) in [
            ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
            ("ln_final.weight", "text_model.final_layer_norm.weight"),
            ("ln_final.bias", "text_model.final_layer_norm.bias"),
        ] {
            if name == openclip {
                return Ok(vec![(diffusers.to_owned(), tensor.clone())]);
            }
        }
        if name == PROJECTION && projects {
            let Some(weight) = tensor.transposed() else {
                return Err(part.fail(name, format!("expected a matrix without row factors, found the shape {:?}", tensor.shape())));
            };
            return Ok(vec![("text_projection.weight".to_owned(), weight)]);
        }
        // Also omitted: the projection that a model does not use, the temperature, the mask.
        let Some((layer, rest)) = name.strip_prefix("transformer.resblocks.").and_then(numbered) else { return Ok(Vec::new()) };
        if layer >= shapes.num_hidden_layers {
            return Ok(Vec::new());
        }
        let target = format!("text_model.encoder.layers.{layer}");
        if let Some(kind) = rest.strip_prefix("attn.in_proj_") {
            return thirds(tensor, shapes.hidden_size)
                .map(|parts| {
                    let named = ["q_proj", "k_proj", "v_proj"].into_iter().zip(parts);
                    named.map(|(projection, part)| (format!("{target}.self_attn.{projection}.{kind}"), part)).collect()
                })
                .ok_or_else(|| {
                    let reason = format!("expected {} rows, found shape {:?}", 3 * shapes.hidden_size, tensor.shape());
                    part.fail(name, reason)
                });
        }
        let renamed = openclip_layer(rest).map(|rest| format!("{target}.{rest}"));
        Ok(renamed.map(|name| (name, tensor.clone())).into_iter().collect())
    })?;
    Ok((config, table))
}

/// A tensor's name within a layer of OpenCLIP's towers, but for the fused projection.
pub(super) fn openclip_layer(name: &str) -> Option<String> {
    [
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("attn.out_proj.", "self_attn.out_proj."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
    ]
    .into_iter()
    .find_map(|(openclip, diffusers)| name.strip_prefix(openclip).map(|rest| format!("{diffusers}{rest}")))
}

/// The three parts of a fused projection, `width` rows each; `None` if it has a different number of rows.
pub(super) fn thirds(tensor: &StoredTensor, width: usize) -> Option<[StoredTensor; 3]> {
    if tensor.shape().first() != Some(&(3 * width)) {
        return None;
    }
    Some([tensor.rows(0..width)?, tensor.rows(width..2 * width)?, tensor.rows(2 * width..3 * width)?])
}
