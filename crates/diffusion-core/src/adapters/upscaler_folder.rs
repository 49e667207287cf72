//! The upscalers that the operator chose: requests name the files of a folder, and reach no other. Every API and the command line look names
//! up here.
//!
//! This module must not depend on what upscalers compute. Invariant: a name is one file name without its ending; whatever could lead out of
//! the folder is refused before the file system is asked. Links that the operator puts into the folder are followed.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    faults::{of_files, of_names, reason},
    first_of,
    folder::is_plain_name,
    stamp_of,
};
use crate::{
    Error, Result,
    weights::{StopCheck, UpscalerConfig, UpscalerFile},
};

/// The endings of files; the first that exists is taken.
const EXTENSIONS: [&str; 5] = ["safetensors", "pth", "pt", "bin", "ckpt"];

/// What each file is, or why it cannot be used, for the content that a stamp identifies.
type Known = HashMap<PathBuf, (u64, Result<UpscalerConfig, String>)>;

/// Upscalers by their names: the files of a folder, and files with names of their own.
#[derive(Clone, Default)]
pub struct UpscalerFolder {
    root: Option<PathBuf>,
    named: Vec<(String, PathBuf)>,
    known: Arc<Mutex<Known>>,
}

impl fmt::Debug for UpscalerFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpscalerFolder").field("root", &self.root).field("named", &self.named).finish_non_exhaustive()
    }
}

/// Folders with the same entries are the same, whatever was read so far.
impl PartialEq for UpscalerFolder {
    fn eq(&self, other: &Self) -> bool {
        (&self.root, &self.named) == (&other.root, &other.named)
    }
}

impl Eq for UpscalerFolder {}

impl UpscalerFolder {
    /// The folder at `root`.
    ///
    /// # Errors
    /// [`Error::File`] if it is no folder or does not exist.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let is_folder = root.is_dir();
        if is_folder { Ok(Self { root: Some(root), ..Self::default() }) } else { Err(Error::file(root, "is no folder of upscalers")) }
    }

    /// The same, and the upscaler in a file by a name that comes before the folder's.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.named.push((name.into(), path.into()));
        self
    }

    /// Whether no upscaler can be named.
    pub fn is_empty(&self) -> bool {
        self.names().is_ok_and(|names| names.is_empty())
    }

    /// The names of the files in the folder that end like an upscaler's, whether they can be chosen or not.
    fn all_names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.named.iter().map(|(name, _)| name.clone()).collect();
        if let Some(root) = &self.root {
            let entries = std::fs::read_dir(root).map_err(|source| Error::Io { path: root.clone(), source })?;
            names.extend(entries.filter_map(|entry| name_of(&entry.ok()?.path())));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The names, sorted.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        Ok(self.all_names()?.into_iter().filter(|name| is_plain_name(name)).collect())
    }

    /// The upscalers that can be used, with their architectures. A file is read once, until it changes.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn usable(&self) -> Result<Vec<(String, UpscalerConfig)>> {
        Ok(self.names()?.into_iter().filter_map(|name| Some((name.clone(), self.config(&name).ok()?))).collect())
    }

    /// An upscaler's architecture.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Error::Params`] for a file that is damaged or something else.
    pub fn config(&self, name: &str) -> Result<UpscalerConfig> {
        let path = self.find(name)?;
        self.known(&path).map_err(|fault| refused(format!("{name}: {fault}")))
    }

    fn known(&self, path: &Path) -> Result<UpscalerConfig, String> {
        let stamp = stamp_of(path).map_err(|error| reason(&error))?;
        let known = |known: &Known| known.get(path).filter(|(of, _)| *of == stamp).map(|(_, found)| found.clone());
        if let Some(found) = known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        // Unlocked: others need not wait for this file.
        let found = UpscalerFile::open(path).map(|file| file.config().clone()).map_err(|error| reason(&error));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), (stamp, found.clone()));
        found
    }

    /// A sentence for each name that several files have, and for files that cannot be chosen or used.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn remarks(&self) -> Result<Vec<String>> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let remark = |name: &String| {
            let found: Vec<&str> = EXTENSIONS.into_iter().filter(|end| root.join(format!("{name}.{end}")).is_file()).collect();
            let (first, others) = found.split_first()?;
            let others = others.iter().map(|end| format!("{name}.{end}")).collect::<Vec<_>>().join(" and ");
            let folder = root.display();
            (!others.is_empty())
                .then(|| format!("{folder}: the upscaler {name} is {name}.{first}; {others} is never read: rename or remove it"))
        };
        let (names, left_out): (Vec<String>, Vec<String>) = self.all_names()?.into_iter().partition(|name| is_plain_name(name));
        let fault = |name: &String| Some((name.clone(), self.known(&self.find(name).ok()?).err()?));
        let faults: Vec<(String, String)> = names.iter().filter_map(fault).collect();
        Ok(names.iter().filter_map(remark).chain(of_names(root, &left_out)).chain(of_files(root, &faults)).collect())
    }

    /// The file of an upscaler. A name may have its ending, as some programs send it.
    ///
    /// # Errors
    /// [`Error::Params`] for a name that is no file name, or that is none of the upscalers'.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        if let Some((_, path)) = self.named.iter().find(|(own, _)| own == name) {
            return Ok(path.clone());
        }
        if !is_plain_name(name) {
            let shown: String = name.chars().take(60).collect();
            return Err(refused(format!(
                "{shown:?} is no upscaler's name: give a file's name in the folder of upscalers, without folders"
            )));
        }
        let files = EXTENSIONS.iter().map(|extension| format!("{name}.{extension}"));
        let mut paths = self.root.iter().flat_map(|root| files.clone().chain([name.to_owned()]).map(|file| root.join(file)));
        if let Some(path) = paths.find(|path| is_upscaler_file(path)) {
            return Ok(path);
        }
        Err(refused(format!("{name:?} is none of the upscalers here: {}", first_of(&self.names()?))))
    }

    /// Opens an upscaler, to be loaded. `stop` is asked while its file is read.
    ///
    /// # Errors
    /// As [`Self::find`] and [`UpscalerFile::open_until`].
    pub fn open_file(&self, name: &str, stop: &StopCheck) -> Result<UpscalerFile> {
        UpscalerFile::open_until(&self.find(name)?, stop)
    }

    /// Identifies the content of a file by its path, size and time of change.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn stamp(path: &Path) -> Result<u64> {
        stamp_of(path)
    }
}

fn is_upscaler_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file()
}

fn name_of(path: &Path) -> Option<String> {
    path.file_stem().filter(|_| is_upscaler_file(path))?.to_str().map(str::to_owned)
}

fn refused(reason: String) -> Error {
    Error::Params { field: "upscaler", reason }
}
