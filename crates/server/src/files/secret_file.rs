//! A secret that is created once and kept in a file that only its owner can read.
//!
//! It must not know what the secret is for, nor print it. The invariant: only the owner can read the file, from its creation on, and even
//! if copying the folder has loosened its permissions.

use std::{
    io::{self, Write as _},
    path::Path,
};

use diffusion_core::regular_file;

/// The longest secret, in bytes.
const LONGEST: u64 = 4096;

/// The file's text; if the file does not exist, it is created with the text of `draw`.
///
/// # Errors
/// If the file cannot be read or created, or `draw` fails.
pub fn load_or_create(path: &Path, draw: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let secret = draw()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // Temporary files are created private.
    let mut file = tempfile::Builder::new().prefix(".secret-").tempfile_in(folder)?;
    file.write_all(secret.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(secret),
        // Another server with the same folder was faster; its secret wins.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error.error),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let text =
        String::from_utf8(regular_file::read_small(path, LONGEST)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    keep_private(path)?;
    Ok(text)
}

/// Restricts the file to its owner; copying the folder may have loosened its permissions.
#[cfg(unix)]
fn keep_private(path: &Path) -> io::Result<()> {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    if std::fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "others could read this secret; they no longer can");
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_secret_is_created_once_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(load_or_create(&path, || Ok("first".into())).unwrap(), "first");
        assert_eq!(load_or_create(&path, || Ok("second".into())).unwrap(), "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            load_or_create(&path, || Ok(String::new())).unwrap();
            assert_eq!(mode(), 0o600, "a copy that others could read");
        }
    }
}
