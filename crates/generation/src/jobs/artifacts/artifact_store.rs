//! The contract of an artifact store.
//!
//! * A file appears complete or not at all, and is persisted when [`ArtifactStore::put`] returns. `put` replaces a file of the same name.
//! * A file is read through an [`ArtifactReader`]; a name from a store never becomes a path elsewhere.
//! * `put` of a [`Content::File`] moves the file out of its staging folder. A repeated `put` after a successful one returns the same
//!   artifact, so that a job whose row could not be written can be placed again.
//! * Names are plain ([`is_plain_name`]).

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::reader::ArtifactReader;
use crate::jobs::{error::StoreError, record::Artifact};

/// The maximum length of an id or a file name.
const MAX_NAME_LENGTH: usize = 64;

/// Whether a store may give this name to a file or folder: letters, digits, `_`, `-`, and `.` except at the start.
pub fn is_plain_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= MAX_NAME_LENGTH && name.bytes().all(is_plain) && !name.starts_with('.')
}

/// Refuses names that are not plain.
pub(super) fn check_names(job: &str, name: &str) -> Result<(), StoreError> {
    if is_plain_name(job) && is_plain_name(name) {
        return Ok(());
    }
    let source =
        io::Error::new(io::ErrorKind::InvalidInput, "not a plain name: use at most 64 letters, digits, _, - and, except at the start, .");
    Err(StoreError::Folder { path: Path::new(job).join(name), source })
}

/// The content to put.
#[derive(Debug)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file in the job's staging folder.
    File(PathBuf),
}

/// Keeps files; the module documentation has the contract. Every method fails with [`StoreError`].
#[async_trait]
pub trait ArtifactStore: std::fmt::Debug + Send + Sync {
    /// Puts a file in place.
    async fn put(&self, job: &str, name: &str, media_type: &str, content: Content<'_>) -> Result<Artifact, StoreError>;

    /// Opens a job's file for reading; `None` if there is no such file, its name is not plain, or it is not a regular file.
    async fn open(&self, job: &str, name: &str) -> Result<Option<ArtifactReader>, StoreError>;

    /// Removes all files of a job; no error if there are none.
    async fn remove(&self, job: &str) -> Result<(), StoreError>;

    /// Removes one file of a job; no error if it is not there.
    async fn remove_file(&self, job: &str, name: &str) -> Result<(), StoreError>;

    /// Fails if another image could not be stored now.
    async fn check_room(&self) -> Result<(), StoreError>;

    /// The jobs that have files, by name.
    async fn jobs_with_files(&self) -> Result<Vec<String>, StoreError>;

    /// Removes the files of `known` jobs that are not among `kept`; files of unknown jobs stay, with a warning. Unfinished jobs must be
    /// among `kept`: a file may be in place before its job is completed.
    async fn sweep(&self, kept: &HashSet<String>, known: &HashSet<String>) -> Result<(), StoreError>;
}
