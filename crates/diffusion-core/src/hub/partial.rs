//! A blob in the making: `blobs/BLOB.xxxxxxxx.incomplete`, a name that no other process has.
//!
//! It knows no network. What breaks off is parked as `BLOB.incomplete`, which older Python clients continue too; newer ones use names
//! like these and never continue one. What any of them has left of a blob is where this one begins. A file that another program may
//! still be writing to is copied, never taken: it is taken only under a lock that keeps others out, and if it was parked or has rested.
//! The invariant: only whole contents with the right digest get a blob's final name.

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

/// A file that no one has written to for so long is nobody's: clients give a silent connection up sooner.
const AT_REST: Duration = Duration::from_secs(90);

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
    /// Begins with the longest beginning of the blob that any client has left in `blobs`, if there is one.
    pub(super) fn open(blobs: &Path, entry: &Entry, lock: &BlobLock) -> io::Result<Self> {
        let path = create(blobs, entry.blob())?;
        let size = entry.size();
        // One that cannot be taken, or be copied to its end, is no failure: what is not here is fetched.
        let _ =
            leftovers(blobs, entry).iter().filter(|leftover| leftover.length <= size).any(|leftover| leftover.take(&path, lock).is_ok());
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
            // Of no use to anyone, or, if it cannot be renamed, found under the name that it has.
            let _ = if self.have == 0 { fs::remove_file(&self.path) } else { fs::rename(&self.path, &self.parked) };
        }
    }
}

/// Removes what downloads of a blob have left, once it is whole.
pub(super) fn sweep(blobs: &Path, entry: &Entry, lock: &BlobLock) {
    for leftover in leftovers(blobs, entry).into_iter().filter(|leftover| leftover.is_nobodys(lock)) {
        // What stays takes room, and nothing else.
        let _ = fs::remove_file(leftover.path);
    }
}

/// What another download has left of a blob.
struct Leftover {
    path: PathBuf,
    length: u64,
    /// Whether its name says that nobody writes to it, but under the lock.
    parked: bool,
}

impl Leftover {
    fn is_nobodys(&self, lock: &BlobLock) -> bool {
        let at_rest =
            || fs::metadata(&self.path).and_then(|file| file.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > AT_REST));
        lock.is_exclusive() && (self.parked || at_rest())
    }

    /// Makes it the content of `to`.
    fn take(&self, to: &Path, lock: &BlobLock) -> io::Result<()> {
        let mut content = File::open(&self.path)?;
        // Another user's may be read, but not continued.
        let is_ours = || File::options().write(true).open(&self.path).is_ok();
        if self.is_nobodys(lock) && is_ours() {
            return fs::rename(&self.path, to);
        }
        io::copy(&mut content, &mut File::create(to)?).map(drop)
    }
}

/// The leftovers of a blob, also under the name that this program gave it once; the longest first.
fn leftovers(blobs: &Path, entry: &Entry) -> Vec<Leftover> {
    let mut found = Vec::new();
    for file in fs::read_dir(blobs).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".incomplete") else { continue };
        let of = |blob: &str| match stem.strip_prefix(blob)? {
            "" => Some(true),
            rest => (rest.len() == 9 && rest.starts_with('.')).then_some(false),
        };
        let Some(parked) = of(entry.blob()).or_else(|| entry.old_name().and_then(of)) else { continue };
        if let Ok(metadata) = file.metadata()
            && metadata.is_file()
            && metadata.len() > 0
        {
            found.push(Leftover { path: file.path(), length: metadata.len(), parked });
        }
    }
    found.sort_by_key(|leftover| std::cmp::Reverse(leftover.length));
    found
}

/// A new file with a name of its own, in Python's form: eight hexadecimal digits.
fn create(blobs: &Path, blob: &str) -> io::Result<PathBuf> {
    loop {
        let path = blobs.join(format!("{blob}.{}.incomplete", eight_digits()));
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

/// Cuts off the zeros at a file's end and returns its length. A client that reserves room first leaves them, and so does a power cut;
/// zeros that belong there are fetched again.
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
