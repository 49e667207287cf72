//! The lock of a blob, shared with Python's client: `.locks/models--OWNER--NAME/BLOB.lock`, locked with flock(2).
//!
//! A lock only saves a second download: the cache stays correct without it, because some file systems have no locks or grant every request.
//! [`BlobLock::is_exclusive`] says whether this lock keeps other processes out. The file is never removed, because waiting processes hold
//! it open. References: huggingface_hub's `WeakFileLock`, filelock's `UnixFileLock`.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use crate::{Error, Result};

/// A lock on a blob, released on drop.
pub(super) struct BlobLock {
    _file: File,
    exclusive: bool,
}

impl BlobLock {
    /// Acquires the lock; calls `on_wait` once if another process holds it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be created or opened.
    pub(super) fn take(path: &Path, on_wait: &mut dyn FnMut()) -> Result<Self> {
        let io = |source| Error::Io { path: path.into(), source };
        let mut reported = false;
        loop {
            let file = open(path).map_err(io)?;
            let locked = match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut reported, true) {
                        on_wait();
                    }
                    file.lock()
                }
                Err(TryLockError::Error(error)) => Err(error),
                Ok(()) => Ok(()),
            };
            match locked {
                // The previous holder may have removed the file during the wait.
                Ok(()) if is_removed(&file).map_err(io)? => {}
                Ok(()) => {
                    let exclusive = matches!(open(path).map_err(io)?.try_lock(), Err(TryLockError::WouldBlock));
                    return Ok(Self { _file: file, exclusive });
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(Self { _file: file, exclusive: false }),
                Err(error) => return Err(io(error)),
            }
        }
    }

    /// Whether no other process can hold this lock now.
    pub(super) fn is_exclusive(&self) -> bool {
        self.exclusive
    }
}

/// Opens the file, writable for the group so that its members can lock it too.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            #[cfg(unix)]
            // Python's client sets the same mode whatever the umask is; on a file system without modes this is no error.
            let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o664));
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.create(true).truncate(false).open(path),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_removed(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

/// On other systems an open file cannot be removed.
#[cfg(not(unix))]
fn is_removed(_: &File) -> io::Result<bool> {
    Ok(false)
}
