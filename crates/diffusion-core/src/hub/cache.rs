//! The cache on disk, in the layout of Python's huggingface_hub: blobs by content, snapshots of links to them, refs from revision to
//! commit, listings of commits, and a lock for each blob.
//!
//! This module does not know the network. Invariant: a blob has its final name only when it is complete, a snapshot holds links to complete
//! blobs only, and a file that another process could see half-written is staged beside its place and then renamed. If the file system has
//! no links, the files themselves lie in the snapshot, as with Python's client.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    digest::{Check, Condition},
    listing::Listing,
    partial::eight_digits,
    selection,
};
use crate::{Error, Result};

/// Keeps backup programs out of the cache, as Python's client does (<https://bford.info/cachedir/>).
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by huggingface_hub.
# For information about cache directory tags, see:
#\thttps://bford.info/cachedir/
";

/// Whether a word from the hub (a commit, a blob's name) is safe as a file name.
pub(super) fn is_plain_name(word: &str) -> bool {
    (1..=128).contains(&word.len())
        && !word.starts_with('.')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Why a cache cannot provide a model.
pub(super) enum CacheMiss {
    /// Something is missing; with a description.
    Lacks(String),
    /// A file exists but cannot be used.
    Damaged(Error),
}

impl CacheMiss {
    /// Turns this into an error; `lacks` makes it from the description of what is missing.
    pub(super) fn explain(self, lacks: impl FnOnce(String) -> Error) -> Error {
        match self {
            Self::Lacks(reason) => lacks(reason),
            Self::Damaged(error) => error,
        }
    }
}

/// The cache of one repository.
pub(super) struct RepoCache {
    cache_dir: PathBuf,
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache_dir: &Path, repo_id: &str) -> Self {
        let folder = format!("models--{}", repo_id.replace('/', "--"));
        Self { cache_dir: cache_dir.into(), root: cache_dir.join(&folder), locks: cache_dir.join(".locks").join(folder) }
    }

    /// The commit of a revision, and its snapshot, if it holds all files that a model needs, each with the length in the hub's listing.
    pub(super) fn whole_model(&self, revision: &str) -> Result<(String, PathBuf), CacheMiss> {
        let commit = match fs::read_to_string(self.root.join("refs").join(revision)) {
            Ok(commit) => commit.trim().to_owned(),
            Err(_) => revision.to_owned(),
        };
        let folder = self.root.join("snapshots").join(&commit);
        if !is_plain_name(&commit) || !folder.is_dir() {
            return Err(CacheMiss::Lacks(format!("the cache {} does not hold its revision {revision:?}", self.root.display())));
        }
        let lacks = |reason: String| CacheMiss::Lacks(format!("the cache lacks a part of it: {reason} in {}", folder.display()));
        let chosen = selection::choose(&files_of(&folder)).map_err(lacks)?;
        let listing = self.listing(&commit);
        for (name, entry) in chosen.iter().filter_map(|name| Some((name, listing.as_ref()?.files.get(name)?))) {
            let path = folder.join(name);
            let found = Condition::of(&path, entry.size(), &entry.digest(), Check::Length, &mut |_| {}).map_err(CacheMiss::Damaged)?;
            if let Condition::Damaged(reason) = found {
                return Err(CacheMiss::Damaged(Error::file(path, format!("is damaged: {reason}"))));
            }
        }
        Ok((commit, folder))
    }

    /// Creates the folders that a download needs.
    pub(super) fn prepare(&self) -> Result<()> {
        make_folder(&self.locks)?;
        make_folder(&self.blobs())?;
        let tag = self.cache_dir.join("CACHEDIR.TAG");
        if !tag.exists() {
            // The cache works without its tag.
            let _ = fs::write(tag, CACHEDIR_TAG);
        }
        Ok(())
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn blob(&self, blob: &str) -> PathBuf {
        self.blobs().join(blob)
    }

    pub(super) fn lock(&self, blob: &str) -> PathBuf {
        self.locks.join(format!("{blob}.lock"))
    }

    /// The path of a file in a snapshot.
    pub(super) fn pointer(&self, commit: &str, name: &str) -> PathBuf {
        self.root.join("snapshots").join(commit).join(name)
    }

    /// Links a blob into a snapshot, replacing what is there. If links cannot be made, copies the blob, or moves it if it is `new`.
    pub(super) fn link(&self, commit: &str, name: &str, blob: &str, new: bool) -> Result<()> {
        let pointer = self.pointer(commit, name);
        if let Some(folder) = pointer.parent() {
            make_folder(folder)?;
        }
        let Err(source) = replace_by_link(&pointer, &target(name, blob)) else { return Ok(()) };
        let blob = self.blob(blob);
        let placed = if new {
            fs::rename(blob, &pointer)
        } else {
            let staged = staged(&pointer);
            fs::copy(blob, &staged).and_then(|_| fs::rename(&staged, &pointer))
        };
        // The error of the link says more than the error of the copy.
        placed.map_err(|_| Error::Io { path: pointer, source })
    }

    /// Gives the blob `old` the additional name `new`, which must be free.
    pub(super) fn add_name(&self, old: &str, new: &str) -> Result<()> {
        let (from, to) = (self.blob(old), self.blob(new));
        fs::hard_link(&from, &to).or_else(|_| fs::rename(&from, &to)).map_err(|source| Error::Io { path: to, source })
    }

    /// Redirects every link of the snapshots from the blob `old` to the blob `new`, and removes `old`.
    pub(super) fn retire(&self, old: &str, new: &str) -> Result<()> {
        for snapshot in list(&self.root.join("snapshots")) {
            for pointer in links_in(&snapshot) {
                if fs::read_link(&pointer).is_ok_and(|target| target.file_name().is_some_and(|blob| blob == old)) {
                    let name = pointer.strip_prefix(&snapshot).unwrap_or(&pointer).to_string_lossy().replace('\\', "/");
                    replace_by_link(&pointer, &target(&name, new)).map_err(|source| Error::Io { path: pointer, source })?;
                }
            }
        }
        // If it was renamed, it is already gone.
        let _ = fs::remove_file(self.blob(old));
        Ok(())
    }

    /// Stores the commit of a revision.
    pub(super) fn set_revision(&self, revision: &str, commit: &str) -> Result<()> {
        let path = self.root.join("refs").join(revision);
        if revision == commit || fs::read_to_string(&path).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        match write(&path, commit.as_bytes()) {
            // A read-only cache works without the ref.
            Err(Error::Io { source, .. })
                if matches!(source.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) =>
            {
                Ok(())
            }
            written => written,
        }
    }

    /// The hub's listing of a commit, if any client has stored it.
    pub(super) fn listing(&self, commit: &str) -> Option<Listing> {
        Listing::parse(&fs::read(self.listing_path(commit)).ok()?)
    }

    /// Stores the hub's listing of a commit, and a marker for each file in `absent`, so that Python's client need not request them.
    pub(super) fn keep_listing(&self, commit: &str, listing: &Listing, absent: &[String]) {
        // This only saves requests, so errors are ignored.
        if self.listing(commit).as_ref() != Some(listing)
            && let Ok(text) = listing.to_json()
        {
            let _ = write(&self.listing_path(commit), &text);
        }
        for name in absent {
            let path = self.root.join(".no_exist").join(commit).join(name);
            if !path.exists() {
                let _ = write(&path, b"");
            }
        }
    }

    /// A small JSON file of a snapshot.
    pub(super) fn read_json(&self, commit: &str, name: &str) -> Result<serde_json::Value> {
        let path = self.pointer(commit, name);
        let bytes = fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| Error::file(path, format!("is no JSON: {error}")))
    }

    fn listing_path(&self, commit: &str) -> PathBuf {
        self.root.join("trees").join(format!("{commit}.json"))
    }
}

/// The relative path from a snapshot's file to its blob: one step up for each part of the name, and one more for `snapshots`.
fn target(name: &str, blob: &str) -> PathBuf {
    std::iter::repeat_n("..", name.split('/').count() + 1).chain(["blobs", blob]).collect()
}

/// Creates a link, replacing what is there.
fn replace_by_link(pointer: &Path, target: &Path) -> io::Result<()> {
    match symlink(target, pointer) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let staged = staged(pointer);
            symlink(target, &staged)?;
            fs::rename(staged, pointer)
        }
        made => made,
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// Writes a small file atomically.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let staged = staged(path);
    fs::write(&staged, bytes).and_then(|()| fs::rename(&staged, path)).map_err(|source| {
        let _ = fs::remove_file(&staged);
        Error::Io { path: path.into(), source }
    })
}

/// The staging name, in the form of Python's client: `main.1a2b3c4d.tmp`.
fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{}.tmp", eight_digits()))
}

/// The files of a snapshot, two levels deep, whose blobs exist.
fn files_of(folder: &Path) -> BTreeSet<String> {
    let level = list(folder);
    let below: Vec<_> = level.iter().filter(|path| path.is_dir()).flat_map(|path| list(path)).collect();
    let files = level.iter().chain(&below).filter(|path| path.is_file());
    let relative = |path: &Path| Some(path.strip_prefix(folder).ok()?.to_str()?.replace('\\', "/"));
    files.filter_map(|path| relative(path)).collect()
}

/// All links below a folder; links are not followed.
fn links_in(folder: &Path) -> Vec<PathBuf> {
    let (mut links, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in list(&folder) {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            if found.is_dir() {
                folders.push(path);
            } else if found.is_symlink() {
                links.push(path);
            }
        }
    }
    links
}

fn list(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::Io { path: path.into(), source })
}
