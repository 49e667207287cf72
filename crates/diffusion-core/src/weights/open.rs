//! Opens a model at a path: a diffusers folder or a single-file checkpoint.

use std::path::Path;

use super::{Component, DiffusersFolder, PredictionType, SingleFile, SingleFileOptions, TextEncoderFacts, WeightSource, kinds};
use crate::{Error, Result};

/// Facts about a model that its files do not state; the first two options apply each to only one kind of model and is refused for the other.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The variant of a diffusers folder's weight files, such as "fp16".
    pub variant: Option<String>,
    /// The prediction type of a single-file checkpoint.
    pub prediction_type: Option<PredictionType>,
    /// Whether the autoencoder comes from elsewhere ([`super::OtherVae`]): a single-file checkpoint may then lack one.
    pub has_other_vae: bool,
    /// The text encoder that comes from elsewhere ([`super::OtherTexts`]): the model may then lack its own.
    pub text_encoder: Option<TextEncoderFacts>,
    /// The second text encoder, likewise.
    pub text_encoder_2: Option<TextEncoderFacts>,
}

impl OpenOptions {
    /// The components that come from elsewhere.
    fn other_parts(&self) -> Vec<Component> {
        let parts = [
            (Component::Vae, self.has_other_vae),
            (Component::TextEncoder, self.text_encoder.is_some()),
            (Component::TextEncoder2, self.text_encoder_2.is_some()),
        ];
        parts.into_iter().filter_map(|(component, is_other)| is_other.then_some(component)).collect()
    }
}

/// Opens a diffusers folder, or a single-file checkpoint in safetensors or as a torch archive.
///
/// # Errors
/// [`Error::File`] if the path does not exist or nothing there can be loaded; [`Error::Params`] for an option that does not apply; and
/// those of [`DiffusersFolder::open`] and [`SingleFile::open`].
pub fn open_model(path: &Path, options: &OpenOptions) -> Result<Box<dyn WeightSource>> {
    if path.is_dir() {
        if options.prediction_type.is_some() {
            let reason = "a model folder's scheduler_config.json says it; the option is for single-file checkpoints";
            return Err(Error::Params { field: "prediction_type", reason: reason.into() });
        }
        return Ok(Box::new(DiffusersFolder::open_with(path, options.variant.as_deref(), &options.other_parts())?));
    }
    if !path.exists() {
        return Err(Error::file(path, "does not exist"));
    }
    if options.variant.is_some() {
        let reason = "a single-file checkpoint has no variants; the option is for model folders";
        return Err(Error::Params { field: "variant", reason: reason.into() });
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        // .bin and .pth are rarely complete checkpoints; their contents decide.
        Some("safetensors" | "sft" | "ckpt" | "pt" | "pth" | "bin") => {}
        _ if let Some(is) = path.file_name().and_then(|name| kinds::of_file_name(name.to_str()?)) => {
            return Err(Error::file(path, format!("is {is}; supported are .safetensors and .ckpt checkpoints")));
        }
        _ => return Err(Error::file(path, "is neither a model folder nor a .safetensors or .ckpt checkpoint")),
    }
    let OpenOptions { variant: _, prediction_type, has_other_vae, text_encoder, text_encoder_2 } = *options;
    Ok(Box::new(SingleFile::open(path, SingleFileOptions { prediction_type, has_other_vae, text_encoder, text_encoder_2 })?))
}
