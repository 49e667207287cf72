//! Fields in a model's configuration files that its classes do not know: a remark, or a refusal, as the operator wants.
//!
//! It knows nothing of what the fields say. The invariant: one line for each model, which names all of them, file by file.

use std::str::FromStr;

use diffusion_core::{Error, Result, pipelines, pipelines::IgnoredFields, weights::WeightSource};

use crate::output;

/// What becomes of fields that a model's classes do not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    /// They are ignored, and named in a remark.
    #[default]
    Warn,
    /// The model is refused.
    Refuse,
}

impl FromStr for UnknownFields {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "warn" => Ok(Self::Warn),
            "refuse" => Ok(Self::Refuse),
            other => Err(format!("{other:?} is none of warn, refuse")),
        }
    }
}

impl UnknownFields {
    /// Looks through the configurations of a model that is about to be loaded.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first unknown field, if such a model is to be refused.
    pub(crate) fn judge(self, source: &dyn WeightSource) -> Result<()> {
        self.judge_fields(&source.name(), &pipelines::ignored_fields(source))
    }

    /// The same of a model of this name whose unknown fields the caller has found.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub(crate) fn judge_fields(self, model: &str, ignored: &[IgnoredFields]) -> Result<()> {
        if let Some(error) = self.refusal(ignored) {
            return Err(error);
        }
        if !ignored.is_empty() {
            let files: Vec<_> = ignored.iter().map(ToString::to_string).collect();
            output::remark(format_args!("warning: {model}: unknown fields are ignored: {}", files.join("; ")));
        }
        Ok(())
    }

    /// Why a model that has these is not loaded; `None` if it is.
    pub(crate) fn refusal(self, ignored: &[IgnoredFields]) -> Option<Error> {
        let (file, field) = ignored.iter().find_map(|file| Some((file, file.fields.first()?))).filter(|_| self == Self::Refuse)?;
        let reason = "unknown field, and model.unknown_fields is \"refuse\"; \"warn\" ignores it".into();
        Some(Error::Config { file: file.file.clone(), field: field.escape_debug().to_string(), reason })
    }
}
