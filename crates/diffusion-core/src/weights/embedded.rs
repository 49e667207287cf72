//! A model compiled into the program: a diffusers folder as a table of byte strings.
//!
//! This module must not touch the file system. Checks and tensor names are the same as for a folder on disk.

use std::{path::PathBuf, sync::Arc};

use super::{Component, TensorSource, WeightSource, mapping::WeightFile, model_index, python_json, safetensors_file, table::TensorTable};
use crate::{Error, Result};

/// A diffusers folder compiled into the program.
#[derive(Clone, Copy)]
pub struct EmbeddedModel {
    name: &'static str,
    files: &'static [(&'static str, &'static [u8])],
}

impl EmbeddedModel {
    /// A model from its files: each is a path relative to the model's folder ("unet/config.json") and its content. Weights must be
    /// safetensors, not sharded, either plain or of the fp16 variant.
    pub const fn new(name: &'static str, files: &'static [(&'static str, &'static [u8])]) -> Self {
        Self { name, files }
    }

    fn find(&self, path: &str) -> Option<&'static [u8]> {
        self.files.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
    }

    /// The name of a file of this model in messages.
    fn shown(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{} (embedded)", self.name)).join(path)
    }
}

fn relative(component: Component, file_name: &str) -> String {
    match component.folder() {
        "" => file_name.to_owned(),
        folder => format!("{folder}/{file_name}"),
    }
}

impl WeightSource for EmbeddedModel {
    fn name(&self) -> String {
        format!("{} (embedded)", self.name)
    }

    fn config(&self, component: Component) -> Result<serde_json::Value> {
        let path = relative(component, component.config_file());
        let bytes = self.find(&path).ok_or_else(|| Error::file(self.shown(&path), "is missing"))?;
        let config = python_json::parse(bytes).map_err(|error| Error::file(self.shown(&path), format!("is no JSON: {error}")))?;
        if component == Component::ModelIndex {
            model_index::check(&config)?;
        }
        Ok(config)
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.find(&relative(component, file_name)).map(<[u8]>::to_vec))
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let Some((stem, _)) = component.weight_stems() else {
            return Err(Error::file(self.shown(component.folder()), "has no tensors"));
        };
        let found = [format!("{stem}.safetensors"), format!("{stem}.fp16.safetensors")].into_iter().find_map(|file_name| {
            let path = relative(component, &file_name);
            self.find(&path).map(|bytes| (self.shown(&path), bytes))
        });
        let Some((path, bytes)) = found else {
            return Err(Error::file(self.shown(component.folder()), "has no weight file"));
        };
        let mut table = TensorTable::new(component, &path);
        for (name, tensor) in safetensors_file::contents(&WeightFile::embedded(path, bytes), |_| component)?.tensors {
            table.insert(name, tensor)?;
        }
        Ok(Arc::new(table))
    }
}
