//! A model between two loads: its layers, for the same model with other adapters.
//!
//! This module must not depend on adapters. Invariant: a load that fails or is stopped leaves every layer that is not to change, so that the
//! next one reads only those that differ.

use std::sync::{Arc, OnceLock};

use super::{LatentColours, StableDiffusion};
use crate::{
    Result,
    adapters::Embedding,
    conditioning::Tokenizers,
    policy::ExecutionPolicy,
    weights::{KeptLayers, ModelFamily, WeightSource},
};

/// What is left of a model that was unloaded.
pub struct UnloadedModel {
    pub(super) family: ModelFamily,
    pub(super) policy: ExecutionPolicy,
    pub(super) tokenizers: Tokenizers,
    pub(super) weight_bytes: u64,
    pub(super) embeddings: Vec<Embedding>,
    pub(super) colours: Arc<OnceLock<LatentColours>>,
    pub(super) kept: KeptLayers,
}

impl UnloadedModel {
    /// Loads the model from `source`: the same one, with any adapters. Layers that differ are freed first.
    ///
    /// # Errors
    /// As [`StableDiffusion::load`].
    pub fn load(&self, source: &dyn WeightSource) -> Result<StableDiffusion> {
        let Self { family, policy, tokenizers, weight_bytes, embeddings, colours, kept } = self;
        for component in family.weighted_components() {
            kept.retain(*component, source.tensors(*component)?.as_ref());
        }
        let loaded = StableDiffusion::load_with(source, policy, kept.clone(), tokenizers)?;
        let mut model = StableDiffusion { weight_bytes: *weight_bytes, colours: Arc::clone(colours), ..loaded };
        model.set_embeddings(embeddings.clone())?;
        Ok(model)
    }
}
