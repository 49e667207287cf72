//! Resolves a model name and opens the model: embedded, a folder, a single-file checkpoint, or from a hub.
//!
//! It knows how models are named, not what they contain. The invariant: nothing is fetched unless the name is a hub id.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use diffusion_core::{
    hub::Check,
    pipelines,
    weights::{Component, OpenOptions, PredictionType, TensorSource, VaeChoice, WeightSource, open_model},
};

use crate::{failure::Usage, hub, parts::Parts, settings::HubSettings};

/// Names of the embedded models: the image model, and the motion model.
pub(crate) const EMBEDDED: &str = "nano-sd";
pub(crate) const EMBEDDED_MOTION: &str = "nano-svd";

/// The model that a name resolves to, and its prediction type if the user gave one.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    choice: ModelChoice,
    prediction_type: Option<PredictionType>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ModelChoice {
    /// The embedded image model.
    Embedded,
    /// The embedded motion model.
    EmbeddedMotion,
    /// A folder or a file.
    Path(PathBuf),
    /// A model from a hub.
    Hub(HubId),
}

/// A hub id: `owner/name` or `owner/name@revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HubId {
    /// `owner/name`.
    pub(crate) repo: String,
    /// A branch, a tag or a commit; `None` is the main branch.
    pub(crate) revision: Option<String>,
}

impl Model {
    /// Parses a model's name, and the prediction type of a single-file checkpoint ("epsilon" or "v_prediction").
    ///
    /// # Errors
    /// [`Usage`] if the name is invalid, or a prediction type is given for a model that declares its own.
    pub(crate) fn parse(name: &str, prediction_type: Option<&str>) -> Result<Self, Usage> {
        let choice = ModelChoice::parse(name)?;
        let prediction_type = match prediction_type {
            None => None,
            Some("epsilon") => Some(PredictionType::Epsilon),
            Some("v_prediction") => Some(PredictionType::VPrediction),
            Some(other) => return Err(Usage(format!("--prediction-type {other}: is neither epsilon nor v_prediction"))),
        };
        let is_file = matches!(&choice, ModelChoice::Path(path) if path.is_file());
        if prediction_type.is_some() && !is_file {
            return Err(Usage(format!("--prediction-type: {name} says itself what it predicts; the flag is for single-file checkpoints")));
        }
        Ok(Self { choice, prediction_type })
    }

    /// Opens the model, fetching it first if it comes from a hub.
    ///
    /// # Errors
    /// If it cannot be fetched, or is not a loadable model.
    pub(crate) fn open(&self, settings: &HubSettings) -> diffusion_core::Result<Box<dyn WeightSource>> {
        self.open_with(&Parts::default(), settings)
    }

    fn open_as(&self, options: &OpenOptions, settings: &HubSettings) -> diffusion_core::Result<Box<dyn WeightSource>> {
        match &self.choice {
            ModelChoice::Embedded => Ok(Box::new(pipelines::nano_sd())),
            ModelChoice::EmbeddedMotion => Ok(Box::new(pipelines::nano_svd())),
            ModelChoice::Path(path) => match hub::cure_of_folder(path, settings) {
                None => open_model(path, options),
                Some(cure) => Ok(Box::new(Cached::open(path, options, None, cure)?)),
            },
            ModelChoice::Hub(id) => {
                let folder = hub::fetch(id, settings, Check::Length)?.folder;
                Ok(Box::new(Cached::open(&folder, options, Some(id.to_string()), hub::cure(id))?))
            }
        }
    }

    /// As [`Self::open`], with these parts from elsewhere.
    ///
    /// # Errors
    /// As [`Self::open`], and for a part that is none, or does not belong to such a model.
    pub(crate) fn open_with(&self, parts: &Parts, settings: &HubSettings) -> diffusion_core::Result<Box<dyn WeightSource>> {
        let options = OpenOptions { prediction_type: self.prediction_type, ..OpenOptions::default() };
        let (texts, options) = parts.open(options)?;
        parts.of_model(self.open_as(&options, settings)?, texts)
    }

    /// Adds to an error about one of the model's files how to repair a damaged download, if the model comes from a hub.
    pub(crate) fn explain(&self, error: diffusion_core::Error, settings: &HubSettings) -> diffusion_core::Error {
        let cure = match &self.choice {
            ModelChoice::Hub(id) => Some(hub::cure(id)),
            ModelChoice::Path(path) => hub::cure_of_folder(path, settings),
            ModelChoice::Embedded | ModelChoice::EmbeddedMotion => None,
        };
        match cure {
            Some(cure) if matches!(error, diffusion_core::Error::Tokenizer(_)) => hub::with_cure(error, &cure),
            _ => error,
        }
    }
}

impl ModelChoice {
    /// Parses a name: an existing path takes precedence over a hub id of the same name.
    fn parse(name: &str) -> Result<Self, Usage> {
        if name == EMBEDDED {
            return Ok(Self::Embedded);
        }
        if name == EMBEDDED_MOTION {
            return Ok(Self::EmbeddedMotion);
        }
        let path = Path::new(name);
        if !name.is_empty() && path.exists() {
            return Ok(Self::Path(path.to_owned()));
        }
        let is_path = name.starts_with(['.', '/', '~']) || name.contains('\\') || path.extension().is_some_and(is_checkpoint);
        if is_path {
            return Err(Usage(format!("model {name:?}: does not exist")));
        }
        HubId::parse(name).map(Self::Hub).ok_or_else(|| {
            Usage(format!(
                "model {name:?} is no folder or file that exists, no hub id (owner/name), no name of [[models]] in the settings, and neither \
                 {EMBEDDED} nor {EMBEDDED_MOTION}"
            ))
        })
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            None => f.write_str(&self.repo),
            Some(revision) => write!(f, "{}@{revision}", self.repo),
        }
    }
}

/// A model in a hub's cache: it keeps the name that the user gave, since its folder's path says less, and its errors name the command that
/// repairs a damaged file.
struct Cached {
    name: Option<String>,
    cure: String,
    source: Box<dyn WeightSource>,
}

impl Cached {
    fn open(folder: &Path, options: &OpenOptions, name: Option<String>, cure: String) -> diffusion_core::Result<Self> {
        let source = open_model(folder, options).map_err(|error| hub::with_cure(error, &cure))?;
        Ok(Self { name, cure, source })
    }

    fn explained<T>(&self, result: diffusion_core::Result<T>) -> diffusion_core::Result<T> {
        result.map_err(|error| hub::with_cure(error, &self.cure))
    }
}

impl WeightSource for Cached {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.source.name())
    }

    fn config(&self, component: Component) -> diffusion_core::Result<serde_json::Value> {
        self.explained(self.source.config(component))
    }

    fn file(&self, component: Component, file_name: &str) -> diffusion_core::Result<Option<Vec<u8>>> {
        self.explained(self.source.file(component, file_name))
    }

    fn tensors(&self, component: Component) -> diffusion_core::Result<Arc<dyn TensorSource>> {
        self.explained(self.source.tensors(component))
    }

    fn vaes(&self) -> Vec<VaeChoice> {
        self.source.vaes()
    }

    fn remarks(&self) -> Vec<String> {
        self.source.remarks()
    }

    fn unknown_tensors(&self) -> Vec<String> {
        self.source.unknown_tensors()
    }
}

impl HubId {
    /// Parses `owner/name` or `owner/name@revision`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (repo, revision) = match text.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (text, None),
        };
        let (owner, name) = repo.split_once('/')?;
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        // A revision may contain slashes (`refs/pr/1`), but must not escape the cache's folders.
        let good_revision = revision.is_none_or(|revision| revision.split('/').all(is_word));
        (is_word(owner) && is_word(name) && good_revision).then(|| Self { repo: repo.to_owned(), revision: revision.map(str::to_owned) })
    }
}

fn is_checkpoint(extension: &std::ffi::OsStr) -> bool {
    ["safetensors", "sft", "ckpt", "pt", "pth", "bin", "gguf"].iter().any(|known| extension == *known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_to_the_right_source() {
        let hub = |repo: &str, revision: Option<&str>| ModelChoice::Hub(HubId { repo: repo.into(), revision: revision.map(str::to_owned) });
        let table = [
            ("nano-sd", Some(ModelChoice::Embedded)),
            ("nano-svd", Some(ModelChoice::EmbeddedMotion)),
            ("segmind/tiny-sd", Some(hub("segmind/tiny-sd", None))),
            ("segmind/tiny-sd@refs/pr/1", Some(hub("segmind/tiny-sd", Some("refs/pr/1")))),
            ("src", Some(ModelChoice::Path("src".into()))),
            ("", None),
            ("tiny-sd", None),
            ("a/b/c", None),
            ("a/..", None),
            ("a/b@../c", None),
            ("./absent", None),
            ("/absent/folder", None),
            ("models/absent.safetensors", None),
            ("models\\absent", None),
        ];
        for (name, expected) in table {
            assert_eq!(ModelChoice::parse(name).ok(), expected, "{name:?}");
        }
    }
}
