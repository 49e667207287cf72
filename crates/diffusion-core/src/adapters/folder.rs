//! The folder of adapters that the operator chose: requests name its files, and reach no other.
//!
//! This module must not depend on what adapters hold. Invariant: a name is one file name without its extension; whatever could lead out of
//! the folder is refused before the file system is asked. Links that the operator puts into the folder are followed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Adapter, AdapterChoice, AppliedAdapter, first_of, stamp_of};
use crate::{Error, Result};

/// The endings of adapter files, the first that exists is taken.
const EXTENSIONS: [&str; 4] = ["safetensors", "pt", "bin", "ckpt"];

/// The longest name, in bytes: what file systems take, less the ending.
const LONGEST_NAME: usize = 240;

/// A folder of adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFolder {
    root: PathBuf,
}

impl AdapterFolder {
    /// The folder at `root`.
    ///
    /// # Errors
    /// [`Error::File`] if it is no folder or does not exist.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if root.is_dir() { Ok(Self { root }) } else { Err(Error::file(root, "is no folder of adapters")) }
    }

    /// The adapters' names, sorted.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.root).map_err(|source| Error::Io { path: self.root.clone(), source })?;
        let mut names: Vec<String> = entries.filter_map(|entry| name_of(&entry.ok()?.path())).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// A sentence for each name that several files have.
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
        Ok(self.names()?.iter().filter_map(remark).collect())
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
    (EXTENSIONS.contains(&extension) && check_name(name).is_ok() && path.is_file()).then(|| name.to_owned())
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
        assert_eq!(remarks.len(), 1);
        assert!(remarks[0].ends_with("the adapter a b is a b.safetensors; a b.pt is never read: rename or remove it"), "{remarks:?}");
        for name in ["../x", "..", "", "/etc/passwd", "a/b", "a\\b", "c:x", ".hidden", "x\0", "inside/../../x", " lead", &"n".repeat(300)] {
            let message = folder.find(name).err().unwrap().to_string();
            assert!(message.contains("is no adapter's name"), "{name:?}: {message}");
        }
        let message = folder.find("x").err().unwrap().to_string();
        assert_eq!(message, "loras: \"x\" is none of the adapters here: a b, c");
        std::fs::remove_dir_all(outside).unwrap();
    }
}
