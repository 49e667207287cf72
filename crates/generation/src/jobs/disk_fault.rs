//! Why a disk or a database refuses, in words for any caller: no path, no error number.
//!
//! It must not know jobs or HTTP. Invariant: every error of the operating system and of SQLite maps to one fault, so a caller sees the same
//! reason whichever of them noticed it first.

use std::{error::Error, fmt, io};

use rusqlite::ErrorCode;

/// Why the disk or the database refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Another program holds the database.
    Locked,
    /// No space left, or a quota is used up.
    Full,
    /// Writing is not permitted.
    ReadOnly,
    /// The process has as many files open as it may.
    TooManyFiles,
    /// The folder or the database is no longer where it was.
    Gone,
    /// Stored data cannot be read.
    Damaged,
    /// Any other error; the log has the details.
    Failing,
}

impl DiskFault {
    /// The fault behind an error; `None` if neither the operating system nor SQLite caused it.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (**error).source()).find_map(|error| {
            let of_image = || match error.downcast_ref::<image::ImageError>() {
                // `source()` of an `ImageError` skips the I/O error and returns its cause.
                Some(image::ImageError::IoError(error)) => Some(Self::of_io(error)),
                _ => None,
            };
            let of_io = || error.downcast_ref::<io::Error>().map(Self::of_io);
            let of_sqlite = || error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error).map(Self::of_sqlite);
            of_io().or_else(of_sqlite).or_else(of_image)
        })
    }

    /// The fault behind an error of the operating system.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive, and most kinds do not concern disks")]
    pub fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        if is_out_of_files(error) {
            return Self::TooManyFiles;
        }
        match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Self::Full,
            Kind::ReadOnlyFilesystem | Kind::PermissionDenied => Self::ReadOnly,
            Kind::NotFound | Kind::NotADirectory | Kind::StaleNetworkFileHandle => Self::Gone,
            // The cause may be wrapped in an encoder's error.
            _ => error.get_ref().and_then(|inner| Self::of(inner)).unwrap_or(Self::Failing),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive, and most codes do not concern disks")]
    fn of_sqlite(error: &rusqlite::ffi::Error) -> Self {
        match error.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly if error.extended_code == rusqlite::ffi::SQLITE_READONLY_DBMOVED => Self::Gone,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::CannotOpen => Self::Gone,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            _ => Self::Failing,
        }
    }
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "another program holds the database",
            Self::Full => "the disk is full",
            Self::ReadOnly => "the disk is read-only",
            Self::TooManyFiles => "too many files are open",
            Self::Gone => "the data folder is gone",
            Self::Damaged => "what is stored is damaged",
            Self::Failing => "the disk fails",
        })
    }
}

/// `EMFILE` and `ENFILE`, which have no [`io::ErrorKind`].
fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

// The error numbers are Linux's.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{BackendError, jobs::StoreError};

    #[test]
    fn every_disk_error_maps_to_its_fault_at_any_depth() {
        let io = io::Error::from_raw_os_error;
        for (number, fault) in [
            (28, DiskFault::Full),
            (122, DiskFault::Full),
            (30, DiskFault::ReadOnly),
            (13, DiskFault::ReadOnly),
            (24, DiskFault::TooManyFiles),
            (23, DiskFault::TooManyFiles),
            (2, DiskFault::Gone),
            (116, DiskFault::Gone),
            (5, DiskFault::Failing),
        ] {
            let encoder = || video_encode::Error::File { path: "a.mp4".into(), doing: "writing", source: io(number) };
            let image = video_encode::Error::Image { path: "a.png".into(), source: image::ImageError::IoError(io(number)) };
            let store = StoreError::Folder { path: "a".into(), source: io(number) };
            let staged = StoreError::Artifact(crate::ArtifactError { path: "a".into(), source: io(number) });
            assert_eq!(DiskFault::of(&BackendError::Video(encoder())), Some(fault), "{number}");
            assert_eq!(DiskFault::of(&BackendError::Video(image)), Some(fault), "{number}");
            assert_eq!((store.fault(), staged.fault()), (fault, fault), "{number}");
            let wrapped = io::Error::other(image::ImageError::IoError(io::Error::other(io(number))));
            assert_eq!(DiskFault::of_io(&wrapped), fault, "{number}");
        }
        let sqlite = |code| StoreError::Database(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        for (code, fault) in [
            (rusqlite::ffi::SQLITE_BUSY, DiskFault::Locked),
            (rusqlite::ffi::SQLITE_FULL, DiskFault::Full),
            (rusqlite::ffi::SQLITE_READONLY, DiskFault::ReadOnly),
            (rusqlite::ffi::SQLITE_READONLY_DBMOVED, DiskFault::Gone),
            (rusqlite::ffi::SQLITE_CANTOPEN, DiskFault::Gone),
            (rusqlite::ffi::SQLITE_CORRUPT, DiskFault::Damaged),
            (rusqlite::ffi::SQLITE_NOTADB, DiskFault::Damaged),
            (rusqlite::ffi::SQLITE_IOERR, DiskFault::Failing),
        ] {
            assert_eq!(sqlite(code).fault(), fault, "{code}");
        }
        let encoder = video_encode::Error::Empty { path: "a".into() };
        assert_eq!(DiskFault::of(&encoder), None, "no disk has a part in it");
    }
}
