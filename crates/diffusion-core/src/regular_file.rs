//! Opens files that users name: regular files only, or an error at once.
//!
//! This module does not depend on file formats. Invariant: nothing here waits for another program to open a FIFO or a device, or reads
//! without a limit from one; the only exception is a stream that the program was started with ([`read_small`]).

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

/// Opens a regular file.
///
/// # Errors
/// The operating system's error, or one that names the kind of file: a folder, a FIFO, a socket, a device.
pub fn open(path: &Path) -> io::Result<File> {
    // Checked before opening, because opening some devices has side effects.
    check(std::fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.read(true).open(path)?;
    // Checked again after opening, because the file may have been replaced in between.
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a small file: a regular one, or a stream that the program was started with, as a shell provides with `<(command)` and
/// `/dev/stdin`.
///
/// # Errors
/// As [`open`], and if the file is longer than `limit` bytes.
pub fn read_small(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let is_stream = cfg!(unix) && ["/dev/stdin", "/dev/fd", "/proc/self/fd"].iter().any(|streams| path.starts_with(streams));
    let file = if is_stream { File::open(path)? } else { open(path)? };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is longer than {limit} bytes")));
    }
    Ok(bytes)
}

fn check(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let (error, what) =
        if kind.is_dir() { (io::ErrorKind::IsADirectory, "a folder") } else { (io::ErrorKind::InvalidInput, special(kind)) };
    Err(io::Error::new(error, format!("is {what}; a regular file is required")))
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_kind: FileType) -> &'static str {
    "a device"
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::{os::unix::net::UnixListener, path::PathBuf, process::Command};

    use super::*;

    #[test]
    fn anything_but_a_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink(at("fifo"), at("link")).unwrap();
        let refusals: [(PathBuf, &str); 6] = [
            (at("fifo"), "is a FIFO"),
            (at("link"), "is a FIFO"),
            (at("socket"), "is a socket"),
            ("/dev/zero".into(), "is a device"),
            ("/dev/null".into(), "is a device"),
            (folder.path().into(), "is a folder"),
        ];
        for (path, what) in refusals {
            for error in [open(&path).map(drop), read(&path).map(drop), read_small(&path, 10).map(drop)].map(Result::unwrap_err) {
                assert!(error.to_string().starts_with(what), "{}: {error}", path.display());
            }
        }
        assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_regular_file_is_read_even_through_a_link_and_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "ten bytes.").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(read(path).unwrap(), b"ten bytes.");
            assert_eq!(read_small(path, 10).unwrap(), b"ten bytes.");
            assert_eq!(read_small(path, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        }
    }
}
