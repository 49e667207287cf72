//! The selection of files that a Stable Diffusion or Stable Video Diffusion model needs, and the check of names that become paths.
//!
//! Pure functions over names. The order of preference is that of `weights::DiffusersFolder`, so that the fetched files are the ones that it
//! reads.

use std::collections::BTreeSet;

use crate::weights::Component;

/// The file that makes a repository a diffusers model.
pub(super) const MODEL_INDEX: &str = "model_index.json";

/// Small files to fetch if they exist.
const TOKENIZER: [&str; 6] =
    ["tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// The components with weights of a text-to-image model, the small ones first.
const IMAGES: [Component; 3] = [Component::TextEncoder, Component::Vae, Component::Unet];

/// The same of a model with two text encoders.
const XL_IMAGES: [Component; 4] = [Component::TextEncoder, Component::Vae, Component::TextEncoder2, Component::Unet];

/// The same of a model with the second text encoder alone.
const REFINER: [Component; 3] = [Component::Vae, Component::TextEncoder2, Component::Unet];

/// The components with weights of an image-to-video model.
const VIDEOS: [Component; 3] = [Component::Vae, Component::ImageEncoder, Component::Unet];

/// Whether a name from the network may be joined to a folder: relative, with plain parts only.
pub(super) fn is_safe_path(path: &str) -> bool {
    path.len() <= 1000
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains(['\\', ':', '\0'])
        && !path.chars().any(char::is_control)
}

/// The files to fetch, the small ones first.
///
/// # Errors
/// A message that names the missing file, if the names do not make a model.
pub(super) fn choose(names: &BTreeSet<String>) -> Result<Vec<String>, String> {
    if !names.contains(MODEL_INDEX) {
        let single = names.iter().find(|name| name.ends_with(".safetensors"));
        let hint = single.map_or(String::new(), |name| format!(" (it has {name}: download that and pass the file itself)"));
        return Err(format!("no {MODEL_INDEX}, so this is no diffusers model{hint}"));
    }
    let mut chosen = vec![MODEL_INDEX.to_owned()];
    let mut require = |name: String| {
        if names.contains(&name) {
            chosen.push(name);
            Ok(())
        } else {
            Err(format!("{name} is missing"))
        }
    };
    let is_video = is_video(names);
    let components: &[Component] = match (is_video, has_second_text(names), has_first_text(names)) {
        (true, _, _) => &VIDEOS,
        (false, true, true) => &XL_IMAGES,
        (false, true, false) => &REFINER,
        (false, false, _) => &IMAGES,
    };
    require("scheduler/scheduler_config.json".into())?;
    for component in components {
        require(format!("{component}/{}", component.config_file()))?;
    }
    if is_video {
        require(format!("{}/{}", Component::FeatureExtractor, Component::FeatureExtractor.config_file()))?;
    } else {
        for folder in tokenizers(names) {
            chosen.extend(tokenizer(names, folder)?);
        }
    }
    for component in components {
        chosen.extend(weights(names, *component)?);
    }
    Ok(chosen)
}

/// Optional files that the repository does not have.
pub(super) fn absent(names: &BTreeSet<String>) -> Vec<String> {
    let folders: &[Component] = if is_video(names) { &[] } else { tokenizers(names) };
    let wanted = folders.iter().flat_map(|folder| TOKENIZER.map(|name| format!("{folder}/{name}")));
    wanted.filter(|name| !names.contains(name)).collect()
}

/// Whether the names are those of an image-to-video model: the one family has a text encoder, the other an image encoder.
fn is_video(names: &BTreeSet<String>) -> bool {
    names.contains("image_encoder/config.json") && !has_first_text(names)
}

fn has_first_text(names: &BTreeSet<String>) -> bool {
    names.contains("text_encoder/config.json")
}

/// Whether the names are those of Stable Diffusion XL, or of its refiner, which has no other text encoder.
fn has_second_text(names: &BTreeSet<String>) -> bool {
    names.contains("text_encoder_2/config.json")
}

fn tokenizers(names: &BTreeSet<String>) -> &'static [Component] {
    match (has_second_text(names), has_first_text(names)) {
        (true, true) => &[Component::Tokenizer, Component::Tokenizer2],
        (true, false) => &[Component::Tokenizer2],
        (false, _) => &[Component::Tokenizer],
    }
}

/// The files of a tokenizer.
fn tokenizer(names: &BTreeSet<String>, folder: &Component) -> Result<Vec<String>, String> {
    let has = |name: &str| names.contains(&format!("{folder}/{name}"));
    let whole = has("tokenizer.json") || (has("vocab.json") && has("merges.txt"));
    if !whole {
        return Err(format!("{folder}/tokenizer.json is missing, and so are {folder}/vocab.json and merges.txt or one of them"));
    }
    Ok(TOKENIZER.iter().filter(|name| has(name)).map(|name| format!("{folder}/{name}")).collect())
}

/// The one file, or the index and its shards, that hold a component's weights.
fn weights(names: &BTreeSet<String>, component: Component) -> Result<Vec<String>, String> {
    let Some((safetensors, torch)) = component.weight_stems() else { return Ok(Vec::new()) };
    for variant in [None, Some("fp16")] {
        for (stem, extension) in [(safetensors, "safetensors"), (torch, "bin")] {
            let (whole, indices) = match variant {
                None => (format!("{stem}.{extension}"), vec![format!("{stem}.{extension}.index.json")]),
                Some(variant) => (
                    format!("{stem}.{variant}.{extension}"),
                    vec![format!("{stem}.{extension}.index.{variant}.json"), format!("{stem}.{variant}.{extension}.index.json")],
                ),
            };
            let whole = format!("{component}/{whole}");
            if names.contains(&whole) {
                return Ok(vec![whole]);
            }
            for index in indices.into_iter().map(|index| format!("{component}/{index}")) {
                if names.contains(&index) {
                    let mut files = shards(names, &format!("{component}/{stem}"), extension, variant)?;
                    files.insert(0, index);
                    return Ok(files);
                }
            }
        }
    }
    Err(format!("{component} has no weights: neither {safetensors}.safetensors nor {torch}.bin, nor their shards or fp16 variants"))
}

/// All files of the form STEM[.variant]-00001-of-00002[.variant].EXTENSION.
fn shards(names: &BTreeSet<String>, stem: &str, extension: &str, variant: Option<&str>) -> Result<Vec<String>, String> {
    let tag = variant.map_or(String::new(), |variant| format!(".{variant}"));
    // The number and the count of a shard.
    let numbers = |name: &str| -> Option<(usize, usize)> {
        let middle = name.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')?;
        let middle = middle.strip_prefix(&tag).or_else(|| middle.strip_suffix(&tag))?;
        let (number, count) = middle.strip_prefix('-')?.split_once("-of-")?;
        Some((number.parse().ok()?, count.parse().ok()?))
    };
    let found: Vec<_> = names.iter().filter_map(|name| Some((name, numbers(name)?))).collect();
    let count = found.first().map_or(0, |(_, (_, count))| *count);
    if count == 0 || found.len() != count {
        return Err(format!("{stem}: {} of {count} shards of the {extension} file are there", found.len()));
    }
    Ok(found.into_iter().map(|(name, _)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(extra: &[&str]) -> BTreeSet<String> {
        let base = ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"];
        let configs = ["unet/config.json", "vae/config.json", "text_encoder/config.json"];
        let clutter = ["README.md", "safety_checker/model.safetensors", "unet/flax_model.msgpack", "v1-5-pruned.safetensors"];
        base.iter().chain(&configs).chain(&clutter).chain(extra).map(|name| (*name).to_owned()).collect()
    }

    fn chosen_weights(extra: &[&str]) -> Result<Vec<String>, String> {
        Ok(choose(&names(extra))?.into_iter().skip(7).collect())
    }

    const VAE_AND_TEXT: [&str; 2] = ["text_encoder/model.safetensors", "vae/diffusion_pytorch_model.safetensors"];

    fn unet_of(files: &[&str]) -> Result<Vec<String>, String> {
        Ok(chosen_weights(&[&VAE_AND_TEXT, files].concat())?.into_iter().skip(2).collect())
    }

    #[test]
    fn one_format_of_each_weight_file_and_no_clutter() {
        let all = [
            "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.fp16.bin",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
        ];
        assert_eq!(unet_of(&all).as_deref(), Ok(&["unet/diffusion_pytorch_model.safetensors".to_owned()][..]));
        assert_eq!(unet_of(&all[..3]).as_deref(), Ok(&["unet/diffusion_pytorch_model.bin".to_owned()][..]));
        assert_eq!(unet_of(&all[1..3]).as_deref(), Ok(&["unet/diffusion_pytorch_model.fp16.safetensors".to_owned()][..]));
        let chosen = choose(&names(&[&VAE_AND_TEXT[..], &all].concat())).unwrap_or_default();
        assert_eq!(chosen.first().map(String::as_str), Some(MODEL_INDEX));
        assert_eq!(chosen.len(), 10);
    }

    #[test]
    fn shards_come_with_their_index_and_must_be_complete() {
        let plain = [
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        ];
        assert_eq!(unet_of(&plain).map(|files| files.len()), Ok(3));
        assert!(unet_of(&plain[..2]).is_err_and(|reason| reason.contains("1 of 2 shards")));
        for half in ["-00001-of-00001.fp16", ".fp16-00001-of-00001"] {
            let shard = format!("unet/diffusion_pytorch_model{half}.safetensors");
            let files = ["unet/diffusion_pytorch_model.safetensors.index.fp16.json", &shard];
            assert_eq!(unet_of(&files).map(|files| files.len()), Ok(2), "{half}");
        }
    }

    /// The files of a published Stable Video Diffusion repository.
    fn video_names() -> BTreeSet<String> {
        let small = ["model_index.json", "scheduler/scheduler_config.json", "feature_extractor/preprocessor_config.json"];
        let configs = ["image_encoder/config.json", "unet/config.json", "vae/config.json"];
        let weights = ["image_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"];
        let weights = weights.iter().flat_map(|stem| [format!("{stem}.safetensors"), format!("{stem}.fp16.safetensors")]);
        let clutter = ["README.md", "LICENSE.md", "svd_xt.safetensors", "svd_xt_image_decoder.safetensors"];
        small.iter().chain(&configs).chain(&clutter).map(|name| (*name).to_owned()).chain(weights).collect()
    }

    #[test]
    fn a_video_model_needs_its_image_encoder_and_no_tokenizer() {
        let chosen = choose(&video_names()).unwrap_or_default();
        let expected = [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "vae/config.json",
            "image_encoder/config.json",
            "unet/config.json",
            "feature_extractor/preprocessor_config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "image_encoder/model.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
        ];
        assert_eq!(chosen, expected);
        let halves = video_names().into_iter().filter(|name| !name.ends_with("model.safetensors")).collect();
        let chosen = choose(&halves).unwrap_or_default();
        assert_eq!(chosen.iter().filter(|name| name.ends_with(".fp16.safetensors")).count(), 3);
        let gone = "feature_extractor/preprocessor_config.json";
        let without = video_names().into_iter().filter(|name| name != gone).collect();
        assert!(choose(&without).is_err_and(|reason| reason.contains(gone)));
    }

    #[test]
    fn errors_name_the_missing_file() {
        let without = |gone: &str| {
            let mut names = names(&[&VAE_AND_TEXT[..], &["unet/diffusion_pytorch_model.bin"]].concat());
            names.remove(gone);
            choose(&names).err().unwrap_or_default()
        };
        for gone in ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt"] {
            let name = gone.rsplit('/').next().unwrap_or_default();
            assert!(without(gone).contains(name), "{gone}: {}", without(gone));
        }
        assert!(without("model_index.json").contains("safetensors"), "points at the single file");
        assert!(without("vae/diffusion_pytorch_model.safetensors").contains("vae has no weights"));
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_not_safe() {
        for bad in ["", "/etc/passwd", "../a", "a/../b", "a/..", "a//b", "./a", "a\\..\\b", "C:evil", "a\0b", "a\nb", "unet/"] {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
        for good in ["main", "refs/pr/1", "unet/config.json", "a..b/c", ".gitattributes", "Ünï/code.txt"] {
            assert!(is_safe_path(good), "{good:?}");
        }
    }
}
