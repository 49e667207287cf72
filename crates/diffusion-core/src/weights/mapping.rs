//! The bytes of one weight file: mapped from disk, or compiled into the program.
//!
//! This module does not depend on formats. Invariant: the bytes do not move or change in length while a [`WeightFile`] lives, so that
//! tensors can be described by byte ranges and read later, one at a time, with no copy of the whole file in memory.

use std::{path::PathBuf, sync::Arc};

use memmap2::Mmap;

use crate::{Error, Result, regular_file};

/// One weight file: its path, for messages, and its bytes.
pub(super) struct WeightFile {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
}

impl WeightFile {
    /// Maps a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, [`Error::File`] if it is empty or a Git LFS pointer.
    pub(super) fn map(path: PathBuf) -> Result<Arc<Self>> {
        let io = |source| Error::Io { path: path.clone(), source };
        let file = regular_file::open(&path).map_err(io)?;
        if file.metadata().map_err(io)?.len() == 0 {
            return Err(Error::file(path, "truncated: the file is empty"));
        }
        #[expect(unsafe_code, reason = "there is no safe way to map a file: another process could write to it while it is mapped")]
        // SAFETY: the map is read-only and private to this type, which returns only shared slices of plain bytes, for which every bit
        // pattern is valid. Another process may still truncate or rewrite a model's file while it is being loaded; no program can prevent
        // that, and the documentation of the folder source forbids it.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        if map.starts_with(b"version https://git-lfs") {
            return Err(Error::file(path, "is a Git LFS pointer, not the weights themselves: fetch them with `git lfs pull`"));
        }
        Ok(Arc::new(Self { path, bytes: Bytes::Mapped(map) }))
    }

    /// Bytes that live as long as the program.
    pub(super) fn embedded(path: PathBuf, bytes: &'static [u8]) -> Arc<Self> {
        Arc::new(Self { path, bytes: Bytes::Static(bytes) })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// The file's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Static(bytes) => bytes,
        }
    }
}
