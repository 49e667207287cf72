//! Why jobs cannot be stored or read, and why a job is refused.

use std::{path::PathBuf, time::Duration};

use super::{
    DiskFault,
    spend::{NoPrice, OverBudget},
};
use crate::{artifact::ArtifactError, backend::Refusal};

/// The job store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database reported an error.
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
    /// The database cannot be migrated to this version.
    #[error("job store: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// A newer version has written the database.
    #[error(
        "{path} was written by a newer framewright; start that version, or choose another folder with --data-dir (nothing was changed)",
        path = path.display()
    )]
    Newer {
        /// Its file.
        path: PathBuf,
    },
    /// The file is not a database, or a part of it cannot be read.
    #[error(
        "{path} is damaged: {reason} (nothing was changed); put a backup of it in its place, or the one that `sqlite3 {path} .recover | sqlite3 new.sqlite` makes, \
         or choose another folder with --data-dir",
        path = path.display()
    )]
    Damaged {
        /// Its file.
        path: PathBuf,
        /// SQLite's reason.
        reason: String,
    },
    /// The store has no jobs, but files of jobs lie beside it.
    #[error(
        "{path} has no jobs, but {folders} have files of {count} jobs (such as {first}), which would be removed (nothing was changed); \
         put a backup of that file in its place, or move those folders away, or choose another folder with --data-dir",
        path = path.display()
    )]
    Emptied {
        /// The store's file.
        path: PathBuf,
        /// The folders with those files.
        folders: String,
        /// The number of jobs with files or journals.
        count: usize,
        /// One of them.
        first: String,
    },
    /// The database is no longer where it was opened, so writes to it would be lost.
    #[error("{path} is gone, or another file lies in its place; put the folder back as it was, or start the server again", path = path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// A stored part of a job cannot be read.
    #[error("job store: {what} of job {job}: {reason}")]
    Corrupt {
        /// The job's id.
        job: String,
        /// The part.
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
    /// Finished jobs wait to be stored, and more of them would fill the memory.
    #[error("{count} finished jobs wait to be stored: {fault}")]
    TooManyUnstored {
        /// The number of finished jobs.
        count: usize,
        /// Why one of them waits.
        fault: DiskFault,
    },
    /// A file could not be put in place.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// There is no folder for jobs: this program accepts held jobs only.
    #[error("jobs cannot be stored: there is no data folder")]
    NoFolder,
    /// The program is shutting down.
    #[error("The server is shutting down")]
    ShuttingDown,
}

impl StoreError {
    /// What is wrong with the disk or the database, in words for any caller.
    pub fn fault(&self) -> DiskFault {
        match self {
            Self::Gone { .. } => DiskFault::Gone,
            Self::TooManyUnstored { fault, .. } => *fault,
            Self::Damaged { .. } | Self::Emptied { .. } | Self::Corrupt { .. } => DiskFault::Damaged,
            Self::Database(_)
            | Self::Unusable { .. }
            | Self::Migration(_)
            | Self::Newer { .. }
            | Self::Folder { .. }
            | Self::InUse { .. }
            | Self::Artifact(_)
            | Self::NoFolder
            | Self::ShuttingDown => DiskFault::of(self).unwrap_or(DiskFault::Failing),
        }
    }
}

/// Why a job is refused.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Every place is taken.
    #[error("the queue is full ({places} places); try again in about {} s", retry_after.as_secs())]
    QueueFull {
        /// The queue's capacity, running jobs included.
        places: usize,
        /// When a place is likely to be free, estimated from recent jobs.
        retry_after: Duration,
    },
    /// The owner has as many unfinished jobs as permitted.
    #[error("you have {waiting} jobs waiting or running, and may have {limit}; wait for one to end, or cancel one")]
    TooManyWaiting {
        /// The owner's waiting and running jobs.
        waiting: usize,
        /// The maximum.
        limit: usize,
    },
    /// No backend accepts the work.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The program is shutting down.
    #[error("The server is shutting down")]
    ShuttingDown,
    /// The idempotency key was used with another request.
    #[error("Idempotency-Key {key:?} was used before with another request")]
    IdempotencyConflict {
        /// The key.
        key: String,
    },
    /// There is a job with this id.
    #[error("there is a job {0} already")]
    IdTaken(String),
    /// An id may have letters, digits, `_` and `-` only.
    #[error("{0:?} cannot be a job's id")]
    BadId(String),
    /// The price exceeds what is left of a monthly budget, the provider's or the owner's.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// The provider has a budget, but the model has no price.
    #[error(transparent)]
    NoPrice(#[from] NoPrice),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
