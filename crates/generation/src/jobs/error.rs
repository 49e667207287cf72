//! Why jobs cannot be stored or read, and why one is not taken.

use std::path::PathBuf;

use crate::error::{ArtifactError, SubmitError};

/// The store of jobs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses.
    #[error("job store: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database cannot be opened.
    #[error("job store {path}: {source}", path = path.display())]
    Unusable {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The database is of another version, or cannot be brought to this one.
    #[error("job store: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// What was stored of a job cannot be read.
    #[error("job store: {what} of job {job}: {reason}")]
    Corrupt {
        /// The job's id.
        job: String,
        /// Which part of it.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The folder for jobs cannot be used.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Another program has the folder.
    #[error("{path} is in use by another framewright; stop that, or choose another folder with --data-dir", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be put in place.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The program goes down.
    #[error("the engine is shutting down")]
    ShuttingDown,
}

/// Why a job is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitJobError {
    /// The engine does not take it now.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The same name was given to another request.
    #[error("Idempotency-Key {key:?} was used before with another request")]
    IdempotencyConflict {
        /// The name.
        key: String,
    },
    /// There is a job of that id.
    #[error("there is a job {0} already")]
    IdTaken(String),
    /// Letters, digits, `_` and `-` only.
    #[error("{0:?} cannot be a job's id")]
    BadId(String),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
