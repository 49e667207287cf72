//! The layers of a loaded model, kept so that the same model with other adapters is loaded without reading or packing them again.
//!
//! This module must not depend on what a layer is. Invariant: a layer is used again only while every tensor that it was made from has the
//! version that it had then.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Component, ComponentWeights, TensorSource};
use crate::Result;

/// The tensors of a layer.
const PARAMETERS: [&str; 2] = ["weight", "bias"];

type Versions = [u64; PARAMETERS.len()];

/// A model's layers by component and name; clones share them.
#[derive(Clone, Default)]
pub(crate) struct KeptLayers(Arc<Mutex<HashMap<(Component, String), KeptLayer>>>);

struct KeptLayer {
    versions: Versions,
    layer: Box<dyn Any + Send + Sync>,
}

impl KeptLayers {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Component, String), KeptLayer>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees the layers whose tensors differ in a component's new source.
    pub(crate) fn retain(&self, component: Component, tensors: &dyn TensorSource) {
        self.lock().retain(|(of, name), kept| *of != component || kept.versions == versions(tensors, name));
    }
}

fn versions(tensors: &dyn TensorSource, layer: &str) -> Versions {
    PARAMETERS.map(|parameter| tensors.version(&format!("{layer}.{parameter}")))
}

impl ComponentWeights {
    /// The same cursor, whose layers are taken from `kept` where they are there, and added to it where not.
    #[must_use]
    pub(crate) fn with_kept(self, kept: &KeptLayers) -> Self {
        Self { kept: Some(kept.clone()), ..self }
    }

    /// The layer at this cursor: a kept one, or else what `load` makes.
    ///
    /// # Errors
    /// Those of `load`.
    pub(crate) fn kept_or<T: Clone + Send + Sync + 'static>(&self, load: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(kept) = &self.kept else { return load() };
        let (key, versions) = ((self.component, self.prefix.clone()), versions(self.source.as_ref(), &self.prefix));
        let found = kept.lock().get(&key).filter(|kept| kept.versions == versions).and_then(|kept| kept.layer.downcast_ref::<T>().cloned());
        if let Some(layer) = found {
            return Ok(layer);
        }
        let layer = load()?;
        kept.lock().insert(key, KeptLayer { versions, layer: Box::new(layer.clone()) });
        Ok(layer)
    }
}
