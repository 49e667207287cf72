//! Identifies models, folders and weight files that this program does not run, by the classes that they name, the files in a folder and the
//! names of tensors.
//!
//! The rows are in `table`. This module must not depend on values or containers. Invariant: nothing that could be loaded is identified as
//! something else; a file that matches no row is described by the parts that it lacks. Reference: diffusers' `loaders/single_file_utils.py`
//! (`CHECKPOINT_KEY_NAMES`) and its pipelines' names, ComfyUI's `comfy/model_detection.py`, kohya-ss' and LyCORIS' names of adapters.

mod table;

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use self::table::{FORMATS, KINDS, ONLY, PART, PARTS};
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
}

/// One kind of model or file.
struct Kind {
    is: &'static str,
    advice: &'static str,
    /// Any one of them suffices, as the begin of a class's name.
    classes: &'static [&'static str],
    /// Any one of them suffices.
    signs: &'static [Sign],
}

impl Kind {
    fn is_of(&self, names: &[&str]) -> bool {
        let shows = |name: &str| {
            self.signs.iter().any(|sign| match sign {
                Sign::Start(start) => name.starts_with(start),
                Sign::Within(part) => name.contains(part),
                Sign::Whole(whole) => name == *whole,
            })
        };
        names.iter().any(|name| shows(name))
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

/// What a file of this name is, if it belongs to another program.
pub(super) fn of_file_name(name: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, is)| *is)
}

/// What a folder without a model index holds instead, as the end of a sentence about the folder.
pub(super) fn of_folder(folder: &Path) -> Option<String> {
    const KNOWN: [(&str, &str); 3] = [
        ("adapter_config.json", "it holds a PEFT adapter, which modifies a model but is not one"),
        ("pytorch_lora_weights.safetensors", "it holds a LoRA, which modifies a model but is not one"),
        ("learned_embeds.safetensors", "it holds a textual-inversion embedding, which adds a word to a model but is not one"),
    ];
    if let Some((_, what)) = KNOWN.iter().find(|(name, _)| folder.join(name).is_file()) {
        return Some((*what).to_owned());
    }
    if let Ok(config) = regular_file::read(&folder.join("config.json")) {
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        let class = config.get("_class_name").or_else(|| config.get("architectures")?.get(0)).and_then(Value::as_str);
        let what = class.and_then(of_class).map(|refusal| format!("its config.json {refusal}"));
        return Some(what.unwrap_or_else(|| "it may be one component of a model: give the folder above it".to_owned()));
    }
    let format =
        [folder.to_owned(), folder.join("unet"), folder.join("transformer")].into_iter().find_map(|folder| of_other_program(&folder));
    if let Some(is) = format {
        return Some(format!("it holds {is}: {ONLY}, in safetensors or as torch files"));
    }
    let names = file_names(folder);
    let checkpoint = names.iter().find(|name| [".safetensors", ".ckpt"].iter().any(|end| name.ends_with(end)))?;
    Some(format!("it holds {}: if that is a whole checkpoint, give that file", checkpoint.escape_debug()))
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

/// Why a file with tensors of these names and shapes is not a complete checkpoint; `None` if it has all parts, or lacks the VAE only and
/// has another one.
pub(super) fn refusal(tensors: &[(&str, &[usize])], has_other_vae: bool) -> Option<String> {
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
        ["VAE"] if has_other_vae => None,
        ["VAE"] => Some(format!("has no VAE, so it is not a complete Stable Diffusion checkpoint: name one besides (--vae), or {PART}")),
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
