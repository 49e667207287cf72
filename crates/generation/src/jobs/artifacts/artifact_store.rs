//! The contract of an artifact store.
//!
//! * A file appears whole or not at all, and is persisted when [`ArtifactStore::put`] returns. `put` over a file of the same name replaces it.
//! * A file is read through an [`ArtifactReader`]; a name from a store never becomes a path elsewhere.
//! * `put` of a [`Content::File`] takes the file away from where it was staged. Repeating such a `put` after it succeeded returns the same
//!   artifact, so that a job whose row could not be written is placed again.
//! * Names are plain ([`is_plain_name`]).

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::reader::ArtifactReader;
use crate::jobs::{error::StoreError, record::Artifact};

/// The longest id and file name.
const LONGEST_NAME: usize = 64;

/// Whether a name is one that a store gives to files and folders: letters, digits, `_`, `-`, and `.` inside.
pub fn is_plain_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_plain) && !name.starts_with('.')
}

/// Refuses names that are not plain.
pub(super) fn check_names(job: &str, name: &str) -> Result<(), StoreError> {
    if is_plain_name(job) && is_plain_name(name) {
        return Ok(());
    }
    let source = io::Error::new(io::ErrorKind::InvalidInput, "no plain name: letters, digits, _, - and . inside, at most 64");
    Err(StoreError::Folder { path: Path::new(job).join(name), source })
}

/// The SHA-256 digest of a file's bytes, as text.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// A digest as text.
pub(super) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is put.
#[derive(Debug)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file in the job's staging folder.
    File(PathBuf),
}

/// Keeps files; the contract stands at the head of this file. Every method fails with [`StoreError`].
#[async_trait]
pub trait ArtifactStore: std::fmt::Debug + Send + Sync {
    /// Puts a file in its place.
    async fn put(&self, job: &str, name: &str, media_type: &str, content: Content<'_>) -> Result<Artifact, StoreError>;

    /// Opens a job's file to be read; `None` if there is no such file, or its name is not plain, or something other than a file is there.
    async fn open(&self, job: &str, name: &str) -> Result<Option<ArtifactReader>, StoreError>;

    /// Removes all files of a job; none is no error.
    async fn remove(&self, job: &str) -> Result<(), StoreError>;

    /// Removes one file of a job; none is no error.
    async fn remove_file(&self, job: &str, name: &str) -> Result<(), StoreError>;

    /// Fails where the next image could not be stored.
    async fn check_room(&self) -> Result<(), StoreError>;

    /// The jobs that have files, by name.
    async fn jobs_with_files(&self) -> Result<Vec<String>, StoreError>;

    /// Removes the files of `known` jobs that are not among `kept`; what belongs to no known job stays, with a warning. Jobs that are open
    /// must be among `kept`: a file may be in place before its job is completed.
    async fn sweep(&self, kept: &HashSet<String>, known: &HashSet<String>) -> Result<(), StoreError>;
}
