//! Why jobs cannot be stored or read, and why one is not taken.

use std::{path::PathBuf, time::Duration};

use super::{
    DiskFault,
    spend::{NoPrice, OverBudget},
};
use crate::{artifact::ArtifactError, backend::Refusal};

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
    /// The database cannot be brought to this version.
    #[error("job store: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// A later version has written the database.
    #[error(
        "{path} was written by a newer framewright; start that version, or choose another folder with --data-dir (nothing was changed)",
        path = path.display()
    )]
    Newer {
        /// Its file.
        path: PathBuf,
    },
    /// The file is no database, or a part of it cannot be read.
    #[error(
        "{path} is damaged: {reason} (nothing was changed); put a backup of it in its place, or the one that `sqlite3 {path} .recover | sqlite3 new.sqlite` makes, \
         or choose another folder with --data-dir",
        path = path.display()
    )]
    Damaged {
        /// Its file.
        path: PathBuf,
        /// What SQLite says of it.
        reason: String,
    },
    /// The store knows no job, and what jobs made lies beside it.
    #[error(
        "{path} knows no jobs, and beside it {folders} hold what {count} jobs made (such as {first}), which would be removed (nothing was \
         changed); put a backup of that file in its place, or move those folders away, or choose another folder with --data-dir",
        path = path.display()
    )]
    Emptied {
        /// The store's file.
        path: PathBuf,
        /// Where the jobs' things lie.
        folders: String,
        /// How many there are.
        count: usize,
        /// One of them.
        first: String,
    },
    /// The database is no longer where it was opened, so what is written to it would be lost.
    #[error("{path} is gone, or another file lies in its place; put the folder back as it was, or start the server again", path = path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
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
    /// Jobs that are made wait to be stored, and more of them would fill the memory.
    #[error("{count} finished jobs wait to be stored: {fault}")]
    Crowded {
        /// How many there are.
        count: usize,
        /// Why one of them waits.
        fault: DiskFault,
    },
    /// A file could not be put in place.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// There is no folder for jobs: this program only takes jobs that are waited for.
    #[error("jobs cannot be stored: there is no data folder")]
    NoFolder,
    /// The program goes down.
    #[error("The server is shutting down")]
    ShuttingDown,
}

impl StoreError {
    /// What is wrong with the disk or the database, in words for anybody.
    pub fn fault(&self) -> DiskFault {
        match self {
            Self::Gone { .. } => DiskFault::Gone,
            Self::Crowded { fault, .. } => *fault,
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

/// Why a job is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Every place is taken.
    #[error("the queue is full ({places} places); try again in about {} s", retry_after.as_secs())]
    QueueFull {
        /// How many jobs are taken at once, the running ones included.
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
    /// No backend takes the work.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The program is going down.
    #[error("The server is shutting down")]
    ShuttingDown,
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
    /// A month's budget for a provider, or for the owner, has no room for it.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// There is a budget for the provider, and no price for the model.
    #[error(transparent)]
    NoPrice(#[from] NoPrice),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
