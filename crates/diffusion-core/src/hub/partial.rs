//! A blob in the making: `blobs/BLOB.framewright-xxxxxxxx.incomplete`, a name that no other process has.
//!
//! It knows no network. An interrupted download is parked as `BLOB.incomplete`, the name that older Python clients continue too; newer
//! ones write to `BLOB.xxxxxxxx.incomplete` and never continue a file. A new download starts from the longest partial file that any
//! client has left. It moves that file only under a lock that keeps others out. Newer Python clients may run on another machine, where
//! that lock means nothing, so their files are copied unless they are unchanged for a while. The invariant: only a whole file with the
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

/// Marks this program's own files between the blob's name and eight hexadecimal digits.
const OWN_MARK: &str = ".framewright-";

/// A partial file unchanged for this long is abandoned: clients drop a silent connection sooner.
const ABANDONED: Duration = Duration::from_secs(90);

/// A growing file with the digest of what it holds. Dropped before it is [finished](Partial::finish), it is parked.
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
        // A leftover that cannot be taken or fully copied is no failure: the rest is fetched.
        let _ = leftovers(blobs, entry)
            .iter()
            .filter(|leftover| (1..=size).contains(&leftover.length))
            .any(|leftover| leftover.take(&path, lock).is_ok());
        let file = File::options().read(true).write(true).open(&path)?;
        let digest = entry.digest();
        let parked = blobs.join(format!("{}.incomplete", entry.blob()));
        let mut partial = Self { path, parked, file, have: 0, size, hasher: digest.hasher(size), digest, finished: false };
        partial.have = without_zeros(&mut partial.file)?;
        partial.file.rewind()?;
        partial.hasher.read(&partial.file, &mut |_| {})?;
        Ok(partial)
    }

    /// How many bytes there are.
    pub(super) fn have(&self) -> u64 {
        self.have
    }

    /// Appends.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.have = 0;
        self.hasher = self.digest.hasher(self.size);
        Ok(())
    }

    /// Checks all that is there against the digest.
    ///
    /// # Errors
    /// Both digests, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        self.digest.check(self.hasher.clone())
    }

    /// Gives the whole and checked content its final name.
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
            // If it cannot be renamed, the next download finds it under its own name.
            let _ = if self.have == 0 { fs::remove_file(&self.path) } else { fs::rename(&self.path, &self.parked) };
        }
    }
}

/// Whether there is something for [`sweep`].
pub(super) fn is_littered(blobs: &Path, entry: &Entry) -> bool {
    leftovers(blobs, entry).iter().any(Leftover::is_quiet)
}

/// Removes what downloads of a blob have left, once it is whole.
pub(super) fn sweep(blobs: &Path, entry: &Entry, lock: &BlobLock) {
    for leftover in leftovers(blobs, entry).into_iter().filter(|leftover| leftover.is_free(lock)) {
        // A leftover that stays only takes space.
        let _ = fs::remove_file(leftover.path);
    }
}

/// A partial file of another download.
struct Leftover {
    path: PathBuf,
    length: u64,
    /// Whether it has a name that is written to under the lock only.
    locked: bool,
}

impl Leftover {
    /// Whether it looks abandoned.
    fn is_quiet(&self) -> bool {
        let modified = || fs::metadata(&self.path).and_then(|file| file.modified());
        self.locked || modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED))
    }

    fn is_free(&self, lock: &BlobLock) -> bool {
        lock.is_exclusive() && self.is_quiet()
    }

    /// Makes it the content of `to`.
    fn take(&self, to: &Path, lock: &BlobLock) -> io::Result<()> {
        let mut content = File::open(&self.path)?;
        // Another user's file may be readable only.
        let is_writable = || File::options().write(true).open(&self.path).is_ok();
        if self.is_free(lock) && is_writable() {
            return fs::rename(&self.path, to);
        }
        io::copy(&mut content, &mut File::create(to)?).map(drop)
    }
}

/// The partial files of a blob, its name in older versions of this program included; the longest first.
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

/// Cuts off the zeros at a file's end and returns its new length. Preallocation and power cuts leave such zeros; those that belong there
/// are fetched again.
fn without_zeros(file: &mut File) -> io::Result<u64> {
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
