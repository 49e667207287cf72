//! The contents of one weight file of any container: tensors, and the metadata beside them.
//!
//! Scales of quantized weights are not tensors of their own: they are attached to the tensor that they belong to. This module must not
//! depend on the meaning of tensors. Invariant: an 8-bit tensor that has a scale in the file is never read without it. Reference: ComfyUI's
//! `comfy/ops.py` and `comfy/quant_ops.py` (`scale_weight` with `scaled_fp8`, and later `weight_scale` with `comfy_quant`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Component, mapping::WeightFile, strided::StoredTensor};
use crate::{Error, Result};

/// The contents of a weight file.
#[derive(Default)]
pub(super) struct Contents {
    /// Every tensor by its stored name.
    pub(super) tensors: Vec<(String, StoredTensor)>,
    /// The entries of a safetensors header's `__metadata__`.
    pub(super) notes: HashMap<String, String>,
    /// Number of training steps, if a torch file states it.
    pub(super) global_step: Option<i64>,
}

/// Suffixes of a layer's name in the name of its weight's scale.
const SCALES: [&str; 2] = [".scale_weight", ".weight_scale"];

/// Suffixes of tensors that matter only to 8-bit products.
const UNUSED: [&str; 3] = [".scale_input", ".input_scale", ".comfy_quant"];

/// The tensor that marks a file with `scale_weight`; its type is the weights'.
const MARK: &str = "scaled_fp8";

/// The name of the tensor that a scale belongs to, from the scale's name.
pub(super) fn scaled_by(name: &str) -> Option<String> {
    SCALES.iter().find_map(|end| name.strip_suffix(end)).map(|layer| format!("{layer}.weight"))
}

impl Contents {
    /// Attaches scales to their tensors.
    ///
    /// # Errors
    /// [`Error::Weights`] for a scale that does not match its tensor.
    pub(super) fn new(
        file: &Arc<WeightFile>,
        tensors: Vec<(String, StoredTensor)>,
        component_of: impl Fn(&str) -> Component,
    ) -> Result<Self> {
        let is_quantized = |name: &str| SCALES.iter().chain(&UNUSED).any(|end| name.ends_with(end));
        if !tensors.iter().any(|(name, _)| is_quantized(name)) {
            return Ok(Self { tensors, ..Self::default() });
        }
        let mut tensors: BTreeMap<String, StoredTensor> = tensors.into_iter().collect();
        tensors.retain(|name, _| !UNUSED.iter().any(|end| name.ends_with(end)) && name.rsplit('.').next() != Some(MARK));
        for name in tensors.keys().cloned().collect::<Vec<_>>() {
            let Some(weight) = scaled_by(&name) else { continue };
            let Some(stored) = tensors.get(&weight).cloned() else { continue };
            let Some(scale) = tensors.remove(&name) else { continue };
            let scaled = stored.scaled(scale).map_err(|reason| Error::Weights {
                component: component_of(&weight),
                file: file.path().clone(),
                tensor: weight.clone(),
                reason,
            })?;
            tensors.insert(weight, scaled);
        }
        Ok(Self { tensors: tensors.into_iter().collect(), ..Self::default() })
    }
}
