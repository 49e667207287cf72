//! The cache on disk: blobs by content, snapshots of links to them, refs from revision to commit, a lock for each blob.
//!
//! It knows no network. The invariant: a blob has its final name only when it is whole, a snapshot holds links to whole blobs only, and
//! everything is staged beside its place and then renamed.

use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
};

use super::selection;
use crate::{Error, Result};

/// Whether a word from the hub (a commit, a content's identity) is fit to be a file name.
pub(super) fn is_plain_name(word: &str) -> bool {
    (1..=128).contains(&word.len())
        && !word.starts_with('.')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The cache of one repository.
pub(super) struct RepoCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache_dir: &Path, repo_id: &str) -> Self {
        let folder = format!("models--{}", repo_id.replace('/', "--"));
        Self { root: cache_dir.join(&folder), locks: cache_dir.join(".locks").join(folder) }
    }

    /// The snapshot of a revision or commit, if it holds all that a model needs.
    ///
    /// # Errors
    /// What is missing, in words.
    pub(super) fn whole_model(&self, revision: &str) -> Result<PathBuf, String> {
        let commit = match std::fs::read_to_string(self.root.join("refs").join(revision)) {
            Ok(commit) => commit.trim().to_owned(),
            Err(_) => revision.to_owned(),
        };
        let folder = self.root.join("snapshots").join(&commit);
        if !is_plain_name(&commit) || !folder.is_dir() {
            return Err(format!("the cache {} does not hold its revision {revision:?}", self.root.display()));
        }
        let reason = |reason: String| format!("the cache lacks a part of it: {reason} in {}", folder.display());
        selection::choose(&files_of(&folder)).map_err(reason)?;
        Ok(folder)
    }

    /// Whether a snapshot has the file, whole.
    pub(super) fn has(&self, commit: &str, name: &str) -> bool {
        self.pointer(commit, name).is_file()
    }

    pub(super) fn has_blob(&self, blob: &str) -> bool {
        self.blob(blob).is_file()
    }

    /// Where a blob is gathered until it is whole.
    pub(super) fn incomplete(&self, blob: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{blob}.incomplete"))
    }

    /// Waits until no other process fetches this blob; the lock lasts as long as the file that is returned.
    pub(super) fn lock(&self, blob: &str) -> Result<File> {
        let path = self.locks.join(format!("{blob}.lock"));
        make_folder(&self.locks)?;
        make_folder(&self.root.join("blobs"))?;
        let lock = || {
            let file = File::create(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|source| Error::Io { path: path.clone(), source })
    }

    /// Gives a gathered blob its final name.
    pub(super) fn complete(&self, blob: &str) -> Result<()> {
        rename(&self.incomplete(blob), &self.blob(blob))
    }

    /// Puts a whole blob into a snapshot.
    pub(super) fn link(&self, commit: &str, name: &str, blob: &str) -> Result<()> {
        let pointer = self.pointer(commit, name);
        if let Some(folder) = pointer.parent() {
            make_folder(folder)?;
        }
        let staged = pointer.with_extension("staged");
        // Left behind by a process that was killed.
        let _ = std::fs::remove_file(&staged);
        // As many steps up as the name has parts, and two more for snapshots/COMMIT.
        let target: PathBuf = std::iter::repeat_n("..", name.split('/').count() + 1).chain(["blobs", blob]).collect();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&target, &staged).map_err(|source| Error::Io { path: staged.clone(), source })?;
        #[cfg(not(unix))]
        {
            let _ = target;
            std::fs::copy(self.blob(blob), &staged).map_err(|source| Error::Io { path: staged.clone(), source })?;
        }
        rename(&staged, &pointer)
    }

    /// Remembers which commit a revision stands for.
    pub(super) fn set_revision(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let staged = path.with_extension("staged");
        std::fs::write(&staged, commit).map_err(|source| Error::Io { path: staged.clone(), source })?;
        rename(&staged, &path)
    }

    /// A small JSON file of a snapshot.
    pub(super) fn read_json(&self, commit: &str, name: &str) -> Result<serde_json::Value> {
        let path = self.pointer(commit, name);
        let bytes = std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| Error::file(path, format!("is no JSON: {error}")))
    }

    fn blob(&self, blob: &str) -> PathBuf {
        self.root.join("blobs").join(blob)
    }

    fn pointer(&self, commit: &str, name: &str) -> PathBuf {
        self.root.join("snapshots").join(commit).join(name)
    }
}

/// The files of a snapshot, two levels deep, whose blobs are there.
fn files_of(folder: &Path) -> BTreeSet<String> {
    let list =
        |path: &Path| -> Vec<PathBuf> { std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect() };
    let level = list(folder);
    let below: Vec<_> = level.iter().filter(|path| path.is_dir()).flat_map(|path| list(path)).collect();
    let files = level.iter().chain(&below).filter(|path| path.is_file());
    let relative = |path: &Path| Some(path.strip_prefix(folder).ok()?.to_str()?.replace('\\', "/"));
    files.filter_map(|path| relative(path)).collect()
}

fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|source| Error::Io { path: path.into(), source })
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|source| Error::Io { path: to.into(), source })
}
