//! The crate's error type; every error keeps its source.
//!
//! Each message names what is needed to fix the problem: the file, the tensor or field, the expected and the found value.

use std::path::PathBuf;

use crate::weights::Component;

/// The result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a sink or a monitor, whose type the caller of this crate chooses.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// All errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed: a device fault, or a bug in this crate.
    #[error("tensor operation failed: {0}")]
    Candle(#[source] candle_core::Error),

    /// The device does not have enough memory, even after splitting the work where that is possible.
    #[error("out of memory: {what}")]
    OutOfMemory {
        /// The allocation that failed, if known, and the driver's message.
        what: String,
    },

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
        /// The expected shape, as text because some dimensions may be free.
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
        /// The reason.
        reason: String,
        /// The client's own error, if there is one.
        #[source]
        source: Option<BoxError>,
    },

    /// No device of the requested kind can be used.
    #[error("device {wanted}: {reason}")]
    Device {
        /// The requested device.
        wanted: &'static str,
        /// Why it cannot be used.
        reason: String,
    },

    /// The model's numbers overflowed: its output contains infinities or NaNs, and an image of them would be black.
    #[error("the model produced non-finite numbers in {what}; try --precision f32")]
    NonFinite {
        /// Where they were first found ("the latents of step 3", "the decoded picture").
        what: String,
    },

    /// The caller's sink refused a frame.
    #[error("frame sink: {0}")]
    Sink(#[source] BoxError),

    /// The caller's monitor asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// The only place that converts a driver's error into this crate's.
impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let text = error.to_string();
        // A backtrace may follow the first line, and it may contain any function's name.
        let line = text.lines().next().unwrap_or_default();
        match OUT_OF_MEMORY.iter().any(|word| line.contains(word)) {
            true => Self::OutOfMemory { what: line.to_owned() },
            false => Self::Candle(error),
        }
    }
}

/// Drivers' messages for insufficient memory. candle keeps their errors as text or behind types that a build without their features does
/// not have: CUDA's `DriverError`, cuBLAS's `CublasError`, Metal's failure to create a buffer or to run a command that needs more memory
/// than there is.
const OUT_OF_MEMORY: [&str; 5] = [
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Failed to create metal resource: Buffer",
    "kIOGPUCommandBufferCallbackErrorOutOfMemory",
    "Insufficient Memory",
];

impl Error {
    /// Makes an [`Error::Config`].
    pub fn config(file: impl Into<String>, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { file: file.into(), field: field.into(), reason: reason.into() }
    }

    /// The same error, where it is about a configuration, with another name for its file.
    #[must_use]
    pub(crate) fn in_file(mut self, name: &str) -> Self {
        if let Self::Config { file, .. } = &mut self {
            name.clone_into(file);
        }
        self
    }

    /// The call's parameter to change, if this error is the refusal of a request and not a failure: "scheduler" for a model's own scheduler
    /// file, "model" for its other files.
    pub fn refused_parameter(&self) -> Option<&str> {
        match self {
            Self::Params { field, .. } => Some(field),
            Self::Config { file, .. } => Some(if file.starts_with("scheduler/") { "scheduler" } else { "model" }),
            Self::Candle(_)
            | Self::OutOfMemory { .. }
            | Self::Weights { .. }
            | Self::File { .. }
            | Self::Tokenizer(_)
            | Self::Shape { .. }
            | Self::Io { .. }
            | Self::Hub { .. }
            | Self::Device { .. }
            | Self::NonFinite { .. }
            | Self::Sink(_)
            | Self::Cancelled => None,
        }
    }

    /// The message without the name of the model's part, for a reader who knows the part.
    pub fn without_part(&self) -> String {
        if let Self::Weights { file, tensor, reason, .. } = self {
            return format!("{}: tensor {tensor}: {reason}", file.display());
        }
        self.to_string()
    }

    /// Makes an [`Error::File`].
    pub fn file(file: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::File { file: file.into(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_memory_messages_of_drivers_are_recognised() {
        use candle_core::Error as Candle;
        let driver = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let short = [
            Candle::Cuda(driver.into()),
            Candle::Cuda("CublasError(CUBLAS_STATUS_ALLOC_FAILED)".into()),
            Candle::Msg("Metal error Failed to create metal resource: Buffer".into()),
            Candle::wrap("Command buffer had following error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"),
            Candle::WithBacktrace {
                inner: Box::new(Candle::Cuda(driver.into())),
                backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
            },
        ];
        for error in short {
            let text = error.to_string();
            assert!(matches!(Error::from(error), Error::OutOfMemory { what } if text.starts_with(&what) && !what.contains('\n')), "{text}");
        }
        let other = [
            Candle::Cuda("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")".into()),
            Candle::Msg("shape mismatch\n  at CUDA_ERROR_OUT_OF_MEMORY".into()),
        ];
        for error in other {
            assert!(matches!(Error::from(error), Error::Candle(_)));
        }
    }
}
