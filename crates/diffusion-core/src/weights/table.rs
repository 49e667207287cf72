//! The tensors of one component, gathered from one or several files under today's diffusers names.
//!
//! This module must not depend on the container of a tensor. Invariant: one name, one tensor.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::PathBuf,
};

use candle_core::{DType, Tensor};

use super::{Component, Numbers, TensorShape, TensorSource, names, strided::StoredTensor};
use crate::{Error, Result};

/// A component's tensors by name.
pub(super) struct TensorTable {
    component: Component,
    /// The file in messages about missing tensors: the weight file, or the index of a sharded one.
    file: PathBuf,
    tensors: HashMap<String, StoredTensor>,
}

impl TensorTable {
    /// An empty table; `file` is the file in messages about missing tensors.
    pub(super) fn new(component: Component, file: impl Into<PathBuf>) -> Self {
        Self { component, file: file.into(), tensors: HashMap::new() }
    }

    /// Adds a tensor under its canonical name; one that no model reads is dropped.
    ///
    /// # Errors
    /// [`Error::Weights`] if two stored tensors get the same name.
    pub(super) fn insert(&mut self, name: String, tensor: StoredTensor) -> Result<()> {
        let Some((name, tensor)) = names::canonical(self.component, name, tensor) else { return Ok(()) };
        match self.tensors.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(tensor);
                Ok(())
            }
            Entry::Occupied(occupied) => Err(Error::Weights {
                component: self.component,
                file: tensor.file().path().clone(),
                tensor: occupied.key().clone(),
                reason: "occurs twice, under an old and a new name or in two files".into(),
            }),
        }
    }

    fn stored(&self, tensor: &str, shape: &[usize]) -> Result<&StoredTensor> {
        self.tensors.get(tensor).ok_or_else(|| self.fail(tensor, format!("missing, expected shape {shape:?}")))
    }

    fn fail(&self, tensor: &str, reason: String) -> Error {
        Error::Weights { component: self.component, file: self.file_of(tensor), tensor: tensor.into(), reason }
    }
}

impl TensorSource for TensorTable {
    fn file_of(&self, tensor: &str) -> PathBuf {
        self.tensors.get(tensor).map_or_else(|| self.file.clone(), |tensor| tensor.file().path().clone())
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        self.tensors.get(tensor).map(|tensor| TensorShape::Known(tensor.shape().to_vec()))
    }

    fn precision(&self, tensor: &str) -> Option<(&'static str, usize)> {
        self.tensors.get(tensor).map(|tensor| (tensor.element().name(), tensor.element().bits()))
    }

    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        self.stored(tensor, shape)?.read().map_err(|reason| self.fail(tensor, reason))
    }

    fn read_as(&self, tensor: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        self.stored(tensor, shape)?.read_as(dtype).map_err(|reason| self.fail(tensor, reason))
    }

    fn in_place(&self, tensor: &str, shape: &[usize], take: &mut dyn FnMut(Numbers<'_>)) -> Result<bool> {
        Ok(self.stored(tensor, shape)?.in_place(take))
    }
}
