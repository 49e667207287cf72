//! Fields in a model's configuration files that its classes do not know: a remark or an error, as the operator chooses.
//!
//! It does not know what the fields mean. The invariant: one line per model, which names all unknown fields, file by file.

use std::str::FromStr;

use diffusion_core::{Error, Result, pipelines, pipelines::IgnoredFields, weights::WeightSource};

use crate::output;

/// How unknown configuration fields are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    /// Ignore them, and name them in a remark.
    #[default]
    Warn,
    /// Refuse the model.
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
    /// Checks the configuration files of a model that is about to be loaded.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first unknown field, if such models are refused.
    pub(crate) fn judge(self, source: &dyn WeightSource) -> Result<()> {
        self.check_fields(&source.name(), &pipelines::ignored_fields(source))
    }

    /// The same for a model whose unknown fields the caller has found.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub(crate) fn check_fields(self, model: &str, ignored: &[IgnoredFields]) -> Result<()> {
        if let Some(error) = self.refusal(ignored) {
            return Err(error);
        }
        if !ignored.is_empty() {
            let files: Vec<_> = ignored.iter().map(ToString::to_string).collect();
            output::remark(format_args!("warning: {model}: unknown fields are ignored: {}", files.join("; ")));
        }
        Ok(())
    }

    /// The error for a model with these unknown fields; `None` if it is accepted.
    pub(crate) fn refusal(self, ignored: &[IgnoredFields]) -> Option<Error> {
        let (file, field) = ignored.iter().find_map(|file| Some((file, file.fields.first()?))).filter(|_| self == Self::Refuse)?;
        let reason = "unknown field, and model.unknown_fields is \"refuse\"; \"warn\" ignores it".into();
        Some(Error::Config { file: file.file.clone(), field: field.escape_debug().to_string(), reason })
    }
}
