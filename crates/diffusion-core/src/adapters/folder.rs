//! The folder of adapters that the operator chose: requests name its files, and reach no other.
//!
//! This module must not depend on what adapters hold. Invariant: a name is one file name without its extension; whatever could lead out of
//! the folder is refused before the file system is asked. Links that the operator puts into the folder are followed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Adapter, AdapterChoice, AppliedAdapter,
    faults::{KnownFaults, of_files, of_names, reason},
    first_of, stamp_of,
};
use crate::{Error, Result};

/// The endings of adapter files, the first that exists is taken.
const EXTENSIONS: [&str; 4] = ["safetensors", "pt", "bin", "ckpt"];

/// The longest name, in bytes: what file systems take, less the ending.
const LONGEST_NAME: usize = 240;

/// A folder of adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFolder {
    root: PathBuf,
    faults: KnownFaults,
}

impl AdapterFolder {
    /// The folder at `root`.
    ///
    /// # Errors
    /// [`Error::File`] if it is no folder or does not exist.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if root.is_dir() { Ok(Self { root, faults: KnownFaults::default() }) } else { Err(Error::file(root, "is no folder of adapters")) }
    }

    /// The names of the files in the folder that end like an adapter's, whether they can be chosen or not.
    fn all_names(&self) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.root).map_err(|source| Error::Io { path: self.root.clone(), source })?;
        let mut names: Vec<String> = entries.filter_map(|entry| name_of(&entry.ok()?.path())).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The adapters' names, sorted.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        Ok(self.all_names()?.into_iter().filter(|name| is_plain_name(name)).collect())
    }

    /// The names of those whose files show no fault at their start.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn usable(&self) -> Result<Vec<String>> {
        Ok(self.names()?.into_iter().filter(|name| self.check(name).is_ok()).collect())
    }

    /// Refuses an adapter whose file cannot be used, as far as its start tells; no tensor is read.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Error::Params`] for a file that is damaged or something else.
    pub fn check(&self, name: &str) -> Result<()> {
        self.fault(name)?.map_or(Ok(()), |fault| Err(refused(format!("{name}: {fault}"))))
    }

    fn fault(&self, name: &str) -> Result<Option<String>> {
        let path = self.find(name)?;
        Ok(self.faults.of(&path, stamp_of(&path), |path| Adapter::check(path).map_err(|error| reason(&error))))
    }

    /// A sentence for each name that several files have, and for files that cannot be chosen or used.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub fn remarks(&self) -> Result<Vec<String>> {
        let remark = |name: &String| {
            let found: Vec<&str> = EXTENSIONS.into_iter().filter(|end| self.root.join(format!("{name}.{end}")).is_file()).collect();
            let (first, others) = found.split_first()?;
            let others = others.iter().map(|end| format!("{name}.{end}")).collect::<Vec<_>>().join(" and ");
            let folder = self.root.display();
            (!others.is_empty())
                .then(|| format!("{folder}: the adapter {name} is {name}.{first}; {others} is never read: rename or remove it"))
        };
        let (names, left_out): (Vec<String>, Vec<String>) = self.all_names()?.into_iter().partition(|name| is_plain_name(name));
        let fault = |name: &String| Some((name.clone(), self.fault(name).ok()??));
        let faults: Vec<(String, String)> = names.iter().filter_map(fault).collect();
        Ok(names.iter().filter_map(remark).chain(of_names(&self.root, &left_out)).chain(of_files(&self.root, &faults)).collect())
    }

    /// The file of an adapter.
    ///
    /// # Errors
    /// [`Error::Params`] for a name that is no file name, or that the folder does not have.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        let found = EXTENSIONS.iter().map(|extension| self.root.join(format!("{name}.{extension}"))).find(|path| path.is_file());
        if let Some(path) = found {
            return Ok(path);
        }
        let names = self.names()?;
        Err(refused(format!("{name:?} is none of the adapters here: {}", first_of(&names))))
    }

    /// Opens the chosen adapters, to be applied with their weights. Those in `opened` whose files have not changed are not read again.
    ///
    /// # Errors
    /// As [`Self::find`] and [`Adapter::open`].
    pub fn choose(&self, choices: &[AdapterChoice], opened: &[AppliedAdapter]) -> Result<Vec<AppliedAdapter>> {
        let open = |choice: &AdapterChoice| {
            let AdapterChoice { name, unet_weight, text_weight } = choice;
            let path = self.find(name)?;
            let stamp = stamp_of(&path)?;
            let adapter = match opened.iter().find(|one| one.adapter.stamp == stamp) {
                Some(one) => Arc::clone(&one.adapter),
                None => Arc::new(Adapter::open(name, &path)?),
            };
            Ok(AppliedAdapter { adapter, unet_weight: *unet_weight, text_weight: *text_weight })
        };
        choices.iter().map(open).collect()
    }
}

fn name_of(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?;
    let name = path.file_stem()?.to_str()?;
    (EXTENSIONS.contains(&extension) && path.is_file()).then(|| name.to_owned())
}

/// Whether a name is one file name, which cannot lead out of a folder.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.trim() == name
        && !name.starts_with('.')
        && !name.contains(['/', '\\', ':', '<', '>'])
        && !name.contains(char::is_control)
        && name.len() <= LONGEST_NAME
}

/// Refuses a name that is no plain file name.
fn check_name(name: &str) -> Result<()> {
    if is_plain_name(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(60).collect();
    Err(refused(format!(
        "{shown:?} is no adapter's name: give a file's name in the folder of adapters, without folders and without its ending"
    )))
}

fn refused(reason: String) -> Error {
    Error::Params { field: "loras", reason }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_out_of_the_folder() {
        let outside = std::env::temp_dir().join(format!("framewright-adapters-{}", std::process::id()));
        let root = outside.join("inside");
        std::fs::create_dir_all(root.join("folder.safetensors")).unwrap();
        for path in [
            outside.join("x.safetensors"),
            root.join("a b.safetensors"),
            root.join("c.pt"),
            root.join("a b.pt"),
            root.join("notes.txt"),
            root.join(".h.pt"),
            root.join(" lead.pt"),
            root.join("e:0.5.pt"),
        ] {
            std::fs::write(path, "x").unwrap();
        }
        let folder = AdapterFolder::open(&root).unwrap();
        assert_eq!(folder.names().unwrap(), ["a b", "c"]);
        assert_eq!(folder.find("a b").unwrap(), root.join("a b.safetensors"));
        let remarks = folder.remarks().unwrap();
        assert_eq!(remarks.len(), 3);
        assert!(remarks[0].ends_with("the adapter a b is a b.safetensors; a b.pt is never read: rename or remove it"), "{remarks:?}");
        // Hidden files are no concern of anybody's.
        assert!(remarks[1].contains("no request can choose  lead, e:0.5: a name has none of the characters / \\ : < >"), "{remarks:?}");
        assert!(remarks[2].contains("these cannot be used and are not listed: a b (truncated, or no safetensors file"), "{remarks:?}");
        assert!(folder.usable().unwrap().is_empty());
        for name in ["../x", "..", "", "/etc/passwd", "a/b", "a\\b", "c:x", ".hidden", "x\0", "inside/../../x", " lead", &"n".repeat(300)] {
            let message = folder.find(name).err().unwrap().to_string();
            assert!(message.contains("is no adapter's name"), "{name:?}: {message}");
        }
        let message = folder.find("x").err().unwrap().to_string();
        assert_eq!(message, "loras: \"x\" is none of the adapters here: a b, c");
        std::fs::remove_dir_all(outside).unwrap();
    }
}
