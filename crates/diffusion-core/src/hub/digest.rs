//! Digests that a hub lists for files, and checks of files on disk against them.
//!
//! This module knows neither network nor cache. A file in Git LFS has the SHA-256 of its content; any other file has git's object id, the
//! SHA-1 of a header with its length and its content (<https://git-scm.com/book/en/v2/Git-Internals-Git-Objects>).

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// Bytes that are read at once.
pub(super) const CHUNK: usize = 1 << 20;

/// The expected digest of a file's content, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256(String),
    GitBlob(String),
    /// The hub lists no digest that could be checked.
    Unstated,
}

impl Digest {
    /// A hasher for content of `size` bytes.
    pub(super) fn hasher(&self, size: u64) -> Hasher {
        match self {
            Self::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Self::GitBlob(_) => Hasher::GitBlob(Sha1::new().chain_update(format!("blob {size}\0"))),
            Self::Unstated => Hasher::Idle,
        }
    }

    /// Compares a finished hasher's digest with this one.
    ///
    /// # Errors
    /// A message with both digests.
    pub(super) fn check(&self, content: Hasher) -> Result<(), String> {
        let (name, stated) = match self {
            Self::Sha256(hex) => ("SHA-256", hex),
            Self::GitBlob(hex) => ("git id", hex),
            Self::Unstated => return Ok(()),
        };
        let found = match content {
            Hasher::Sha256(hasher) => hex(&hasher.finalize()),
            Hasher::GitBlob(hasher) => hex(&hasher.finalize()),
            Hasher::Idle => String::new(),
        };
        if found.eq_ignore_ascii_case(stated) { Ok(()) } else { Err(format!("{name} {found} instead of {stated}")) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest being computed.
#[derive(Clone)]
pub(super) enum Hasher {
    Sha256(Sha256),
    GitBlob(Sha1),
    Idle,
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(hasher) => hasher.update(bytes),
            Self::Idle => {}
        }
    }

    /// Hashes the rest of a file; calls `on_progress` with the number of bytes read so far.
    pub(super) fn read(&mut self, mut file: &File, on_progress: &mut dyn FnMut(u64)) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        let mut done = 0;
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.update(buffer.get(..count).unwrap_or_default());
            done += count as u64;
            on_progress(done);
        }
    }
}

/// How closely a cached file is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Its length, at no cost.
    Length,
    /// Every byte, against the digest that the hub lists.
    Content,
}

/// The state of a file on disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Whole,
    Absent,
    /// It differs from the hub's listing; with the reason.
    Damaged(String),
}

impl Condition {
    /// Compares a file with its expected length and digest. Links are followed; a dangling link counts as absent.
    ///
    /// # Errors
    /// [`Error::Io`] if the file exists but cannot be read.
    pub(super) fn of(path: &Path, size: u64, digest: &Digest, check: Check, on_progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let io = |source| Error::Io { path: path.into(), source };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            Err(error) => return Err(io(error)),
        };
        if !metadata.is_file() {
            return Ok(Self::Damaged("it is no file".into()));
        }
        if metadata.len() != size {
            return Ok(Self::Damaged(format!("it has {} bytes where the hub has {size}", metadata.len())));
        }
        if check == Check::Content {
            let mut hasher = digest.hasher(size);
            hasher.read(&File::open(path).map_err(io)?, on_progress).map_err(io)?;
            return Ok(digest.check(hasher).map_or_else(|reason| Self::Damaged(format!("its content has {reason}")), |()| Self::Whole));
        }
        Ok(Self::Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_match_git_and_sha256sum() {
        // `printf hello | git hash-object --stdin`, and `printf hello | sha256sum`.
        let git = Digest::GitBlob("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0".into());
        let lfs = Digest::Sha256("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824".into());
        for digest in [git, lfs] {
            let mut hasher = digest.hasher(5);
            hasher.update(b"hel");
            hasher.update(b"lo");
            assert_eq!(digest.check(hasher), Ok(()));
            assert!(digest.check(digest.hasher(5)).is_err_and(|reason| reason.contains("instead of")));
        }
    }
}
