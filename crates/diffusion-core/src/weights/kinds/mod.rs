//! Identifies what models, folders and weight files are, by the classes that they name, the files in a folder, first bytes and the names of
//! tensors: to name what this program does not run, and what is given where something else belongs.
//!
//! The rows are in `table`. This module must not depend on values or containers. Invariant: nothing that could be loaded is identified as
//! something else; a file that matches no row is described by the parts that it lacks. Reference: diffusers' `loaders/single_file_utils.py`
//! (`CHECKPOINT_KEY_NAMES`) and its pipelines' names, ComfyUI's `comfy/model_detection.py`, kohya-ss' and LyCORIS' names of adapters.

mod given_as;
mod table;

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

pub(crate) use self::given_as::GivenAs;
use self::table::{FORMATS, KINDS, ONLY, PART, PARTS, SIGNATURES};
use super::{ldm_text, ldm_unet, ldm_vae};
use crate::regular_file;

/// A pattern for the names of tensors.
enum Sign {
    /// A name starts with this.
    Start(&'static str),
    /// A name contains this.
    Within(&'static str),
    /// A name equals this.
    Whole(&'static str),
    /// A name contains the first, and a name the second.
    Both(&'static str, &'static str),
}

impl Sign {
    fn is_in(&self, names: &[&str]) -> bool {
        let within = |part: &str| names.iter().any(|name| name.contains(part));
        match self {
            Self::Start(start) => names.iter().any(|name| name.starts_with(start)),
            Self::Within(part) => within(part),
            Self::Whole(whole) => names.contains(whole),
            Self::Both(one, other) => within(one) && within(other),
        }
    }
}

/// One kind of model or file.
struct Kind {
    is: &'static str,
    /// What to do if it was given as a model.
    advice: &'static str,
    /// What it can be used as here, besides a model.
    role: Option<GivenAs>,
    /// Any one of them suffices, as the begin of a class's name.
    classes: &'static [&'static str],
    /// Any one of them suffices.
    signs: &'static [Sign],
}

impl Kind {
    const fn fits(self, role: GivenAs) -> Self {
        Self { role: Some(role), ..self }
    }

    fn is_of(&self, names: &[&str]) -> bool {
        self.signs.iter().any(|sign| sign.is_in(names))
    }

    fn refusal(&self) -> String {
        format!("is {}: {}", self.is, self.advice)
    }
}

/// What a pipeline or a model of this class is, if it is known and not run here, with advice.
pub(super) fn of_class(class: &str) -> Option<String> {
    kind_of_class(class).map(Kind::refusal)
}

/// The name of what a model of this class is, if it is known and not run here.
pub(super) fn name_of_class(class: &str) -> Option<&'static str> {
    kind_of_class(class).map(|kind| kind.is)
}

fn kind_of_class(class: &str) -> Option<&'static Kind> {
    KINDS.iter().chain(PARTS).find(|kind| kind.classes.iter().any(|begin| class.starts_with(begin)))
}

/// The class that a model's own configuration names: diffusers' or transformers'.
pub(super) fn class_in(config: &Value) -> Option<&str> {
    config.get("_class_name").or_else(|| config.get("architectures")?.get(0)).and_then(Value::as_str)
}

/// What a file of this name is, if it belongs to another program.
pub(super) fn of_file_name(name: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, is)| *is)
}

/// What a file with these first bytes is, if it holds no weights that are read here. Safetensors and torch files are never identified.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<&'static str> {
    /// Fewer bytes could be the length at the start of a safetensors file.
    const TEXT: usize = 8;
    if bytes.get(8) == Some(&b'{') {
        return None;
    }
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let known = SIGNATURES.iter().find(|(start, _)| bytes.trim_ascii_start().starts_with(start)).map(|(_, is)| *is);
    known.or_else(|| (bytes.len() >= TEXT && bytes.iter().take(64).all(is_text)).then_some("a text file"))
}

/// What a folder holds that was given as `role`, as the end of a sentence about the folder.
pub(super) fn of_folder(folder: &Path, role: GivenAs) -> Option<String> {
    const KNOWN: [(&str, &str, GivenAs, &str); 3] = [
        ("adapter_config.json", "a PEFT adapter", GivenAs::Adapter, "which modifies a model but is not one"),
        ("pytorch_lora_weights.safetensors", "a LoRA", GivenAs::Adapter, "which modifies a model but is not one"),
        ("learned_embeds.safetensors", "a textual-inversion embedding", GivenAs::Embedding, "which adds a word to a model but is not one"),
    ];
    if let Some((_, is, belongs, is_no_model)) = KNOWN.iter().find(|(name, ..)| folder.join(name).is_file()) {
        return Some(if role == GivenAs::Model {
            format!("it holds {is}, {is_no_model}")
        } else {
            format!("it holds {is}: {}", belongs.advice())
        });
    }
    if let Ok(config) = regular_file::read(&folder.join("config.json")) {
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        let what = class_in(&config).and_then(of_class).map(|refusal| format!("its config.json {refusal}"));
        return Some(what.unwrap_or_else(|| "it may be one component of a model: give the folder above it".to_owned()));
    }
    let format =
        [folder.to_owned(), folder.join("unet"), folder.join("transformer")].into_iter().find_map(|folder| of_other_program(&folder));
    if let Some(is) = format {
        return Some(format!("it holds {is}: {}, in safetensors or as torch files", role.supported()));
    }
    let names = file_names(folder);
    let checkpoint = names.iter().find(|name| [".safetensors", ".ckpt", ".pth"].iter().any(|end| name.ends_with(end)))?;
    let sought = if role == GivenAs::Model { "a whole checkpoint" } else { role.name() };
    Some(format!("it holds {}: if that is {sought}, give that file", checkpoint.escape_debug()))
}

/// The format of files in a folder that belong to another program.
pub(super) fn of_other_program(folder: &Path) -> Option<&'static str> {
    file_names(folder).iter().find_map(|name| of_file_name(name))
}

/// The first names in a folder, in order.
fn file_names(folder: &Path) -> Vec<String> {
    const MOST: usize = 1000;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
    let names: BTreeSet<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.into_iter().collect()
}

/// What a file with tensors of these names and shapes is, if that is known and not `role`, as a sentence about the file.
pub(crate) fn instead_of(role: GivenAs, tensors: &[(&str, &[usize])]) -> Option<String> {
    let names: Vec<&str> = tensors.iter().map(|(name, _)| *name).collect();
    let has = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
    let (is, belongs) = if let Some(kind) = KINDS.iter().find(|kind| kind.is_of(&names)) {
        (kind.is, kind.role)
    } else if has(ldm_unet::PREFIX) && (has("cond_stage_model.") || has("conditioner.") || ldm_vae::PREFIXES.into_iter().any(has)) {
        ("a whole checkpoint", Some(GivenAs::Model))
    } else if let Some(kind) = PARTS.iter().find(|kind| kind.is_of(&names)) {
        (kind.is, kind.role)
    } else if is_single_word(tensors) {
        ("a textual-inversion embedding, or another single tensor", Some(GivenAs::Embedding))
    } else {
        return None;
    };
    (belongs != Some(role)).then(|| format!("is {is}, not {}: {}", role.name(), belongs.map_or(role.supported(), GivenAs::advice)))
}

/// The models for which an adapter with tensors of these names was made, if they are known and not run here.
pub(crate) fn model_of_adapter(names: &[&str]) -> Option<&'static str> {
    // Trainers write layers' names with underscores, after a prefix of their own.
    let plain = |text: &str| text.replace('.', "_");
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let is_in = |sign: &Sign| match sign {
        Sign::Within(part) => names.iter().any(|name| name.contains(&plain(part))),
        Sign::Start(_) | Sign::Whole(_) | Sign::Both(..) => false,
    };
    KINDS.iter().find(|kind| kind.advice == ONLY && kind.signs.iter().any(is_in)).map(|kind| kind.is)
}

fn is_single_word(tensors: &[(&str, &[usize])]) -> bool {
    // diffusers names the tensor by its word; the names of layers' tensors have dots.
    matches!(tensors, [(name, shape)] if shape.len() <= 2 && !name.contains('.'))
}

/// Parts of a checkpoint that lie elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    pub(super) vae: bool,
    pub(super) text_encoder: bool,
}

/// Why a file with tensors of these names and shapes is not a complete checkpoint; `None` if it has all parts, or lacks those only that lie
/// elsewhere. Of two text encoders, one suffices here.
pub(super) fn refusal(tensors: &[(&str, &[usize])], beside: Beside) -> Option<String> {
    let names: Vec<&str> = tensors.iter().map(|(name, _)| *name).collect();
    let has = |prefixes: &[&str]| names.iter().any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    if let Some(kind) = KINDS.iter().find(|kind| kind.is_of(&names)) {
        return Some(kind.refusal());
    }
    let text = [&ldm_text::CLIP_PREFIXES[..], &ldm_text::OPENCLIP_PREFIXES, &[ldm_text::XL_PREFIX]].concat();
    let parts: [(&str, &[&str], bool); 3] =
        [("UNet", &[ldm_unet::PREFIX], false), ("VAE", &ldm_vae::PREFIXES, beside.vae), ("text encoder", &text, beside.text_encoder)];
    let missing: Vec<&str> = parts.iter().filter(|(_, prefixes, is_beside)| !is_beside && !has(prefixes)).map(|(part, ..)| *part).collect();
    match missing.as_slice() {
        [] => None,
        ["VAE"] => Some(format!("has no VAE, so it is not a complete Stable Diffusion checkpoint: name one besides (--vae), or {PART}")),
        // Which one is missing depends on the UNet.
        ["text encoder"] => None,
        ["VAE", "text encoder"] if has(&[ldm_unet::PREFIX]) => {
            Some("is a UNet alone: name the other parts besides (--vae and --text-encoder), or ".to_owned() + PART)
        }
        [part] => Some(format!("has no {part}, so it is not a complete Stable Diffusion checkpoint: {PART}")),
        [one, other] => Some(format!("{}; it has no {one} and no {other}", alone(tensors, &names))),
        _ => Some(alone(tensors, &names)),
    }
}

/// The refusal of a checkpoint that lacks a text encoder.
pub(super) fn no_text_encoder(which: &str, advice: &str) -> String {
    format!("has no {which}, so it is not a complete Stable Diffusion checkpoint: {advice}, or {PART}")
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
