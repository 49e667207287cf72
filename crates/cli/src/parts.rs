//! Parts of a model that lie elsewhere: another autoencoder, other text encoders.
//!
//! It must not know what a part contains. The invariant: a fault of such a part is one of the setting or the flag that names it, not of the
//! model.

use std::path::{Path, PathBuf};

use diffusion_core::{
    Error, Result,
    weights::{self, OpenOptions, OtherText, OtherTexts, OtherVae, TextEncoder, WeightSource},
};

use crate::failure::Usage;

/// Where the parts of a model lie that are not its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The folder or file of an autoencoder.
    pub(crate) vae: Option<PathBuf>,
    /// The folder or file of a text encoder.
    pub(crate) text_encoder: Option<PathBuf>,
    /// The folder or file of Stable Diffusion XL's second text encoder.
    pub(crate) text_encoder_2: Option<PathBuf>,
}

impl Parts {
    fn text_encoders(&self) -> impl Iterator<Item = (TextEncoder, &Path)> {
        let paths = [&self.text_encoder, &self.text_encoder_2];
        TextEncoder::ALL.into_iter().zip(paths).filter_map(|(which, path)| Some((which, path.as_deref()?)))
    }

    /// Checks that there are such parts, as far as their configurations and the names of their tensors tell.
    ///
    /// # Errors
    /// [`Usage`] naming the setting and the path.
    pub(crate) fn check(&self) -> std::result::Result<(), Usage> {
        let refused = |field: &str, error: Error| Usage(format!("{field} {}", error.without_part()));
        if let Some(path) = &self.vae {
            if !path.exists() {
                let path = path.display();
                return Err(Usage(format!("vae {path}: does not exist; use full, tiny, or the folder or file of a VAE")));
            }
            weights::check_vae(path).map_err(|error| refused("vae", error))?;
        }
        for (which, path) in self.text_encoders() {
            weights::check_text_encoder(path, which).map_err(|error| refused(which.field(), error))?;
        }
        Ok(())
    }

    /// Opens the text encoders, which the model's own reader has to know, and adds what it has to know to its options.
    ///
    /// # Errors
    /// [`Error::Params`] of the setting that names what is no text encoder.
    pub(crate) fn open(&self, options: OpenOptions) -> Result<(Vec<OtherText>, OpenOptions)> {
        let mut options = OpenOptions { has_other_vae: self.vae.is_some(), ..options };
        let mut texts = Vec::new();
        for (which, path) in self.text_encoders() {
            let text = OtherText::open(path, which).map_err(|error| of_part(which.field(), error))?;
            let facts = text.facts().map_err(|error| of_part(which.field(), error))?;
            match which {
                TextEncoder::First => options.text_encoder = Some(facts),
                TextEncoder::Second => options.text_encoder_2 = Some(facts),
            }
            texts.push(text);
        }
        Ok((texts, options))
    }

    /// Gives a model these parts; `texts` are those of [`Self::open`].
    ///
    /// # Errors
    /// [`Error::Params`] of the setting that names a part which is none, or none of such a model.
    pub(crate) fn of_model(&self, source: Box<dyn WeightSource>, texts: Vec<OtherText>) -> Result<Box<dyn WeightSource>> {
        let source: Box<dyn WeightSource> = if texts.is_empty() { source } else { Box::new(OtherTexts::new(source, texts)?) };
        match &self.vae {
            None => Ok(source),
            Some(path) => Ok(Box::new(OtherVae::open(source, path).map_err(|error| of_part("vae", error))?)),
        }
    }
}

/// A fault of a part as one of the setting that names it.
fn of_part(field: &'static str, error: Error) -> Error {
    if let Error::Params { .. } = error { error } else { Error::Params { field, reason: error.without_part() } }
}
