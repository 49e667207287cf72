//! Opens a file by an untrusted name, inside one folder only.
//!
//! It must not know whose file it is. Invariant: the opened file is a regular file whose real path is exactly the folder's real path plus
//! the name. Names use a strict alphabet without separators except the slash between at most [`MAX_DEPTH`] parts; no part begins or ends
//! with a dot, so neither `..` nor a hidden or staged file is a name; a symbolic link anywhere in the path is refused, even if it leads
//! back inside. No name has a percent sign: the router has decoded the URL once, and nothing here decodes again.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// The maximum length of a part of a name, in bytes.
pub const MAX_NAME: usize = 128;
/// The maximum number of parts between slashes.
pub const MAX_DEPTH: usize = 3;

/// Why a name opens nothing. Clients get the same answer for all but the last: there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It is not a valid file name.
    #[error("not a valid file name")]
    Name,
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// There is a link in the path, or it does not lead to a regular file.
    #[error("not a regular file, or outside the folder")]
    NotAFile,
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// An open file inside the folder.
#[derive(Debug)]
pub struct SandboxedFile {
    /// The file, open for reading.
    pub file: File,
    /// Its real path.
    pub path: PathBuf,
}

/// Opens `untrusted` inside `root`. Blocks on disk I/O.
///
/// # Errors
/// [`SandboxError`] if the name is not valid, or there is no such file inside.
pub fn open(root: &Path, untrusted: &str) -> Result<SandboxedFile, SandboxError> {
    if untrusted.split('/').count() > MAX_DEPTH || !untrusted.split('/').all(is_name) {
        return Err(SandboxError::Name);
    }
    let wanted = root.canonicalize().map_err(missing)?.join(untrusted);
    let path = wanted.canonicalize().map_err(missing)?;
    if path != wanted {
        return Err(SandboxError::NotAFile);
    }
    let file = open_no_link(&path).map_err(missing)?;
    // Checked on the open file, so that it cannot be replaced in between.
    if file.metadata()?.is_file() { Ok(SandboxedFile { file, path }) } else { Err(SandboxError::NotAFile) }
}

/// Whether a text is a valid name of a file or a folder.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !text.contains("..")
}

/// Refuses a link, and does not wait for the other end of a pipe.
#[cfg(unix)]
fn open_no_link(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open_no_link(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn missing(error: io::Error) -> SandboxError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SandboxError::Missing,
        // Too many links in the path.
        #[cfg(unix)]
        _ if error.raw_os_error() == Some(libc::ELOOP) => SandboxError::NotAFile,
        _ => SandboxError::Io(error),
    }
}
