//! An open file of a job, for reading all or part of it.
//!
//! It must not know where the file is kept. Invariant: all bytes come from the file that was opened, even if it was replaced or removed
//! since; a read that returns fewer bytes than requested, other than at the end of the file, is an error.

use std::{fs::File, io, sync::Arc};

/// An open file.
#[derive(Clone, Debug)]
pub struct ArtifactReader {
    bytes: u64,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

impl ArtifactReader {
    /// Reads a file on disk.
    ///
    /// # Errors
    /// The operating system's error, if the length cannot be read.
    pub fn file(file: File) -> io::Result<Self> {
        Ok(Self { bytes: file.metadata()?.len(), source: Source::File(Arc::new(file)) })
    }

    /// Reads bytes that are no file of a store.
    pub fn bytes_of(bytes: Vec<u8>) -> Self {
        Self::memory(bytes.into())
    }

    /// Reads a file in memory.
    pub(super) fn memory(bytes: Arc<[u8]>) -> Self {
        Self { bytes: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    /// The file's length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads `limit` bytes from an offset, fewer only at the end of the file. To stream a range, call it with a chunk's length until the
    /// range is read.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if the offset is beyond the end; [`io::ErrorKind::UnexpectedEof`] if the file was truncated; the
    /// operating system's errors.
    pub async fn read_at(&self, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let Some(left) = self.bytes.checked_sub(offset) else {
            let message = format!("offset {offset} is beyond the end of a file of {} bytes", self.bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let count = usize::try_from(left).map_or(limit, |left| left.min(limit));
        match &self.source {
            Source::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = bytes.get(start..start.saturating_add(count));
                part.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Source::File(file) => {
                let file = Arc::clone(file);
                let read = move || {
                    let mut part = vec![0; count];
                    read_exact_at(&file, &mut part, offset).map(|()| part)
                };
                tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
            }
        }
    }

    /// Reads all of a small file.
    ///
    /// # Errors
    /// As [`Self::read_at`].
    pub async fn read_all(&self) -> io::Result<Vec<u8>> {
        self.read_at(0, usize::MAX).await
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, part: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, part, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, part: &mut [u8], offset: u64) -> io::Result<()> {
    use io::{Read as _, Seek as _};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(part)
}
