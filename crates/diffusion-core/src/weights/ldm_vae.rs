//! The autoencoder of a CompVis checkpoint: infers its configuration from shapes, and renames its tensors as in diffusers.
//!
//! The up path is numbered from its end in CompVis' naming and from its start in diffusers'. Attention projections are stored as 1x1
//! convolutions; [`super::names`] reshapes them to matrices. Reference: diffusers' `convert_ldm_vae_checkpoint` and
//! `create_vae_diffusers_config_from_ldm`.

use serde_json::{Value, json};

use super::{
    ldm::{LdmPart, numbered},
    table::TensorTable,
};
use crate::Result;

/// The prefixes of the autoencoder's tensors in a checkpoint.
pub(super) const PREFIXES: [&str; 2] = ["first_stage_model.", "vae."];

/// The factor of the latents, which no tensor holds: of Stable Diffusion 1.x and 2.x, and of XL.
const SCALING_FACTOR: f64 = 0.18215;
const XL_SCALING_FACTOR: f64 = 0.13025;

/// The autoencoder's structure, inferred from shapes.
pub(super) struct Layout {
    block_out_channels: Vec<usize>,
    layers_per_block: usize,
    in_channels: usize,
    out_channels: usize,
    latent_channels: usize,
}

impl Layout {
    /// Infers the layout from names and shapes.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] naming a tensor that is missing or that no Stable Diffusion autoencoder has.
    pub(super) fn infer(part: &LdmPart) -> Result<Self> {
        let levels = part.count(|level| format!("encoder.down.{level}.block."));
        let mut block_out_channels = Vec::with_capacity(levels);
        for level in 0..levels {
            block_out_channels.push(part.dimension(&format!("encoder.down.{level}.block.0.conv1.weight"), 0)?);
            for side in ["encoder.down", "decoder.up"] {
                let attention = format!("{side}.{level}.attn.");
                if part.has_any(&attention) {
                    return Err(part.fail(&attention, "unsupported: a Stable Diffusion autoencoder has attention in its middle only"));
                }
            }
        }
        if levels == 0 {
            return Err(part.fail("encoder.down.0.block.0.conv1.weight", "missing"));
        }
        Ok(Self {
            block_out_channels,
            layers_per_block: part.count(|layer| format!("encoder.down.0.block.{layer}.")),
            in_channels: part.dimension("encoder.conv_in.weight", 1)?,
            out_channels: part.dimension("decoder.conv_out.weight", 0)?,
            latent_channels: part.dimension("decoder.conv_in.weight", 1)?,
        })
    }

    /// Image pixels along a side for each latent.
    pub(super) fn scale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1).min(16)
    }

    /// The configuration that diffusers would write, for images of `sample_size` pixels.
    pub(super) fn config(&self, sample_size: usize, is_xl: bool) -> Value {
        let levels = self.block_out_channels.len();
        // `force_upcast` is true without being written: XL's activations exceed f16, and nothing in a file says that another's do not.
        json!({
            "_class_name": "AutoencoderKL",
            "act_fn": "silu",
            "block_out_channels": self.block_out_channels,
            "down_block_types": vec!["DownEncoderBlock2D"; levels],
            "in_channels": self.in_channels,
            "latent_channels": self.latent_channels,
            "layers_per_block": self.layers_per_block,
            "norm_num_groups": 32,
            "out_channels": self.out_channels,
            "sample_size": sample_size,
            "scaling_factor": if is_xl { XL_SCALING_FACTOR } else { SCALING_FACTOR },
            "up_block_types": vec!["UpDecoderBlock2D"; levels],
        })
    }

    /// The configuration of a temporal autoencoder of these dimensions, Stable Video Diffusion's.
    pub(super) fn temporal_config(&self) -> Value {
        json!({
            "_class_name": "AutoencoderKLTemporalDecoder",
            "block_out_channels": self.block_out_channels,
            "down_block_types": vec!["DownEncoderBlock2D"; self.block_out_channels.len()],
            "force_upcast": true,
            "in_channels": self.in_channels,
            "latent_channels": self.latent_channels,
            "layers_per_block": self.layers_per_block,
            "out_channels": self.out_channels,
            "sample_size": 768,
            "scaling_factor": SCALING_FACTOR,
        })
    }

    /// The tensors under diffusers' names, and the names of those that no Stable Diffusion autoencoder has, which are omitted. Those of the
    /// training loss are omitted without mention.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if two tensors get the same name.
    pub(super) fn tensors(&self, part: &LdmPart) -> Result<(TensorTable, Vec<String>)> {
        let mut unknown = Vec::new();
        let table = part.rename(|name, tensor| {
            let renamed = self.rename(name);
            if renamed.is_none() && !name.starts_with("loss.") {
                unknown.push(part.full_name(name));
            }
            Ok(renamed.map(|name| (name, tensor.clone())).into_iter().collect())
        })?;
        Ok((table, unknown))
    }

    /// A tensor's name in diffusers.
    pub(super) fn rename(&self, name: &str) -> Option<String> {
        if name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.") {
            return Some(name.to_owned());
        }
        let (side, rest) = name.split_once('.')?;
        if side != "encoder" && side != "decoder" {
            return None;
        }
        if rest.starts_with("conv_in.") || rest.starts_with("conv_out.") {
            return Some(name.to_owned());
        }
        if let Some(rest) = rest.strip_prefix("norm_out.") {
            return Some(format!("{side}.conv_norm_out.{rest}"));
        }
        if let Some(rest) = rest.strip_prefix("mid.") {
            let (place, rest) = rest.split_once('.')?;
            return match place {
                "block_1" => Some(format!("{side}.mid_block.resnets.0.{}", resnet(rest))),
                "block_2" => Some(format!("{side}.mid_block.resnets.1.{}", resnet(rest))),
                "attn_1" => Some(format!("{side}.mid_block.attentions.0.{}", attention(rest)?)),
                _ => None,
            };
        }
        let (way, rest) = rest.split_once('.')?;
        let (level, rest) = numbered(rest)?;
        let (blocks, block, sampler) = match (side, way) {
            ("encoder", "down") => ("down_blocks", level, "downsample"),
            ("decoder", "up") => ("up_blocks", self.block_out_channels.len().checked_sub(level + 1)?, "upsample"),
            _ => return None,
        };
        if let Some(rest) = rest.strip_prefix("block.") {
            let (layer, rest) = numbered(rest)?;
            return Some(format!("{side}.{blocks}.{block}.resnets.{layer}.{}", resnet(rest)));
        }
        let rest = rest.strip_prefix(sampler)?.strip_prefix('.')?;
        Some(format!("{side}.{blocks}.{block}.{sampler}rs.0.{rest}"))
    }
}

fn resnet(name: &str) -> String {
    name.strip_prefix("nin_shortcut.").map_or_else(|| name.to_owned(), |rest| format!("conv_shortcut.{rest}"))
}

/// CompVis' names, and diffusers' older and newer ones, which trainers have written into checkpoints.
fn attention(name: &str) -> Option<String> {
    let (layer, kind) = name.rsplit_once('.')?;
    let layer = match layer {
        "norm" | "group_norm" => "group_norm",
        "q" | "query" | "to_q" => "to_q",
        "k" | "key" | "to_k" => "to_k",
        "v" | "value" | "to_v" => "to_v",
        "proj_out" | "proj_attn" | "to_out.0" => "to_out.0",
        _ => return None,
    };
    Some(format!("{layer}.{kind}"))
}
