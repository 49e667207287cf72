//! Files that appear complete or not at all: staged beside their target, then renamed over it.
//!
//! Invariant: a reader of the target sees the old content or the new one, never a part; a failed write leaves no staged file behind.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// A file could not be put in place; the previous content, if any, is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct ArtifactError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

/// Writes a file, creating its folder if needed and replacing an existing file.
///
/// # Errors
/// [`ArtifactError`] with the path and the operating system's reason.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    stage_and_rename(path, bytes, true).map_err(|source| ArtifactError { path: path.to_owned(), source })
}

/// The same without a sync: after a crash of the program the file is complete or absent, but a power loss may leave a torn one.
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    stage_and_rename(path, bytes, false).map_err(|source| ArtifactError { path: path.to_owned(), source })
}

/// The SHA-256 digest of the bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// A digest in hexadecimal.
pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stage_and_rename(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    // The same folder is on the same file system, so the rename cannot turn into a copy.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut staged = video_encode::staged_in(folder)?;
    staged.write_all(bytes)?;
    if sync {
        staged.as_file().sync_all()?;
    }
    staged.persist(path).map_err(|error| error.error)?;
    Ok(())
}
