//! One part of a checkpoint in CompVis' naming (LDM): its tensors without their prefix, and queries of their shapes.
//!
//! This module must not depend on which part it is: [`super::ldm_unet`], [`super::ldm_vae`] and [`super::ldm_text`] infer the part's
//! configuration from shapes and rename its tensors as diffusers' `loaders/single_file_utils.py` does.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Component, strided::StoredTensor, table::TensorTable};
use crate::{Error, Result};

/// The tensors of one part.
pub(super) struct LdmPart {
    component: Component,
    file: PathBuf,
    prefix: &'static str,
    tensors: BTreeMap<String, StoredTensor>,
}

impl LdmPart {
    /// The tensors of `all` that start with the first of `prefixes` that occurs.
    pub(super) fn new(component: Component, file: PathBuf, prefixes: &[&'static str], all: &[(String, StoredTensor)]) -> Self {
        let is_there = |prefix: &&&str| all.iter().any(|(name, _)| name.starts_with(**prefix));
        let prefix = prefixes.iter().find(is_there).or(prefixes.first()).copied().unwrap_or_default();
        let tensors = all.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))).collect();
        Self { component, file, prefix, tensors }
    }

    /// Whether a tensor exists.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Whether any tensor's name starts with `start`.
    pub(super) fn has_any(&self, start: &str) -> bool {
        self.tensors.range(start.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(start))
    }

    /// The first `n` for which no tensor's name starts with `start(n)`.
    pub(super) fn count(&self, start: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|index| self.has_any(&start(*index))).count()
    }

    /// The shape of a required tensor.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing.
    pub(super) fn shape(&self, name: &str) -> Result<&[usize]> {
        self.tensor(name).map(StoredTensor::shape)
    }

    /// One dimension of a required tensor.
    ///
    /// # Errors
    /// [`Error::Weights`] if the tensor is missing or has fewer dimensions.
    pub(super) fn dimension(&self, name: &str, axis: usize) -> Result<usize> {
        let shape = self.shape(name)?;
        shape.get(axis).copied().ok_or_else(|| self.fail(name, format!("expected {} dimensions or more, found shape {shape:?}", axis + 1)))
    }

    /// A required tensor.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing.
    pub(super) fn tensor(&self, name: &str) -> Result<&StoredTensor> {
        self.tensors.get(name).ok_or_else(|| self.fail(name, "missing"))
    }

    /// The names, without the part's prefix.
    pub(super) fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor's name in the file.
    pub(super) fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// An error about one tensor, under its name in the file.
    pub(super) fn fail(&self, name: &str, reason: impl Into<String>) -> Error {
        Error::Weights { component: self.component, file: self.file.clone(), tensor: self.full_name(name), reason: reason.into() }
    }

    /// The part's tensors under diffusers' names; `rename` returns no name for a tensor that is not read, and several for one that
    /// diffusers splits.
    ///
    /// # Errors
    /// Those of `rename`, and [`Error::Weights`] if two tensors get the same name.
    pub(super) fn rename(&self, mut rename: impl FnMut(&str, &StoredTensor) -> Result<Vec<(String, StoredTensor)>>) -> Result<TensorTable> {
        let mut table = TensorTable::new(self.component, &self.file);
        for (name, tensor) in &self.tensors {
            for (name, tensor) in rename(name, tensor)? {
                table.insert(name, tensor)?;
            }
        }
        Ok(table)
    }
}

/// Splits a name at its first dot into a number and the rest: "3.norm.weight" into 3 and "norm.weight".
pub(super) fn numbered(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.split_once('.')?;
    Some((number.parse().ok()?, rest))
}
