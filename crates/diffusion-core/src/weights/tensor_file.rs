//! A file of tensors that is no model: an adapter, in safetensors or as torch wrote it.
//!
//! This module must not depend on the meaning of tensors. Invariant: an open file is in memory, so that it may be replaced on disk.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use candle_core::{DType, Tensor};

use super::{
    Component, container,
    mapping::{WeightFile, never},
    strided::StoredTensor,
};
use crate::{Error, Result};

/// The tensors of one file by their stored names.
pub(crate) struct TensorFile {
    path: PathBuf,
    tensors: BTreeMap<String, StoredTensor>,
    notes: HashMap<String, String>,
}

impl TensorFile {
    /// Opens a safetensors or torch file; its contents decide which. `component_of` names a tensor's component in errors.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::File`] if it cannot be read as either; [`Error::Weights`] for a tensor that is truncated.
    pub(crate) fn open(path: &Path, component_of: impl Fn(&str) -> Component) -> Result<Self> {
        // Read, not mapped: people add and replace such files while a server runs.
        let file = WeightFile::read(path.to_owned(), &never())?;
        let contents = container::contents(&file, component_of)?;
        Ok(Self { path: path.to_owned(), tensors: contents.tensors.into_iter().collect(), notes: contents.notes })
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Every name and shape, in the names' order.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape()))
    }

    /// A tensor's name and shape, for messages.
    pub(crate) fn described(&self, name: &str) -> String {
        let shape = self.tensors.get(name).map(|tensor| format!(" {:?}", tensor.shape())).unwrap_or_default();
        format!("{}{shape}", name.escape_debug())
    }

    /// An entry of a safetensors header's `__metadata__`.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    /// Reads a tensor to the CPU in f32.
    ///
    /// # Errors
    /// [`Error::File`] if it is missing, or has a type that cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Tensor> {
        let stored = self.tensors.get(name).ok_or_else(|| self.fail(format!("tensor {name}: missing")))?;
        stored.read_as(DType::F32).map_err(|reason| self.fail(format!("tensor {name}: {reason}")))
    }

    /// An error about this file.
    pub(crate) fn fail(&self, reason: impl Into<String>) -> Error {
        // Names of tensors are a stranger's text.
        let escaped = |character: char| if character.is_control() { character.escape_default().to_string() } else { character.to_string() };
        Error::file(&self.path, reason.into().chars().map(escaped).collect::<String>())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn an_open_file_may_be_cut_and_its_names_cannot_command_a_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ink.safetensors");
        let numbers = Tensor::new(&[1_f32, 2.0], &Device::Cpu).unwrap();
        candle_core::safetensors::save(&HashMap::from([("a\u{1b}[2J", numbers)]), &path).unwrap();
        let file = TensorFile::open(&path, |_| Component::Unet).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(file.read("a\u{1b}[2J").unwrap().to_vec1::<f32>().unwrap(), [1.0, 2.0]);
        let message = file.read("b\u{1b}[2J").unwrap_err().to_string();
        assert!(message.contains("tensor b\\u{1b}[2J: missing"), "{message}");
    }
}
