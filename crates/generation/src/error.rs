//! Why a job is not taken, and why a taken job has no pictures.

use std::{path::PathBuf, time::Duration};

/// Why the engine does not take a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Every place is taken.
    #[error("the queue is full ({places} places); try again in about {} s", retry_after.as_secs())]
    QueueFull {
        /// How many jobs the engine holds at most, the running one included.
        places: usize,
        /// When a place is likely to be free, from the recent jobs' times.
        retry_after: Duration,
    },
    /// The owner has as many jobs here as they may.
    #[error("you have {waiting} jobs waiting or running, and may have {limit}; wait for one to end, or cancel one")]
    TooManyWaiting {
        /// Those that wait or run.
        waiting: usize,
        /// The most.
        limit: usize,
    },
    /// There is not enough memory for it, whenever it came.
    #[error(transparent)]
    TooLarge(#[from] crate::TooLarge),
    /// The model is still being loaded.
    #[error("Model not loaded yet")]
    Loading,
    /// The model could not be loaded, or its device is lost.
    #[error("the model cannot be used: {0}")]
    Failed(String),
    /// The engine is going down.
    #[error("the engine is shutting down")]
    ShuttingDown,
}

/// Why a job has no pictures.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// The job was cancelled, by its caller or by the engine going down.
    #[error("cancelled")]
    Cancelled,
    /// The model could not make the picture.
    #[error(transparent)]
    Model(#[from] diffusion_core::Error),
    /// The picture could not be written as PNG.
    #[error("PNG: {0}")]
    Encode(#[from] png::EncodingError),
    /// The video could not be written; no file is left of it.
    #[error(transparent)]
    Video(#[from] video_encode::Error),
    /// What was stored of the job cannot be read, or its folder not be used.
    #[error(transparent)]
    Store(#[from] crate::jobs::StoreError),
    /// A fault of ours: the job panicked. The engine goes on with the next job.
    #[error("internal error: {0}")]
    Internal(String),
}

impl GenerationError {
    /// Where the model does not take what was asked for: the field of the request, and the reason in one line.
    pub fn refusal(&self) -> Option<(&str, String)> {
        let Self::Model(error) = self else { return None };
        let reason = if let diffusion_core::Error::Params { reason, .. } = error { reason.clone() } else { error.to_string() };
        Some((error.refused_parameter()?, reason.lines().next().unwrap_or_default().to_owned()))
    }
}

/// A file could not be put in place; whatever stood there before still does.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct ArtifactError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: std::io::Error,
}
