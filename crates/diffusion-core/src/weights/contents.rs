//! What one weight file holds, whatever its container: tensors, and what its writer said beside them.
//!
//! Scales of quantized weights are no tensors of their own: they are put to the tensor that they belong to. It must not know what the
//! tensors are. The invariant: a tensor of eight bits that has a scale in the file is never read without it. Reference: ComfyUI's
//! `comfy/ops.py` and `comfy/quant_ops.py` (`scale_weight` beside `scaled_fp8`, and later `weight_scale` beside `comfy_quant`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Component, mapping::WeightFile, strided::StoredTensor};
use crate::{Error, Result};

/// What a weight file holds.
#[derive(Default)]
pub(super) struct Contents {
    /// Every tensor by its stored name.
    pub(super) tensors: Vec<(String, StoredTensor)>,
    /// The texts of a safetensors header's `__metadata__`.
    pub(super) notes: HashMap<String, String>,
    /// How many steps the model was trained for, where a torch file says so.
    pub(super) global_step: Option<i64>,
}

/// What stands behind a layer's name in the name of its weight's scale.
const SCALES: [&str; 2] = [".scale_weight", ".weight_scale"];

/// What stands there in the names of that which only matters to products in eight bits.
const UNUSED: [&str; 3] = [".scale_input", ".input_scale", ".comfy_quant"];

/// The tensor that says that a file has `scale_weight`; its type is the weights'.
const MARK: &str = "scaled_fp8";

/// The tensor that a scale belongs to, by the scale's name.
pub(super) fn scaled_by(name: &str) -> Option<String> {
    SCALES.iter().find_map(|end| name.strip_suffix(end)).map(|layer| format!("{layer}.weight"))
}

impl Contents {
    /// Puts scales to their tensors.
    ///
    /// # Errors
    /// [`Error::Weights`] for a scale that does not fit its tensor.
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
