//! The bytes of one weight file: mapped from disk, read from it, or compiled into the program.
//!
//! This module does not depend on formats. Invariant: the bytes do not move or change in length while a [`WeightFile`] lives, so that
//! tensors can be described by byte ranges and read later, one at a time, with no copy of the whole file in memory.

use std::{fs::File, io::Read as _, ops::Range, path::PathBuf, sync::Arc};

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

use super::StopCheck;
use crate::{Error, Result, regular_file};

/// The largest file that is read as a whole: 8 GiB.
const MOST_READ: u64 = 8 << 30;
/// Bytes that are read between two looks at whether to stop.
const PIECE: u64 = 32 << 20;

/// One weight file: its path, for messages, and its bytes.
pub(super) struct WeightFile {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
    Static(&'static [u8]),
}

impl WeightFile {
    /// Maps a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, [`Error::File`] if it is empty or a Git LFS pointer.
    pub(super) fn map(path: PathBuf) -> Result<Arc<Self>> {
        let (file, _) = open(&path)?;
        #[expect(unsafe_code, reason = "there is no safe way to map a file: another process could write to it while it is mapped")]
        // SAFETY: the map is read-only and private to this type, which returns only shared slices of plain bytes, for which every bit
        // pattern is valid. Another process may still truncate or rewrite a model's file while it is being loaded; no program can prevent
        // that, and the documentation of the folder source forbids it.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::Io { path: path.clone(), source })?;
        check_pointer(&path, &map)?;
        Ok(Arc::new(Self { path, bytes: Bytes::Mapped(map) }))
    }

    /// Reads a whole file: for one that may be replaced while the program runs, because a map of a file that is cut ends the program.
    ///
    /// # Errors
    /// As [`Self::map`]; [`Error::File`] for a file of more than 8 GiB; [`Error::Cancelled`] if `stop` says so meanwhile.
    pub(super) fn read(path: PathBuf, stop: &StopCheck) -> Result<Arc<Self>> {
        let io = |source| Error::Io { path: path.clone(), source };
        let (file, size) = open(&path)?;
        if size > MOST_READ {
            return Err(Error::file(path, format!("has {size} bytes; a file of this kind has at most {MOST_READ}")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let mut left = file.take(MOST_READ);
        loop {
            if stop() {
                return Err(Error::Cancelled);
            }
            if left.by_ref().take(PIECE).read_to_end(&mut bytes).map_err(io)? == 0 {
                break;
            }
        }
        check_pointer(&path, &bytes)?;
        Ok(Arc::new(Self { path, bytes: Bytes::Read(bytes) }))
    }

    /// Bytes that live as long as the program.
    pub(super) fn embedded(path: PathBuf, bytes: &'static [u8]) -> Arc<Self> {
        Arc::new(Self { path, bytes: Bytes::Static(bytes) })
    }

    /// Tells the system that these bytes are not needed for now: they no longer count as this process's memory. Reading them again is right,
    /// and costs no more than a look into the system's file cache.
    pub(super) fn release(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.bytes
            && bytes.start < bytes.end
            && bytes.end <= map.len()
        {
            #[expect(unsafe_code, reason = "the advice discards written pages of a private map; this one is never written")]
            // SAFETY: the map is a read-only view of a file, so discarded pages are read from the file again.
            let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, bytes.start, bytes.len()) };
            // A system that does not follow the advice only uses more memory.
            let _is_followed: std::io::Result<()> = advised;
        }
        #[cfg(not(unix))]
        let _kept = bytes;
    }

    /// The file's path.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// The file's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Read(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
        }
    }
}

/// Stops nothing.
pub(super) fn never() -> StopCheck {
    Arc::new(|| false)
}

/// Opens a file; returns its size, too.
pub(super) fn open(path: &PathBuf) -> Result<(File, u64)> {
    let io = |source| Error::Io { path: path.clone(), source };
    let file = regular_file::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    if size == 0 { Err(Error::file(path, "truncated: the file is empty")) } else { Ok((file, size)) }
}

/// Refuses a file that stands for another one in a checkout.
pub(super) fn check_pointer(path: &PathBuf, bytes: &[u8]) -> Result<()> {
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Error::file(path, "is a Git LFS pointer, not the weights themselves: fetch them with `git lfs pull`"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Bytes resident in this process because of file maps.
    #[cfg(target_os = "linux")]
    fn resident_of_files() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    #[test]
    fn released_bytes_are_read_again() {
        const SIZE: usize = 64 << 20;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let content: Vec<u8> = (0..SIZE).map(|index| (index / 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let file = WeightFile::map(path).unwrap();
        assert!(file.bytes() == content);
        #[cfg(target_os = "linux")]
        let before = resident_of_files();
        file.release(100..SIZE - 100);
        #[cfg(target_os = "linux")]
        assert!(resident_of_files() + SIZE / 2 < before, "they have left the process");
        assert!(file.bytes() == content);
        // Neither of these is a range of the file.
        file.release(SIZE..SIZE + 1);
        file.release(Range { start: 9, end: 3 });
        assert!(file.bytes() == content);
    }
}
