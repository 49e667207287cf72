//! Faults of a model's parts from elsewhere, as faults of the settings that name them.
//!
//! It must not know how a part is read. The invariant: a fault of the model's own files keeps its place.

use std::path::{Path, PathBuf};

use diffusion_core::{
    Error,
    weights::{Component, VaeChoice, WeightSource},
};

/// A fault in the files of a part from elsewhere (an autoencoder, a text encoder) as one of the setting that names it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive, and the rest is not about files")]
pub(super) fn of_other_part(error: Error, source: &dyn WeightSource) -> Error {
    let vae = source.other_vae().map(|(choice, _)| match choice {
        VaeChoice::Full => ("vae", Component::Vae),
        VaeChoice::Tiny => ("vae", Component::TinyVae),
    });
    let texts = source.other_text_encoders().into_iter().map(|(which, _)| (which.field(), which.component()));
    let file = match &error {
        Error::Config { file, .. } => Path::new(file),
        Error::File { file, .. } | Error::Weights { file, .. } | Error::Io { path: file, .. } => file.as_path(),
        _ => return error,
    };
    let is_at_fault = |(_, component): &(&str, Component)| {
        let config = PathBuf::from(source.config_name(*component));
        // A file is its own configuration; a folder has one beside its weights.
        file == config || (config.ends_with(component.config_file()) && file.parent() == config.parent())
    };
    match vae.into_iter().chain(texts).find(is_at_fault) {
        Some((field, _)) => Error::Params { field, reason: error.without_part() },
        None => error,
    }
}
