//! The models that the operator has set up: how each is opened, and its defaults for requests.
//!
//! It must not know which model is loaded. The invariant: opening a model reads no tensor.

use std::fmt;

use diffusion_core::{policy::ExecutionPolicy, weights::WeightSource};

use super::LoadWatch;
use crate::{
    backend::local::{local_model::Adapters, memory::MemoryPlan, model::LoadedModel},
    model_info::{ModelDefaults, ModelInfo},
};

/// Opens a model's files.
type Open = dyn Fn() -> diffusion_core::Result<OpenModel> + Send + Sync;
/// Reads the tensors of an open model.
type Load = dyn FnOnce(&LoadWatch) -> diffusion_core::Result<LoadedModel> + Send;

/// A model with open files, but without tensors.
pub struct OpenModel {
    pub(super) facts: Option<(ModelInfo, MemoryPlan)>,
    load: Box<Load>,
}

impl OpenModel {
    /// A model whose facts are unknown until `load` has loaded it: requests for it are refused until then.
    pub fn new(load: impl FnOnce(&LoadWatch) -> diffusion_core::Result<LoadedModel> + Send + 'static) -> Self {
        Self { facts: None, load: Box::new(load) }
    }

    /// Adds the model's facts and its memory plan, so that requests can be checked before it is loaded and then wait for it.
    #[must_use]
    pub fn with_facts(mut self, info: ModelInfo, memory: MemoryPlan) -> Self {
        self.facts = Some((info, memory));
        self
    }

    /// An image model. The arguments are those of [`LoadedModel::load`].
    ///
    /// # Errors
    /// Those of [`LoadedModel::facts`].
    pub fn of(
        source: Box<dyn WeightSource>,
        policy: &ExecutionPolicy,
        motion: Box<dyn WeightSource>,
        memory_limit: Option<u64>,
    ) -> diffusion_core::Result<Self> {
        let (info, memory) = LoadedModel::facts(source.as_ref(), policy, motion.as_ref(), memory_limit)?;
        let policy = policy.clone();
        let load = move |watch: &LoadWatch| LoadedModel::load(watch.watched(source).as_ref(), &policy, motion, memory_limit);
        Ok(Self::new(load).with_facts(info, memory))
    }

    /// As [`Self::of`], but requests may choose adapters for the model.
    ///
    /// # Errors
    /// Those of [`LoadedModel::facts`].
    pub fn adapted(
        source: Box<dyn WeightSource>,
        policy: &ExecutionPolicy,
        motion: Box<dyn WeightSource>,
        memory_limit: Option<u64>,
        adapters: Adapters,
    ) -> diffusion_core::Result<Self> {
        let (info, memory) = LoadedModel::facts(source.as_ref(), policy, motion.as_ref(), memory_limit)?;
        let info = ModelInfo { adapters: adapters.folder.clone(), controlnets: adapters.controlnets.clone(), ..info };
        let policy = policy.clone();
        let load = move |watch: &LoadWatch| LoadedModel::load_adapted(watch.watched(source), &policy, motion, memory_limit, adapters);
        Ok(Self::new(load).with_facts(info, memory))
    }

    pub(super) fn load(self, watch: &LoadWatch) -> diffusion_core::Result<LoadedModel> {
        (self.load)(watch)
    }
}

impl fmt::Debug for OpenModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenModel").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// A model that the operator has set up.
pub struct ModelSetup {
    pub(super) name: String,
    open: Box<Open>,
    defaults: Option<ModelDefaults>,
}

impl ModelSetup {
    /// A model under the name that requests use. `open` is called once at the start and again for every load, on the device's thread or
    /// beside it.
    pub fn new(name: impl Into<String>, open: impl Fn() -> diffusion_core::Result<OpenModel> + Send + Sync + 'static) -> Self {
        Self { name: name.into(), open: Box::new(open), defaults: None }
    }

    /// Adds the operator's values of fields that requests omit; they take precedence over those of the model's own files.
    #[must_use]
    pub fn with_defaults(mut self, defaults: ModelDefaults) -> Self {
        self.defaults = Some(defaults);
        self
    }

    /// The name that requests use.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn open(&self) -> diffusion_core::Result<OpenModel> {
        let mut open = (self.open)()?;
        if let Some((info, _)) = &mut open.facts {
            self.fill_in(info)?;
        }
        Ok(open)
    }

    pub(super) fn load(&self, open: OpenModel, watch: &LoadWatch) -> diffusion_core::Result<LoadedModel> {
        let mut loaded = open.load(watch)?;
        self.fill_in(&mut loaded.info)?;
        Ok(loaded)
    }

    fn fill_in(&self, info: &mut ModelInfo) -> diffusion_core::Result<()> {
        self.defaults.clone().map_or(Ok(()), |defaults| info.set_defaults(defaults))
    }
}

impl fmt::Debug for ModelSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelSetup").field("name", &self.name).finish_non_exhaustive()
    }
}
