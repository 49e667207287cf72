//! The ControlNets that the operator chose: requests name the entries of a folder, and reach no other.
//!
//! This module must not depend on what nets compute. Invariant: a name is one file name; whatever could lead out of the folder is refused
//! before the file system is asked. Links that the operator puts into the folder are followed.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    faults::{KnownFaults, of_files, of_names, reason},
    first_of,
    folder::is_plain_name,
    stamp_of,
};
use crate::{Error, Result, weights::check_controlnet};

/// The endings of files; the first that exists is taken.
const EXTENSIONS: [&str; 5] = ["safetensors", "pth", "pt", "bin", "ckpt"];

/// ControlNets by their names: sub-folders and files of a folder, and paths with names of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlNetFolder {
    root: Option<PathBuf>,
    named: Vec<(String, PathBuf)>,
    faults: KnownFaults,
}

impl ControlNetFolder {
    /// The folder at `root`, whose sub-folders and files are ControlNets.
    ///
    /// # Errors
    /// [`Error::File`] if it is no folder or does not exist.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let is_folder = root.is_dir();
        if is_folder { Ok(Self { root: Some(root), ..Self::default() }) } else { Err(Error::file(root, "is no folder of ControlNets")) }
    }

    /// The same, and the ControlNet at `path` by a name that comes before the folder's.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.named.push((name.into(), path.into()));
        self
    }

    /// The names, sorted.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.named.iter().map(|(name, _)| name.clone()).collect();
        names.extend(self.entries()?.iter().filter_map(|path| name_of(path)).filter(|name| is_plain_name(name)));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What lies in the folder, in the order of names.
    fn entries(&self) -> Result<Vec<PathBuf>> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let entries = std::fs::read_dir(root).map_err(|source| Error::Io { path: root.clone(), source })?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        Ok(paths)
    }

    /// Refuses a net whose files cannot be used, as far as its configuration and the start of its weights tell; no tensor is read. `config`
    /// judges the configuration of a net that is a folder.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Error::Params`] for files that are damaged or something else.
    pub fn check(&self, name: &str, config: impl Fn(&Value) -> Result<()>) -> Result<()> {
        self.fault(name, config)?.map_or(Ok(()), |fault| Err(refused(format!("{name}: {fault}"))))
    }

    fn fault(&self, name: &str, config: impl Fn(&Value) -> Result<()>) -> Result<Option<String>> {
        let path = self.find(name)?;
        let judge = |path: &Path| {
            let found = check_controlnet(path).and_then(|found| found.map_or(Ok(()), |found| config(&found)));
            found.map_err(|error| Self::reason(&error))
        };
        Ok(self.faults.of(&path, Self::stamp(&path), judge))
    }

    /// A fault in a net's files without their folder: a net may have several, so the one at fault is named.
    pub fn reason(error: &Error) -> String {
        let reason = reason(error);
        let Error::File { file, .. } = error else { return reason };
        file.file_name().map_or_else(|| reason.clone(), |file| format!("{}: {reason}", file.to_string_lossy()))
    }

    /// The names of those that show no fault to [`Self::check`].
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn usable(&self, config: impl Fn(&Value) -> Result<()>) -> Result<Vec<String>> {
        Ok(self.names()?.into_iter().filter(|name| self.check(name, &config).is_ok()).collect())
    }

    /// A sentence for each name that several entries of the folder have, and for entries that cannot be chosen or used.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn remarks(&self, config: impl Fn(&Value) -> Result<()>) -> Result<Vec<String>> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let entries = self.entries()?;
        let named: Vec<(String, &Path)> = entries.iter().filter_map(|path| Some((name_of(path)?, path.as_path()))).collect();
        let (named, left_out): (Vec<_>, Vec<_>) = named.into_iter().partition(|(name, _)| is_plain_name(name));
        let shown = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut remarks = Vec::new();
        for name in self.names()? {
            let first = self.find(&name)?;
            let others: Vec<String> =
                named.iter().filter(|(own, path)| *own == name && *path != first).map(|(_, path)| shown(path)).collect();
            if !others.is_empty() {
                let (root, first, others) = (root.display(), shown(&first), others.join(" and "));
                remarks.push(format!("{root}: the ControlNet {name} is {first}; {others} is never read: rename or remove it"));
            }
        }
        let fault = |name: String| Some((name.clone(), self.fault(&name, &config).ok()??));
        let faults: Vec<(String, String)> = self.names()?.into_iter().filter_map(fault).collect();
        let left_out: Vec<String> = left_out.into_iter().map(|(name, _)| name).collect();
        remarks.extend(of_names(root, &left_out).into_iter().chain(of_files(root, &faults)));
        Ok(remarks)
    }

    /// The folder or the file of a net; where a folder and a file have one name, the folder, and among files the first of the endings.
    ///
    /// # Errors
    /// [`Error::Params`] for a name that is no file name, or that is none of the nets'.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        if let Some((_, path)) = self.named.iter().find(|(own, _)| own == name) {
            return Ok(path.clone());
        }
        if !is_plain_name(name) {
            let shown: String = name.chars().take(60).collect();
            return Err(refused(format!("{shown:?} is no ControlNet's name: give the name of a folder or a file, without its ending")));
        }
        let files = EXTENSIONS.iter().map(|extension| format!("{name}.{extension}"));
        let mut paths = self.root.iter().flat_map(|root| std::iter::once(name.to_owned()).chain(files.clone()).map(|file| root.join(file)));
        if let Some(path) = paths.find(|path| path.join("config.json").is_file() || is_weight_file(path)) {
            return Ok(path);
        }
        Err(refused(format!("{name:?} is none of the ControlNets here: {}", first_of(&self.names()?))))
    }

    /// Identifies the content of a net's files by their paths, sizes and times of change.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be read.
    pub fn stamp(path: &Path) -> Result<u64> {
        if !path.is_dir() {
            return stamp_of(path);
        }
        let entries = std::fs::read_dir(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
        files.sort();
        let mut hasher = DefaultHasher::new();
        for file in files {
            stamp_of(&file)?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

fn is_weight_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file()
}

fn name_of(path: &Path) -> Option<String> {
    let is_folder = path.join("config.json").is_file();
    let name = if is_folder { path.file_name()? } else { path.file_stem().filter(|_| is_weight_file(path))? };
    name.to_str().map(str::to_owned)
}

fn refused(reason: String) -> Error {
    Error::Params { field: "controlnets", reason }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_folders_and_files_and_never_lead_out() {
        let outside = std::env::temp_dir().join(format!("framewright-controlnets-{}", std::process::id()));
        let root = outside.join("inside");
        for folder in ["canny", "empty", "v1.1"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let files = [
            root.join("canny/config.json"),
            root.join("v1.1/config.json"),
            root.join("depth.pth"),
            root.join("notes.txt"),
            outside.join("x.safetensors"),
        ];
        for file in &files {
            std::fs::write(file, "x").unwrap();
        }
        let folder = ControlNetFolder::open(&root).unwrap().with("mine", &files[4]);
        assert_eq!(folder.names().unwrap(), ["canny", "depth", "mine", "v1.1"]);
        assert_eq!(folder.find("canny").unwrap(), root.join("canny"));
        assert_eq!(folder.find("v1.1").unwrap(), root.join("v1.1"));
        assert_eq!(folder.find("depth").unwrap(), files[2]);
        assert_eq!(folder.find("mine").unwrap(), files[4]);
        for name in ["../x", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "inside/../../x", &"n".repeat(300)] {
            assert!(folder.find(name).unwrap_err().to_string().contains("is no ControlNet's name"), "{name:?}");
        }
        for name in ["x", "empty", "notes"] {
            let message = folder.find(name).unwrap_err().to_string();
            assert!(message.ends_with("is none of the ControlNets here: canny, depth, mine and 1 more"), "{message}");
        }
        std::fs::write(root.join("canny.pth"), "x").unwrap();
        std::fs::write(root.join("a:b.pth"), "x").unwrap();
        let remarks = folder.remarks(|_| Ok(())).unwrap();
        assert_eq!(remarks.len(), 3, "{remarks:?}");
        assert!(remarks[0].ends_with("the ControlNet canny is canny; canny.pth is never read: rename or remove it"), "{remarks:?}");
        assert_eq!(folder.find("canny").unwrap(), root.join("canny"));
        assert!(remarks[1].contains("no request can choose a:b: a name has none of the characters"), "{remarks:?}");
        assert!(remarks[2].contains("canny (config.json: is no JSON"), "{remarks:?}");
        assert!(folder.usable(|_| Ok(())).unwrap().is_empty());
        let before = ControlNetFolder::stamp(&root.join("canny")).unwrap();
        std::fs::write(root.join("canny/diffusion_pytorch_model.safetensors"), "xy").unwrap();
        assert_ne!(ControlNetFolder::stamp(&root.join("canny")).unwrap(), before);
        std::fs::remove_dir_all(outside).unwrap();
        assert!(ControlNetFolder::open(root).is_err());
    }
}
