//! The parts of a Stable Video Diffusion checkpoint in Stability AI's naming: its image encoder (OpenCLIP's vision tower) and its temporal
//! autoencoder. Infers their configurations from shapes, and renames their tensors as in diffusers.
//!
//! The UNet is [`super::ldm_unet`]'s. The file has the autoencoder's encoder twice; the one that the image is conditioned on alone has the
//! convolution behind it, so that one is read. Reference: `scripts/convert_svd_to_diffusers.py` of diffusers' repository, and transformers'
//! `convert_clip` for the vision tower.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Component,
    ldm::{LdmPart, numbered},
    ldm_text::{openclip_layer, thirds},
    ldm_unet, ldm_vae,
    strided::StoredTensor,
    table::TensorTable,
};
use crate::{Error, Result};

const VISION: &str = "conditioner.embedders.0.open_clip.model.visual.";
/// Holds `encoder.` and `quant_conv.`.
const ENCODER: &str = "conditioner.embedders.3.encoder.";
const DECODER: &str = "first_stage_model.decoder.";

/// The width of the vision tower's attention heads: ViT-H's.
const HEAD_WIDTH: usize = 80;

/// Whether a file is such a checkpoint, or a part of one.
pub(super) fn is_video(all: &[(String, StoredTensor)]) -> bool {
    all.iter().any(|(name, _)| name.contains(".time_stack.") || name.contains(".time_mix_"))
}

/// Refuses a file that lacks a part.
///
/// # Errors
/// [`Error::File`] naming the parts.
pub(super) fn check(path: &Path, all: &[(String, StoredTensor)]) -> Result<()> {
    let parts = [("UNet", ldm_unet::PREFIX), ("VAE encoder", ENCODER), ("VAE decoder", DECODER), ("image encoder", VISION)];
    let has = |prefix: &str| all.iter().any(|(name, _)| name.starts_with(prefix));
    let missing: Vec<String> = parts.iter().filter(|(_, prefix)| !has(prefix)).map(|(part, prefix)| format!("{part} ({prefix})")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Error::file(path, format!("is a Stable Video Diffusion checkpoint without its {missing}: give the folder of its diffusers model")))
}

/// The temporal autoencoder.
///
/// # Errors
/// [`Error::Weights`] naming a tensor that is missing or that no such autoencoder has.
pub(super) fn vae(path: &Path, all: &[(String, StoredTensor)]) -> Result<(Value, TensorTable)> {
    let own = |(name, tensor): &(String, StoredTensor)| {
        let own = match name.strip_prefix(ENCODER) {
            Some(rest) => rest.to_owned(),
            None => format!("decoder.{}", name.strip_prefix(DECODER)?),
        };
        Some((own, tensor.clone()))
    };
    let tensors: Vec<_> = all.iter().filter_map(own).collect();
    let part = LdmPart::new(Component::Vae, path.to_owned(), &[""], &tensors);
    let layout = ldm_vae::Layout::infer(&part)?;
    let table = part.rename(|name, tensor| match renamed(&layout, name) {
        Some(renamed) => Ok(vec![(renamed, tensor.clone())]),
        None => Err(part.fail(name, "unsupported: a Stable Video Diffusion autoencoder has no such layer")),
    })?;
    Ok((layout.temporal_config(), table))
}

/// The decoder's residual blocks have a spatial part, a temporal one and a mixer.
fn renamed(layout: &ldm_vae::Layout, name: &str) -> Option<String> {
    for old in ["decoder.conv_out.time_mix_conv.", "decoder.time_mix_conv."] {
        if let Some(rest) = name.strip_prefix(old) {
            return Some(format!("decoder.time_conv_out.{rest}"));
        }
    }
    // A residual block's new name, from that of one of its layers.
    let block = |old: &str| Some(layout.rename(&format!("{old}.norm1.weight"))?.strip_suffix("norm1.weight")?.to_owned());
    if let Some((old, rest)) = name.split_once(".time_stack.") {
        return Some(format!("{}temporal_res_block.{}", block(old)?, ldm_unet::resnet(rest)?));
    }
    if let Some(old) = name.strip_suffix(".mix_factor") {
        return Some(format!("{}time_mixer.mix_factor", block(old)?));
    }
    let renamed = layout.rename(name)?;
    match renamed.split_once(".resnets.") {
        Some((before, rest)) if renamed.starts_with("decoder.") => {
            let (index, rest) = numbered(rest)?;
            Some(format!("{before}.resnets.{index}.spatial_res_block.{rest}"))
        }
        _ => Some(renamed),
    }
}

/// The image encoder.
///
/// # Errors
/// [`Error::Weights`] naming a tensor that is missing or has an unexpected shape.
pub(super) fn image_encoder(path: &Path, all: &[(String, StoredTensor)]) -> Result<(Value, TensorTable)> {
    let part = LdmPart::new(Component::ImageEncoder, path.to_owned(), &[VISION], all);
    let (hidden, patch) = (part.dimension("conv1.weight", 0)?, part.dimension("conv1.weight", 2)?);
    if hidden == 0 || !hidden.is_multiple_of(HEAD_WIDTH) {
        let reason = format!("its width {hidden} is no multiple of {HEAD_WIDTH}, so the number of attention heads cannot be inferred");
        return Err(part.fail("conv1.weight", reason));
    }
    let patches = part.dimension("positional_embedding", 0)?.saturating_sub(1).isqrt();
    let config = json!({
        "architectures": ["CLIPVisionModelWithProjection"],
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "image_size": patches.saturating_mul(patch),
        "intermediate_size": part.dimension("transformer.resblocks.0.mlp.c_fc.weight", 0)?,
        "layer_norm_eps": 1e-5,
        "model_type": "clip_vision_model",
        "num_attention_heads": hidden / HEAD_WIDTH,
        "num_channels": part.dimension("conv1.weight", 1)?,
        "num_hidden_layers": part.count(|layer| format!("transformer.resblocks.{layer}.")),
        "patch_size": patch,
        "projection_dim": part.dimension("proj", 1)?,
    });
    let table = part.rename(|name, tensor| {
        if name == "proj" {
            let transposed = tensor.transposed().ok_or_else(|| part.fail(name, "expected a matrix without row factors"))?;
            return Ok(vec![("visual_projection.weight".to_owned(), transposed)]);
        }
        for (openclip, diffusers) in [
            ("class_embedding", "embeddings.class_embedding"),
            ("positional_embedding", "embeddings.position_embedding.weight"),
            ("conv1.weight", "embeddings.patch_embedding.weight"),
            ("ln_pre.weight", "pre_layrnorm.weight"),
            ("ln_pre.bias", "pre_layrnorm.bias"),
            ("ln_post.weight", "post_layernorm.weight"),
            ("ln_post.bias", "post_layernorm.bias"),
        ] {
            if name == openclip {
                return Ok(vec![(format!("vision_model.{diffusers}"), tensor.clone())]);
            }
        }
        let Some((layer, rest)) = name.strip_prefix("transformer.resblocks.").and_then(numbered) else { return Ok(Vec::new()) };
        let target = format!("vision_model.encoder.layers.{layer}");
        if let Some(kind) = rest.strip_prefix("attn.in_proj_") {
            let parts = thirds(tensor, hidden);
            let parts = parts.ok_or_else(|| part.fail(name, format!("expected {} rows, found shape {:?}", 3 * hidden, tensor.shape())))?;
            let named = ["q_proj", "k_proj", "v_proj"].into_iter().zip(parts);
            return Ok(named.map(|(projection, part)| (format!("{target}.self_attn.{projection}.{kind}"), part)).collect());
        }
        let renamed = openclip_layer(rest).map(|rest| (format!("{target}.{rest}"), tensor.clone()));
        Ok(renamed.into_iter().collect())
    })?;
    Ok((config, table))
}
