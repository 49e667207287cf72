//! The job folders on disk: `artifacts`, `staging` and `journal`, each with one folder per job; beside them, `parts` of videos.
//!
//! It must not know what jobs keep in theirs. Invariant: only folders with a job's name are removed.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::{artifacts::is_plain_name, error::StoreError};

/// The folders in a store's root.
pub(super) const ARTIFACTS: &str = "artifacts";
pub(super) const JOURNALS: &str = "journal";
pub(super) const STAGING: &str = "staging";
pub(super) const PARTS: &str = "parts";
/// Prefix of temporary files that probe for free space.
pub(super) const PROBE: &str = ".room-";

/// Creates the root, accessible to this user only (prompts and images are private), and these folders in it.
pub(super) fn make(root: &Path, folders: &[&str]) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(root).map_err(refused(root))?;
    for folder in folders.iter().map(|folder| root.join(folder)) {
        fs::create_dir_all(&folder).map_err(refused(&folder))?;
    }
    Ok(())
}

/// Creates a folder in the root again if it was removed; never the root itself, whose absence may be temporary.
pub(super) fn make_again(folder: &Path) -> Result<(), StoreError> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(refused(folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn refused(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Folder { path, source }
}

/// Removes a folder and its contents; no error if it is not there.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Syncs a file or folder to the disk. (Folders can be synced on Unix only.)
pub(super) fn sync(path: &Path) -> io::Result<()> {
    if cfg!(unix) || path.is_file() { File::open(path)?.sync_all() } else { Ok(()) }
}

/// The jobs whose folders contain a file that `counts` accepts.
pub(super) fn jobs_in(folder: &Path, counts: impl Fn(&str) -> bool) -> Result<Vec<String>, StoreError> {
    let holds = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().any(|file| file.file_name().to_str().is_some_and(&counts));
    let entries = fs::read_dir(folder).map_err(refused(folder))?.flatten();
    let jobs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && holds(&entry.path()));
    let mut jobs: Vec<String> = jobs.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_plain_name(name)).collect();
    jobs.sort();
    Ok(jobs)
}

/// Removes the folders that jobs have left behind.
pub(super) fn sweep(folder: &Path, is_left_behind: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(refused(folder))?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if name.starts_with(PROBE) {
            fs::remove_file(&path)
        } else if !is_folder || !is_plain_name(&name) {
            tracing::warn!(path = %path.display(), "not a job's file or folder; left alone");
            continue;
        } else if is_left_behind(&name) {
            fs::remove_dir_all(&path)
        } else {
            continue;
        };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "files that a job left behind cannot be removed");
        }
    }
    Ok(())
}

/// Warns of folders of unknown jobs, which are left alone.
pub(super) fn warn_of_unknown(folder: &Path, is_known: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let unknown: Vec<String> = jobs_in(folder, |_| true)?.into_iter().filter(|name| !is_known(name)).collect();
    if let Some(first) = unknown.first() {
        tracing::warn!(folder = %folder.display(), count = unknown.len(), %first, "files of jobs that the store does not know are left alone");
    }
    Ok(())
}
