//! Opening a file by a name that a stranger chose, inside one folder and nowhere else.
//!
//! It must not know whose file it is. The invariant: what is opened is an ordinary file whose real path is the folder's real path and
//! the name, letter by letter. Names are of a strict alphabet that holds no separator but the slash between at most [`MAX_DEPTH`] parts,
//! no part begins or ends with a dot (so neither `..` nor a hidden or staged file is a name), and a link anywhere on the way is refused
//! even if it leads back inside. A percent sign is in no name: the router has decoded once, and nothing here decodes again.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// The longest part of a name, in bytes.
pub const MAX_NAME: usize = 128;
/// The most parts between slashes.
pub const MAX_DEPTH: usize = 3;

/// Why a name opens nothing. To clients all but the last are one answer: there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It is no name of a file of ours.
    #[error("it is no name of a file")]
    Name,
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// A link is on the way, or what lies there is no ordinary file.
    #[error("what lies there is no ordinary file, or it lies elsewhere")]
    NotAFile,
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A file that is open, and was inside.
#[derive(Debug)]
pub struct SandboxedFile {
    /// The file, open to read.
    pub file: File,
    /// Where it really lies.
    pub path: PathBuf,
}

/// Opens `untrusted` inside of `root`. Blocks for as long as the disk takes.
///
/// # Errors
/// [`SandboxError`] if it is no name, there is no such file, or it is not inside.
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
    // Asked of the open file, so that nothing can take its place in between.
    if file.metadata()?.is_file() { Ok(SandboxedFile { file, path }) } else { Err(SandboxError::NotAFile) }
}

/// Whether a text can be the name of a file or a folder of ours.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !text.contains("..")
}

/// Neither through a link nor waiting for a pipe's other end.
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
        // Too many links on the way.
        #[cfg(unix)]
        _ if error.raw_os_error() == Some(libc::ELOOP) => SandboxError::NotAFile,
        _ => SandboxError::Io(error),
    }
}
