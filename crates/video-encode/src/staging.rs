//! Atomic file creation: a file is written beside its target, then renamed over it.
//!
//! It must not know FFmpeg. The invariant: whatever fails, no staged file remains, and the previous target stays. The writer that FFmpeg
//! calls records the operating system's first error, because FFmpeg passes on a number at best.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// The prefix and the suffix of staged files.
const PREFIX: &str = ".framewright-";
const SUFFIX: &str = ".part";

/// Creates an empty file in a folder, to be written and then renamed; dropping it deletes it. It is locked while it is open, so that
/// [`sweep_staged`] can tell it from one whose writer was killed.
///
/// # Errors
/// The operating system's reason.
pub fn staged_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    {
        // A temporary file is private by default; the finished file gets the usual permissions of new files, minus the umask.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    loop {
        let staged = builder.tempfile_in(folder)?;
        if is_kept(staged.as_file()) {
            return Ok(staged);
        }
    }
}

/// Locks a new file. False if a sweep has found it first.
#[cfg(unix)]
fn is_kept(file: &File) -> bool {
    use std::{fs::TryLockError, os::unix::fs::MetadataExt as _};
    match file.try_lock() {
        Ok(()) => file.metadata().map_or(true, |file| file.nlink() > 0),
        Err(TryLockError::WouldBlock) => false,
        // Without lock support, nothing is swept either.
        Err(TryLockError::Error(_)) => true,
    }
}

/// Locks would keep others from reading the file, FFmpeg's second handle included.
#[cfg(not(unix))]
fn is_kept(_file: &File) -> bool {
    true
}

/// Removes the staged files of killed programs from a folder; returns their number. Files that a program still writes stay, as does
/// everything else, including files that cannot be removed.
pub fn sweep_staged(folder: &Path) -> usize {
    if cfg!(not(unix)) {
        return 0;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let staged = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(PREFIX) && name.ends_with(SUFFIX) && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    staged.filter(|entry| is_left_behind(&entry.path()) && fs::remove_file(entry.path()).is_ok()).count()
}

/// Whether no process holds the lock of a staged file.
fn is_left_behind(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// A staged file; dropping it deletes it.
#[derive(Debug)]
pub(crate) struct Staged {
    file: NamedTempFile,
    target: PathBuf,
}

impl Staged {
    /// Creates the target's folder if necessary, and an empty staged file in it.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let failed = |source| Error::File { path: target.to_owned(), doing: "creating the file", source };
        // Detected now rather than by the rename after all frames are encoded.
        if target.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        // The same folder is on the same file system, so that the rename cannot become a copy.
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self { file: staged_in(folder).map_err(failed)?, target: target.to_owned() })
    }

    /// The staged file's path.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// A writer to the file, and the record of its first error.
    pub(crate) fn writer(&self) -> Result<(Recorded, WriteRecord)> {
        let file = self.file.as_file().try_clone().map_err(|source| self.failed("opening the file", source))?;
        let record = WriteRecord::default();
        Ok((Recorded { file, record: record.clone() }, record))
    }

    /// Shows the complete file to `seal`; what that returns takes its place.
    pub(crate) fn sealed(self, seal: impl FnOnce(&Path) -> io::Result<Option<NamedTempFile>>) -> Result<Self> {
        let sealed = seal(self.path()).map_err(|source| self.failed("signing", source))?;
        let Self { file, target } = self;
        Ok(Self { file: sealed.unwrap_or(file), target })
    }

    /// Puts the file in place; returns its size in bytes.
    pub(crate) fn persist(self) -> Result<u64> {
        let synced = self.file.as_file().sync_all().and_then(|()| self.file.as_file().metadata());
        let bytes = synced.map_err(|source| self.failed("writing", source))?.len();
        let Self { file, target } = self;
        file.persist(&target).map_err(|error| Error::File { path: target, doing: "renaming", source: error.error })?;
        Ok(bytes)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> Error {
        Error::File { path: self.target.clone(), doing, source }
    }
}

/// The first error of a writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteRecord(Arc<Mutex<Option<io::Error>>>);

impl WriteRecord {
    /// Takes the error out.
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records an error, and returns an equal one.
    fn keep(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        let same = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        same
    }
}

/// A file that records its first error.
#[derive(Debug)]
pub(crate) struct Recorded {
    file: File,
    record: WriteRecord,
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.record.keep(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.record.keep(error))
    }
}

impl Seek for Recorded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to).map_err(|error| self.record.keep(error))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_dropped_file_is_deleted_and_a_persisted_one_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/a.bin");
        let staged = Staged::create(&target).unwrap();
        staged.writer().unwrap().0.write_all(b"half").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
        fs::write(&target, b"before").unwrap();
        let staged = Staged::create(&target).unwrap();
        staged.writer().unwrap().0.write_all(b"whole").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"before");
        assert_eq!(staged.persist().unwrap(), 5);
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_files_of_killed_programs_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let living = Staged::create(&at("a.mp4")).unwrap();
        let name = living.path().to_owned();
        fs::write(at(".framewright-Ab12Cd.part"), "half a video").unwrap();
        for stays in ["video.part", ".framewright-Ab12Cd.mp4", ".other-Ab12Cd.part"] {
            fs::write(at(stays), "").unwrap();
        }
        fs::create_dir(at(".framewright-folder.part")).unwrap();
        std::os::unix::fs::symlink(at("video.part"), at(".framewright-link.part")).unwrap();
        assert_eq!(sweep_staged(folder.path()), 1);
        assert!(!at(".framewright-Ab12Cd.part").exists() && name.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
        assert_eq!(sweep_staged(&at("none")), 0);
        drop(living);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    }

    #[test]
    fn an_impossible_target_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Staged::create(folder.path()), Err(Error::File { .. })));
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Staged::create(&file.join("a.mp4")).unwrap_err().to_string();
        assert!(error.contains("a.mp4"), "{error}");
    }

    #[test]
    fn the_first_error_is_recorded() {
        let record = WriteRecord::default();
        assert_eq!(record.keep(io::Error::from_raw_os_error(28)).raw_os_error(), Some(28));
        record.keep(io::Error::from_raw_os_error(5));
        assert_eq!(record.take().unwrap().raw_os_error(), Some(28));
    }
}
