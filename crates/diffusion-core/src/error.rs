//! Everything that can go wrong in this crate, with its source kept.
//!
//! Each message names what a person needs to mend it: the file, the tensor or field, what was expected and what was found.

use std::path::PathBuf;

use crate::weights::Component;

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error whose type the caller of this crate chose, from a sink or a monitor of theirs.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed: out of memory, a device fault, or a fault of ours.
    #[error("tensor operation failed: {0}")]
    Candle(#[from] candle_core::Error),

    /// A weight file lacks a tensor, holds it in another shape, or cannot be read as what it claims to be.
    #[error("{component}: {file}: tensor {tensor}: {reason}", file = file.display())]
    Weights {
        /// The model part that was being loaded.
        component: Component,
        /// The file that should hold the tensor.
        file: PathBuf,
        /// The tensor's full name in that file.
        tensor: String,
        /// What is wrong with it; for shapes "expected [..], found [..]".
        reason: String,
    },

    /// A weight file as a whole cannot be used: absent, truncated, of an unknown format, or a pickle outside the allowed language.
    #[error("{file}: {reason}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A field of a model's own configuration is missing, malformed, or has a value that this crate does not implement.
    #[error("{file}: field {field}: {reason}")]
    Config {
        /// The configuration file, relative to the model ("unet/config.json").
        file: String,
        /// The field's name.
        field: String,
        /// What is wrong: "unsupported value ..", "missing", ..
        reason: String,
    },

    /// The tokenizer's files cannot be used, or a text cannot be encoded.
    #[error("tokenizer: {0}")]
    Tokenizer(String),

    /// A tensor handed in by the caller has the wrong shape.
    #[error("{what}: expected shape {expected}, found {found:?}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// The expected shape, as text, for some dimensions may be free.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },

    /// A parameter of a call is outside its range.
    #[error("{field}: {reason}")]
    Params {
        /// The parameter's name as in the `..Params` struct.
        field: &'static str,
        /// Its value and the limit that it breaks.
        reason: String,
    },

    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// A model could not be fetched from the hub.
    #[error("hub: {repo}: {reason}")]
    Hub {
        /// The repository's id.
        repo: String,
        /// Why.
        reason: String,
        /// The client's own error, where there is one.
        #[source]
        source: Option<BoxError>,
    },

    /// No device of the wanted kind can be used.
    #[error("device {wanted}: {reason}")]
    Device {
        /// The device that was asked for.
        wanted: &'static str,
        /// Why it cannot be used.
        reason: String,
    },

    /// The model's numbers overflowed: its output holds infinities or NaNs, and a picture of them would be black.
    #[error("the model produced non-finite numbers in {what}; try --precision f32")]
    NonFinite {
        /// Where they were seen first ("the latents of step 3", "the decoded picture").
        what: String,
    },

    /// The caller's sink refused a frame.
    #[error("frame sink: {0}")]
    Sink(#[source] BoxError),

    /// The caller's monitor asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Config`] from anything that prints.
    pub fn config(file: impl Into<String>, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { file: file.into(), field: field.into(), reason: reason.into() }
    }

    /// An [`Error::File`] from anything that prints.
    pub fn file(file: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::File { file: file.into(), reason: reason.into() }
    }
}
