//! The alphas that diffusers keeps in a file's header instead of in tensors: peft's configuration of each part.
//!
//! This module must not depend on tensors. Invariant: a file without the entry has no alphas here. Reference: diffusers'
//! `LORA_ADAPTER_METADATA_KEY` and peft's `get_pattern_key`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    check_alpha,
    keys::{LayerKey, flatten},
};
use crate::{Result, weights::TensorFile};

/// Entries such as `unet.lora_alpha` and `text_encoder.alpha_pattern`.
#[derive(Debug, Default)]
pub(super) struct PeftNotes(BTreeMap<String, Value>);

impl PeftNotes {
    /// Reads the header's entry.
    ///
    /// # Errors
    /// [`crate::Error::File`] if it is no JSON object, or has an alpha that is negative or not finite.
    pub(super) fn read(file: &TensorFile) -> Result<Self> {
        let Some(text) = file.note("lora_adapter_metadata") else { return Ok(Self::default()) };
        let entries: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|error| file.fail(format!("its lora_adapter_metadata is no JSON object: {error}")))?;
        let patterns = entries.iter().filter(|(key, _)| key.ends_with(".alpha_pattern")).filter_map(|(_, value)| value.as_object());
        let alphas = entries.iter().filter(|(key, _)| key.ends_with(".lora_alpha")).chain(patterns.flatten());
        for (key, value) in alphas {
            check_alpha(key, value.as_f64().unwrap_or(f64::NAN)).map_err(|reason| file.fail(reason))?;
        }
        Ok(Self(entries))
    }

    /// A layer's factor: its alpha by its rank, or by the rank's root for rank-stabilised LoRA. `None` without an alpha.
    pub(super) fn scale(&self, layer: &LayerKey, rank: usize) -> Option<f64> {
        let entry = |name: &str| self.0.get(&format!("{}.{name}", layer.prefix()));
        let is_of_layer = |pattern: &str| {
            let pattern = flatten(pattern);
            layer.name.strip_suffix(&pattern).is_some_and(|start| start.is_empty() || start.ends_with('_'))
        };
        let own = entry("alpha_pattern").and_then(Value::as_object);
        let own = own.and_then(|patterns| patterns.iter().find(|(pattern, _)| is_of_layer(pattern)).map(|(_, alpha)| alpha));
        let alpha = own.or_else(|| entry("lora_alpha"))?.as_f64()?;
        let is_stabilised = entry("use_rslora").and_then(Value::as_bool) == Some(true);
        Some(alpha / if is_stabilised { (rank as f64).sqrt() } else { rank as f64 })
    }
}
