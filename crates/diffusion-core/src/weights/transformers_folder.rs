//! A model as a folder in transformers' layout: config.json, the tokenizer's files and the weights, all at the top.
//!
//! This module must not depend on the meaning of tensors. A model's files are mapped while it is being loaded: do not truncate or rewrite
//! them in place. Weight files are searched as for a component of a diffusers model: model.safetensors, its shards, pytorch_model.bin, its
//! shards, then the half-precision variant.

use std::{path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{Component, DiffusersFolder, TensorSource, WeightSource, folder::check_is_folder};
use crate::{Error, Result};

/// A transformers model folder. Its only component, [`Component::Captioner`], lies at the top.
pub struct TransformersFolder(DiffusersFolder);

impl TransformersFolder {
    /// Opens a folder; reads nothing yet.
    ///
    /// # Errors
    /// [`Error::File`] if the path is not a folder, or one in diffusers' layout.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let root = path.into();
        check_is_folder(&root)?;
        if root.join(Component::ModelIndex.config_file()).is_file() {
            return Err(Error::file(root, "is a diffusers model; expected a folder with one transformers model"));
        }
        Ok(Self(DiffusersFolder::unindexed(root)))
    }
}

impl WeightSource for TransformersFolder {
    fn name(&self) -> String {
        self.0.name()
    }

    fn config(&self, component: Component) -> Result<Value> {
        self.0.config(component)
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        self.0.file(component, file_name)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        self.0.tensors(component)
    }
}
