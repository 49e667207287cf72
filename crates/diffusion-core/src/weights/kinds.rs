//! Identifies weight files that are not complete Stable Diffusion checkpoints by the names of their tensors, with advice for the user.
//!
//! Mostly data. This module must not depend on values or containers. Invariant: nothing that could be loaded is identified as something
//! else; a file that matches no row is described by the parts that it lacks. Reference: diffusers' `loaders/single_file_utils.py`
//! (`CHECKPOINT_KEY_NAMES`), ComfyUI's `comfy/model_detection.py`, kohya-ss' and LyCORIS' names of adapters.

use std::collections::BTreeSet;

use super::{ldm_text, ldm_unet, ldm_vae};

/// A pattern for the names of tensors.
enum Sign {
    /// A name starts with this.
    Start(&'static str),
    /// A name contains this.
    Within(&'static str),
    /// A name equals this.
    Whole(&'static str),
}
use Sign::{Start, Whole, Within};

/// One kind of file.
struct Kind {
    is: &'static str,
    advice: &'static str,
    /// Any one of them suffices.
    signs: &'static [Sign],
}

const ONLY: &str = "supported are checkpoints of Stable Diffusion 1.x, 2.x and XL";
const ADAPTER: &str = "it modifies a model but is not one: give the model that it was made for, and this file as an adapter";
const PART: &str = "give a whole checkpoint, or the folder of a diffusers model";
const HELPER: &str = "it supplements a model but is not one, and is not supported; give a checkpoint of Stable Diffusion 1.x, 2.x or XL";

/// The first kind with a matching sign wins; adapters and helpers repeat the names of their models, so they come first.
const KINDS: &[Kind] = &[
    Kind {
        is: "a LyCORIS adapter (LoHa, LoKr, OFT and the like)",
        advice: ADAPTER,
        signs: &[
            Within(".hada_w1"),
            Within(".lokr_w1"),
            Within(".lokr_w2"),
            Within(".lokr_t2"),
            Within(".oft_blocks"),
            Within(".oft_diag"),
            Within(".lora_mid."),
            Within(".on_input"),
            Within(".diff_b"),
            Start("lycoris_"),
        ],
    },
    Kind {
        is: "a ControlNet",
        advice: HELPER,
        signs: &[
            Start("control_model."),
            Start("input_hint_block."),
            Start("zero_convs."),
            Start("controlnet_"),
            Start("lora_controlnet"),
            Within("controlnet_blocks."),
            Start("control_layers."),
            Start("control_all_x_embedder."),
        ],
    },
    Kind {
        is: "a PEFT adapter (LoRA)",
        advice: ADAPTER,
        signs: &[Start("base_model.model."), Within(".lora_A."), Within(".lora_B."), Within(".lora_embedding_A")],
    },
    Kind {
        is: "a LoRA",
        advice: ADAPTER,
        signs: &[
            Start("lora_"),
            Within(".lora_up."),
            Within(".lora_down."),
            Within(".lora.up."),
            Within(".lora.down."),
            Within("_lora.up."),
            Within("_lora.down."),
            Within(".lora_linear_layer."),
            Within(".dora_scale"),
        ],
    },
    Kind { is: "a motion module (AnimateDiff)", advice: HELPER, signs: &[Within("motion_modules."), Within(".pos_encoder.pe")] },
    Kind { is: "an IP-Adapter", advice: HELPER, signs: &[Start("ip_adapter."), Start("image_proj.")] },
    Kind { is: "a T2I-Adapter", advice: HELPER, signs: &[Start("adapter.body."), Start("body.0.in_conv."), Start("body.0.block1.")] },
    Kind {
        is: "a textual-inversion embedding",
        advice: "it adds a word to a model but is not one: give the model that it was made for",
        signs: &[Whole("emb_params"), Start("string_to_param."), Whole("clip_l"), Whole("clip_g")],
    },
    Kind {
        is: "an upscaler (ESRGAN and the like)",
        advice: HELPER,
        signs: &[
            Start("params_ema."),
            Start("params."),
            Start("conv_first."),
            Start("model.1.sub."),
            Start("model.0.weight"),
            Within(".rdb1."),
            Within(".RDB1."),
            Within(".residual_group."),
            Start("body.0.rdb"),
        ],
    },
    Kind { is: "a safety checker", advice: HELPER, signs: &[Whole("concept_embeds"), Whole("special_care_embeds")] },
    Kind {
        is: "a Stable Video Diffusion checkpoint",
        advice: "give the folder of its diffusers model",
        signs: &[Within(".time_stack."), Within(".time_mix_")],
    },
    Kind { is: "a Playground 2.5 checkpoint", advice: ONLY, signs: &[Whole("edm_mean"), Whole("edm_std")] },
    Kind { is: "a Stable Diffusion 3 checkpoint", advice: ONLY, signs: &[Within("joint_blocks.")] },
    Kind { is: "a Chroma checkpoint", advice: ONLY, signs: &[Within("distilled_guidance_layer.")] },
    Kind { is: "a Hunyuan Video checkpoint", advice: ONLY, signs: &[Within("individual_token_refiner.")] },
    Kind { is: "a Flux checkpoint", advice: ONLY, signs: &[Within("double_blocks."), Within("single_transformer_blocks.")] },
    Kind { is: "an AuraFlow checkpoint", advice: ONLY, signs: &[Within("double_layers.")] },
    Kind { is: "a Stable Cascade checkpoint", advice: ONLY, signs: &[Within(".channelwise."), Start("clip_txt_mapper.")] },
    Kind { is: "an LTX Video checkpoint", advice: ONLY, signs: &[Within("patchify_proj.")] },
    Kind { is: "a Lumina or Z-Image checkpoint", advice: ONLY, signs: &[Within("cap_embedder.")] },
    Kind { is: "a Qwen-Image checkpoint", advice: ONLY, signs: &[Within(".img_mod."), Within("txt_in.text_norm.")] },
    Kind { is: "a Wan checkpoint", advice: ONLY, signs: &[Within("head.modulation")] },
    Kind {
        is: "a PixArt, Sana or Hunyuan-DiT checkpoint",
        advice: ONLY,
        signs: &[Within("blocks.0.cross_attn."), Within("blocks.0.attn2.q_proj.")],
    },
    Kind { is: "a Stable unCLIP checkpoint", advice: ONLY, signs: &[Start("noise_augmentor."), Start("embedder.model.")] },
    Kind { is: "a Stable Diffusion 2 depth checkpoint", advice: ONLY, signs: &[Start("depth_model.")] },
    Kind { is: "an AltDiffusion checkpoint", advice: ONLY, signs: &[Start("cond_stage_model.roberta.")] },
    Kind { is: "a Zero123 checkpoint", advice: ONLY, signs: &[Start("cc_projection.")] },
    Kind { is: "a GLIGEN checkpoint", advice: ONLY, signs: &[Within(".fuser."), Start("position_net.")] },
];

const FOLDER: &str = "give the model's folder instead";

/// Parts of a model; checked only if the file lacks a checkpoint's names.
const PARTS: &[Kind] = &[
    Kind {
        is: "one component of a diffusers model, its VAE",
        advice: FOLDER,
        signs: &[Start("encoder.down_blocks."), Start("decoder.up_blocks.")],
    },
    Kind {
        is: "one component of a diffusers model, its UNet",
        advice: FOLDER,
        signs: &[Start("down_blocks."), Start("up_blocks."), Start("mid_block.")],
    },
    Kind { is: "an image encoder alone", advice: PART, signs: &[Start("vision_model."), Start("visual.")] },
    Kind { is: "one component of a diffusers model, its text encoder", advice: FOLDER, signs: &[Start("text_model.")] },
    Kind {
        is: "a VAE alone",
        advice: PART,
        signs: &[
            Start("first_stage_model."),
            Start("vae."),
            Start("encoder.down."),
            Start("decoder.up."),
            Start("taesd_"),
            Start("decoder.layers."),
            Whole("decoder.1.weight"),
        ],
    },
    Kind {
        is: "a UNet alone",
        advice: PART,
        signs: &[
            Start("model.diffusion_model."),
            Start("diffusion_model."),
            Start("input_blocks."),
            Start("output_blocks."),
            Start("unet."),
        ],
    },
    Kind {
        is: "a text encoder alone",
        advice: PART,
        signs: &[
            Start("cond_stage_model."),
            Start("conditioner.embedders."),
            Start("text_encoder."),
            Start("transformer.resblocks."),
            Start("encoder.block.0.layer."),
            Start("encoder.layers."),
        ],
    },
    Kind { is: "a language model", advice: ONLY, signs: &[Start("model.layers."), Start("model.embed_tokens."), Start("transformer.h.")] },
];

impl Kind {
    fn is_of(&self, names: &[&str]) -> bool {
        let shows = |name: &str| {
            self.signs.iter().any(|sign| match sign {
                Start(start) => name.starts_with(start),
                Within(part) => name.contains(part),
                Whole(whole) => name == *whole,
            })
        };
        names.iter().any(|name| shows(name))
    }

    fn refusal(&self) -> String {
        format!("is {}: {}", self.is, self.advice)
    }
}

/// Why a file with tensors of these names and shapes is not a complete checkpoint; `None` if it has all parts.
pub(super) fn refusal(tensors: &[(&str, &[usize])]) -> Option<String> {
    let names: Vec<&str> = tensors.iter().map(|(name, _)| *name).collect();
    let has = |prefixes: &[&str]| names.iter().any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    if let Some(kind) = KINDS.iter().find(|kind| kind.is_of(&names)) {
        return Some(kind.refusal());
    }
    let text = [ldm_text::CLIP_PREFIXES, ldm_text::OPENCLIP_PREFIXES].concat();
    let parts: [(&str, &[&str]); 3] = [("UNet", &[ldm_unet::PREFIX]), ("VAE", &ldm_vae::PREFIXES), ("text encoder", &text)];
    let missing: Vec<&str> = parts.iter().filter(|(_, prefixes)| !has(prefixes)).map(|(part, _)| *part).collect();
    match missing.as_slice() {
        [] => None,
        [part] => Some(format!("has no {part}, so it is not a complete Stable Diffusion checkpoint: {PART}")),
        [one, other] => Some(format!("{}; it has no {one} and no {other}", alone(tensors, &names))),
        _ => Some(alone(tensors, &names)),
    }
}

/// Describes a file that has one part of a checkpoint, or none.
fn alone(tensors: &[(&str, &[usize])], names: &[&str]) -> String {
    if let Some(kind) = PARTS.iter().find(|kind| kind.is_of(names)) {
        return kind.refusal();
    }
    if let [(name, shape)] = tensors
        && shape.len() <= 2
    {
        let name = name.escape_debug();
        return format!("is a textual-inversion embedding, or another single tensor ({name}): give the model that it was made for");
    }
    // A file's reader may list them in any order.
    let names: BTreeSet<&str> = names.iter().copied().collect();
    let first: Vec<String> = names.iter().take(3).map(|name| name.escape_debug().to_string()).collect();
    let shown = if first.is_empty() { "it holds no tensor".into() } else { format!("its first tensors are {}", first.join(", ")) };
    format!("has no UNet, VAE or text encoder, so it is no Stable Diffusion checkpoint ({shown}): {ONLY}")
}
