//! Files that appear whole or not at all: staged beside their target, then renamed over it.
//!
//! The invariant: a reader of the target sees the old content or the new one, never a part; a failed write leaves no staged file behind.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A file could not be put in place; whatever stood there before still does.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct ArtifactError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

/// Puts a file in place, making its folder if need be and replacing what stood there.
///
/// # Errors
/// [`ArtifactError`] with the path and the operating system's reason.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    stage_and_rename(path, bytes, true).map_err(|source| ArtifactError { path: path.to_owned(), source })
}

/// The same without waiting for the disk: the end of the program finds the file whole or not at all, but a power cut may leave a torn one.
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    stage_and_rename(path, bytes, false).map_err(|source| ArtifactError { path: path.to_owned(), source })
}

fn stage_and_rename(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    // The same folder is the same file system, so that the rename cannot turn into a copy.
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
