//! Kept parts of videos in a folder: one file a part, bounded in bytes; the part that was used least recently goes first.
//!
//! It must not know what decides a part's key. The invariants: a file appears whole, under its final name, or not at all; a file that is
//! damaged is removed when it is read, and counts as absent; whatever fails costs time, and nothing else: a failed write is skipped, and a
//! folder that cannot be used keeps nothing; only files with a part's name are removed.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    entry::{Entry, Recording},
    keys::PartKey,
};

/// The ending of a kept part; its name is its key, a dot, and the id of the job that made it.
const ENDING: &str = ".part";
/// The start of a part's name while it is written.
const STAGED: &str = ".part-";
/// What a file takes at least on a disk.
const BLOCK: u64 = 4096;

/// Called when a part is complete under its temporary name.
type OnStaged = dyn Fn() + Send + Sync;

/// Kept parts of videos.
pub struct PartStore {
    folder: PathBuf,
    /// The maximum of all files' bytes; 0 keeps nothing.
    limit: u64,
    now: fn() -> SystemTime,
    on_staged: Box<OnStaged>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    parts: HashMap<PartKey, Part>,
    /// Keys by last use, the oldest first.
    by_use: BTreeMap<u64, PartKey>,
    uses: u64,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct Part {
    /// The job that made it.
    job: String,
    /// Its bytes on the disk.
    bytes: u64,
    used_at: SystemTime,
    /// Its place in [`Kept::by_use`].
    use_number: u64,
}

impl std::fmt::Debug for PartStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartStore").field("folder", &self.folder).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Kept {
    fn add(&mut self, key: PartKey, job: String, bytes: u64, used_at: SystemTime) {
        self.uses += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.by_use.insert(self.uses, key);
        self.parts.insert(key, Part { job, bytes, used_at, use_number: self.uses });
    }

    fn remove(&mut self, key: &PartKey) -> Option<Part> {
        let part = self.parts.remove(key)?;
        self.by_use.remove(&part.use_number);
        self.bytes = self.bytes.saturating_sub(part.bytes);
        Some(part)
    }

    /// Makes a part the most recently used one.
    fn touch(&mut self, key: &PartKey, now: SystemTime) -> Option<Part> {
        let part = self.remove(key)?;
        self.add(*key, part.job.clone(), part.bytes, now);
        Some(part)
    }

    fn oldest(&self) -> Option<(PartKey, SystemTime)> {
        let (_, key) = self.by_use.first_key_value()?;
        Some((*key, self.parts.get(key)?.used_at))
    }
}

impl PartStore {
    /// The parts in a folder, which is made if needed; `limit` bounds their bytes. `on_staged` is called when a part's file is complete under
    /// its temporary name. Files that an earlier run left half-written are removed, and so are parts beyond the limit.
    pub fn open(folder: PathBuf, limit: u64, now: fn() -> SystemTime, on_staged: impl Fn() + Send + Sync + 'static) -> Self {
        let kept = if limit > 0 || folder.exists() { found(&folder) } else { Kept::default() };
        let store = Self { folder, limit, now, on_staged: Box::new(on_staged), kept: Mutex::new(kept) };
        store.shrink(&mut store.lock(), store.limit);
        store
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // No code panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, key: &PartKey, job: &str) -> PathBuf {
        self.folder.join(file_name(key, job))
    }

    /// Whether a part is there. It may be gone, or turn out to be damaged, when it is used.
    pub(crate) fn has(&self, key: &PartKey) -> bool {
        self.lock().parts.contains_key(key)
    }

    /// The bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.lock().parts.len()
    }

    /// Opens a part, which is then the most recently used one; returns the job that made it, too. A damaged one is removed.
    pub(super) fn load(&self, key: PartKey) -> Option<(Entry, String)> {
        let now = (self.now)();
        let part = self.lock().touch(&key, now)?;
        let path = self.path(&key, &part.job);
        let opened = File::open(&path).and_then(|file| {
            // The order of use survives a restart; without it, only the choice of what to remove is worse.
            let _kept_by_the_file: io::Result<()> = file.set_modified(now);
            Entry::open(file, key)
        });
        match opened {
            Ok(entry) => Some((entry, part.job)),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a kept part of a video cannot be read and is made again");
                self.remove(&key);
                None
            }
        }
    }

    /// Begins a part.
    ///
    /// # Errors
    /// The operating system's; [`io::ErrorKind::Unsupported`] if nothing is kept.
    pub(super) fn begin(&self, key: PartKey) -> io::Result<Recording> {
        if self.limit == 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        fs::create_dir_all(&self.folder)?;
        Recording::begin(tempfile::Builder::new().prefix(STAGED).tempfile_in(&self.folder)?, key)
    }

    /// Whether parts are kept at all.
    pub(super) fn keeps(&self) -> bool {
        self.limit > 0
    }

    /// Keeps a finished part that a job has made. If it alone is beyond the limit, it is not kept.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn keep(&self, recording: Recording, job: &str) -> io::Result<()> {
        let key = recording.key;
        let (file, bytes) = recording.end()?;
        (self.on_staged)();
        let bytes = on_disk(bytes);
        if bytes > self.limit {
            return Ok(());
        }
        let mut kept = self.lock();
        if kept.parts.contains_key(&key) {
            // Another job has made it meanwhile.
            return Ok(());
        }
        file.persist(self.path(&key, job)).map_err(|error| error.error)?;
        kept.add(key, job.to_owned(), bytes, (self.now)());
        self.shrink(&mut kept, self.limit);
        Ok(())
    }

    /// Removes a part.
    pub(super) fn remove(&self, key: &PartKey) {
        self.remove_from(&mut self.lock(), key);
    }

    /// Removes what a job has made.
    pub fn forget(&self, job: &str) {
        let mut kept = self.lock();
        let made: Vec<PartKey> = kept.parts.iter().filter(|(_, part)| part.job == job).map(|(key, _)| *key).collect();
        made.iter().for_each(|key| self.remove_from(&mut kept, key));
    }

    /// Removes parts that have not been used for this long.
    pub fn expire(&self, age: Duration) {
        let oldest_kept = (self.now)().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut kept = self.lock();
        while let Some((key, _)) = kept.oldest().filter(|(_, used_at)| *used_at < oldest_kept) {
            self.remove_from(&mut kept, &key);
        }
    }

    /// Removes all parts, because the disk is full; returns whether there were any.
    pub fn clear(&self) -> bool {
        let mut kept = self.lock();
        let had_some = !kept.parts.is_empty();
        self.shrink(&mut kept, 0);
        had_some
    }

    /// Removes the least recently used parts until the rest fits.
    fn shrink(&self, kept: &mut Kept, limit: u64) {
        while kept.bytes > limit {
            let Some((key, _)) = kept.oldest() else { return };
            self.remove_from(kept, &key);
        }
    }

    fn remove_from(&self, kept: &mut Kept, key: &PartKey) {
        let Some(part) = kept.remove(key) else { return };
        remove_file(&self.path(key, &part.job));
    }
}

/// The bytes that a file takes on a disk.
fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

fn remove_file(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "a kept part of a video cannot be removed");
        }
        Ok(()) | Err(_) => {}
    }
}

/// The parts in a folder, in the order of their last use. Files that were being written are removed, and so is the older of two files of one
/// part; files of other names are left alone.
fn found(folder: &Path) -> Kept {
    let mut files = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::default(),
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "kept parts of videos cannot be read and are not used");
            return Kept::default();
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) else { continue };
        if name.starts_with(STAGED) {
            remove_file(&entry.path());
        } else if let (Some((key, job)), Ok(metadata)) = (parsed(name), entry.metadata()) {
            files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), key, job, on_disk(metadata.len()), entry.path()));
        }
    }
    // By name where times are equal, so that a restart keeps the order of the one before.
    files.sort_by(|a, b| (a.0, &a.4).cmp(&(b.0, &b.4)));
    let mut kept = Kept::default();
    for (used_at, key, job, bytes, _) in files {
        if let Some(older) = kept.remove(&key) {
            remove_file(&folder.join(file_name(&key, &older.job)));
        }
        kept.add(key, job, bytes, used_at);
    }
    kept
}

/// The name of a part's file.
fn file_name(key: &PartKey, job: &str) -> String {
    format!("{key}.{job}{ENDING}")
}

/// The key and the job in a part's file name.
fn parsed(name: &str) -> Option<(PartKey, String)> {
    let (key, job) = name.strip_suffix(ENDING)?.split_once('.')?;
    Some((PartKey::parse(key)?, job.to_owned()))
}
