//! The database's file: opening it, detecting that it was replaced, and checking its integrity.
//!
//! It must not know the tables. Reference: SQLite's `quick_check`.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use crate::jobs::{DiskFault, error::StoreError};

/// How long opening the database waits for another program's transaction.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements cached per connection: more than this store has.
const STATEMENTS: usize = 64;

/// A file's device and inode.
pub(super) type Identity = (u64, u64);

/// The identity of the file at a path, to detect that another has taken its place.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> std::io::Result<Identity> {
    std::fs::metadata(path).map(|_| (0, 0))
}

/// Refuses a database with an unreadable page. Rows are not checked: a damaged one is reported when it is read, and hides no other.
pub(super) fn check_whole(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let check = || {
        connection.pragma_update(None, "ignore_check_constraints", true)?;
        let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
        connection.pragma_update(None, "ignore_check_constraints", false)?;
        Ok(found)
    };
    let found = check().map_err(|source| unusable(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    Err(StoreError::Damaged { path: path.to_owned(), reason: found.lines().collect::<Vec<_>>().join(": ") })
}

/// An error of opening the database.
pub(super) fn unusable(path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match DiskFault::of(&source) {
        Some(DiskFault::Damaged) => StoreError::Damaged { path, reason: source.to_string() },
        _ => StoreError::Unusable { path, source },
    }
}

/// A connection with a write-ahead log, so that commits survive a crash of the program, and with foreign keys enforced.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(OPEN_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}
