//! Checks early whether an output file or folder can be written, before any work is done for it.
//!
//! The invariant: the check leaves nothing behind, neither a folder nor a file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::failure::Usage;

/// Checks an output file, whose missing folders would be created.
///
/// # Errors
/// [`Usage`] if it cannot be written.
pub(crate) fn check_file(flag: &str, path: &Path) -> Result<(), Usage> {
    let refused = |reason: &str| Usage(format!("{flag} {}: {reason}", path.display()));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(refused("is a folder; name a file in it")),
        Ok(found) if !found.is_file() => return Err(refused("is no regular file")),
        Ok(_) => {}
        Err(error) => check_absent(flag, path, &error)?,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    check_writable(flag, path, folder)
}

/// Checks an output folder.
///
/// # Errors
/// [`Usage`] if nothing can be written to it.
pub(crate) fn check_folder(flag: &str, path: &Path) -> Result<(), Usage> {
    check_writable(flag, path, if path.as_os_str().is_empty() { Path::new(".") } else { path })
}

/// Accepts an error that only means that the path does not exist.
fn check_absent(flag: &str, path: &Path, error: &io::Error) -> Result<(), Usage> {
    // If a file stands where a folder should be, a later check reports that file by name.
    let is_absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    if is_absent { Ok(()) } else { Err(Usage(format!("{flag} {}: {error}", path.display()))) }
}

/// Creates a temporary file in the folder, or in its nearest existing ancestor.
fn check_writable(flag: &str, path: &Path, folder: &Path) -> Result<(), Usage> {
    let refused = |folder: &Path, reason: &dyn std::fmt::Display| {
        Usage(format!("{flag} {}: nothing can be written to {}: {reason}", path.display(), folder.display()))
    };
    let above = folder.ancestors().map(|above| if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() });
    for above in above {
        match fs::metadata(&above) {
            Ok(found) if !found.is_dir() => return Err(refused(&above, &"it is no folder")),
            Ok(_) => {
                let tried = tempfile::Builder::new().prefix(".framewright-").suffix(".part").tempfile_in(&above);
                return tried.map(drop).map_err(|error| refused(&above, &reason(&error)));
            }
            Err(error) => check_absent(flag, &above, &error)?,
        }
    }
    Err(refused(folder, &"there is no such folder"))
}

/// The system's reason, without the path that the message already contains.
fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.kind().to_string(), |code| io::Error::from_raw_os_error(code).to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_path_is_good_if_it_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "a").unwrap();
        fs::create_dir(at("folder")).unwrap();
        for good in ["a.png", "new/er/a.png", "file", "folder/a.png"] {
            check_file("--out", &at(good)).unwrap();
        }
        for (bad, reason) in [
            ("folder", "is a folder"),
            ("file/a.png", "it is no folder"),
            ("file/b/a.png", "it is no folder"),
            (&"x".repeat(300), "too long"),
        ] {
            let refused = check_file("--out", &at(bad)).unwrap_err().0;
            assert!(refused.starts_with("--out ") && refused.contains(reason), "{bad}: {refused}");
        }
        for good in ["", "folder", "new/er"] {
            check_folder("--out", &at(good)).unwrap();
        }
        assert!(check_folder("--out", &at("file")).unwrap_err().0.contains("it is no folder"));
        assert!(check_file("--out", Path::new("/dev/null")).unwrap_err().0.contains("no regular file"));
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["file", "folder"], "nothing stays behind");
    }
}
