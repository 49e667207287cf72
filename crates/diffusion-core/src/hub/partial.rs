//! A blob being downloaded: `blobs/BLOB.framewright-xxxxxxxx.incomplete`, a name that no other process uses.
//!
//! This module does not know the network. An interrupted download is parked as `BLOB.incomplete`, the name that older Python clients resume
//! too; newer ones write to `BLOB.xxxxxxxx.incomplete` and never resume a file. A new download starts from the longest partial file that
//! any client has left. It moves that file only under a lock that keeps others out. Newer Python clients may run on another machine, where
//! that lock has no effect, so their files are copied unless they have not changed for a while. Invariant: only a complete file with the
//! right digest gets a blob's name.

use std::{
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    digest::{CHUNK, Digest, Hasher},
    listing::Entry,
    lock::BlobLock,
};

/// Marks this program's own files, between the blob's name and eight hexadecimal digits.
const OWN_MARK: &str = ".framewright-";

/// A partial file unchanged for this long is abandoned: clients drop a silent connection sooner.
const ABANDONED: Duration = Duration::from_secs(90);

/// A growing file and the digest of its contents. Parked when dropped before it is [finished](Partial::finish).
pub(super) struct Partial {
    path: PathBuf,
    parked: PathBuf,
    file: File,
    have: u64,
    size: u64,
    digest: Digest,
    hasher: Hasher,
    finished: bool,
}

impl Partial {
    /// Starts from the longest partial file of the blob in `blobs`, if there is one.
    pub(super) fn open(blobs: &Path, entry: &Entry, lock: &BlobLock) -> io::Result<Self> {
        let path = create(blobs, entry.blob())?;
        let size = entry.size();
        // If a leftover cannot be moved or fully copied, the rest is downloaded.
        let _ = leftovers(blobs, entry)
            .iter()
            .filter(|leftover| (1..=size).contains(&leftover.length))
            .any(|leftover| leftover.take(&path, lock).is_ok());
        let file = File::options().read(true).write(true).open(&path)?;
        let digest = entry.digest();
        let parked = blobs.join(format!("{}.incomplete", entry.blob()));
        let mut partial = Self { path, parked, file, have: 0, size, hasher: digest.hasher(size), digest, finished: false };
        partial.have = truncate_zeros(&mut partial.file)?;
        partial.file.rewind()?;
        partial.hasher.read(&partial.file, &mut |_| {})?;
        Ok(partial)
    }

    /// Number of bytes present.
    pub(super) fn have(&self) -> u64 {
        self.have
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Discards all bytes.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.have = 0;
        self.hasher = self.digest.hasher(self.size);
        Ok(())
    }

    /// Checks the bytes present against the digest.
    ///
    /// # Errors
    /// A message with both digests.
    pub(super) fn check(&self) -> Result<(), String> {
        self.digest.check(self.hasher.clone())
    }

    /// Renames the complete and verified file to its final name.
    pub(super) fn finish(mut self, blob: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, blob)?;
        self.finished = true;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            // If it cannot be renamed, the next download finds it under its current name.
            let _ = if self.have == 0 { fs::remove_file(&self.path) } else { fs::rename(&self.path, &self.parked) };
        }
    }
}

/// Whether [`sweep`] would find something to remove.
pub(super) fn has_leftovers(blobs: &Path, entry: &Entry) -> bool {
    leftovers(blobs, entry).iter().any(Leftover::is_quiet)
}

/// Removes the leftovers of a blob's downloads, once the blob is complete.
pub(super) fn sweep(blobs: &Path, entry: &Entry, lock: &BlobLock) {
    for leftover in leftovers(blobs, entry).into_iter().filter(|leftover| leftover.is_free(lock)) {
        // A leftover that cannot be removed only takes space.
        let _ = fs::remove_file(leftover.path);
    }
}

/// A partial file of another download.
struct Leftover {
    path: PathBuf,
    length: u64,
    /// Whether its name is written to only under the lock.
    locked: bool,
}

impl Leftover {
    /// Whether it seems abandoned.
    fn is_quiet(&self) -> bool {
        let modified = || fs::metadata(&self.path).and_then(|file| file.modified());
        self.locked || modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED))
    }

    fn is_free(&self, lock: &BlobLock) -> bool {
        lock.is_exclusive() && self.is_quiet()
    }

    /// Moves or copies it to `to`.
    fn take(&self, to: &Path, lock: &BlobLock) -> io::Result<()> {
        let mut content = File::open(&self.path)?;
        // Another user's file may be read-only.
        let is_writable = || File::options().write(true).open(&self.path).is_ok();
        if self.is_free(lock) && is_writable() {
            return fs::rename(&self.path, to);
        }
        io::copy(&mut content, &mut File::create(to)?).map(drop)
    }
}

/// The partial files of a blob, also under its name in older versions of this program; the longest first.
fn leftovers(blobs: &Path, entry: &Entry) -> Vec<Leftover> {
    let mut found = Vec::new();
    for file in fs::read_dir(blobs).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".incomplete") else { continue };
        let of = |blob: &str| match stem.strip_prefix(blob)? {
            "" => Some(true),
            rest if rest.starts_with(OWN_MARK) => Some(true),
            rest => (rest.len() == 9 && rest.starts_with('.')).then_some(false),
        };
        let Some(locked) = of(entry.blob()).or_else(|| entry.old_name().and_then(of)) else { continue };
        if let Ok(metadata) = file.metadata()
            && metadata.is_file()
        {
            found.push(Leftover { path: file.path(), length: metadata.len(), locked });
        }
    }
    found.sort_by_key(|leftover| std::cmp::Reverse(leftover.length));
    found
}

/// Creates a file with a unique name.
fn create(blobs: &Path, blob: &str) -> io::Result<PathBuf> {
    loop {
        let path = blobs.join(format!("{blob}{OWN_MARK}{}.incomplete", eight_digits()));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|_| path),
        }
    }
}

/// Eight hexadecimal digits that differ from call to call and from process to process.
pub(super) fn eight_digits() -> String {
    format!("{:08x}", RandomState::new().hash_one(0) >> 32)
}

/// Truncates the zeros at a file's end and returns its new length. Preallocation and power failures leave such zeros; genuine ones are
/// downloaded again.
fn truncate_zeros(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; CHUNK];
    let mut length = 0;
    while end > 0 {
        let start = (end - 1) / CHUNK as u64 * CHUNK as u64;
        let part = buffer.get_mut(..(end - start) as usize).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            length = start + last as u64 + 1;
            break;
        }
        end = start;
    }
    file.set_len(length)?;
    Ok(length)
}
