//! A model with adapters: which tensors they change.
//!
//! This module must not depend on how adapters compute their changes. Invariants: a part that no adapter changes is handed on as it is; names,
//! shapes and stored precisions stay those of the model.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Adapter, SHOWN, adapted_tensors::AdaptedTensors, first_of, first_tensors, layer::Parameter, layer_names::LayerNames};
use crate::{
    Error, Result,
    weights::{Component, ModelFamily, TensorShape, TensorSource, TextEncoder, VaeChoice, WeightSource, model_of_adapter},
};

/// The parts that adapters change, where a model has them.
const ADAPTED: [Component; 3] = [Component::Unet, Component::TextEncoder, Component::TextEncoder2];

/// An adapter and how strongly it changes each part: 1 as it was trained, 0 not at all, less than 0 the other way.
#[derive(Clone)]
pub struct AppliedAdapter {
    /// The adapter.
    pub adapter: Arc<Adapter>,
    /// Its weight in the noise predictor.
    pub unet_weight: f64,
    /// Its weight in the text encoders.
    pub text_weight: f64,
}

impl AppliedAdapter {
    /// Whether this is the same file with the same weights.
    pub fn is_same(&self, other: &Self) -> bool {
        self.adapter.stamp == other.adapter.stamp && (self.unet_weight, self.text_weight) == (other.unet_weight, other.text_weight)
    }

    pub(super) fn weight_in(&self, component: Component) -> f64 {
        if component == Component::Unet { self.unet_weight } else { self.text_weight }
    }
}

/// One change of one tensor.
pub(super) struct Use {
    pub(super) applied: usize,
    pub(super) layer: usize,
    pub(super) parameter: Parameter,
}

/// The changes of a part's tensors by their names.
pub(super) type Changes = HashMap<String, Vec<Use>>;

/// A model with adapters.
pub struct AdaptedSource {
    source: Box<dyn WeightSource>,
    applied: Arc<Vec<AppliedAdapter>>,
    changes: BTreeMap<&'static str, Arc<Changes>>,
    remarks: Vec<String>,
}

impl AdaptedSource {
    /// Finds the layers that the adapters change. Keys that fit no layer are named in [`WeightSource::remarks`].
    ///
    /// # Errors
    /// [`Error::File`] for an adapter whose shapes do not fit the model, or none of whose keys does; [`Error::Params`] for a weight that is
    /// not finite, or a model that generates its tensors; and those of the source's own tensors.
    pub fn new(source: Box<dyn WeightSource>, applied: Vec<AppliedAdapter>) -> Result<Self> {
        let components = ModelFamily::of_images(source.as_ref())?.weighted_components();
        let adapted = ADAPTED.into_iter().filter(|component| components.contains(component));
        let parts = adapted.map(|component| Part::open(component, source.as_ref())).collect::<Result<Vec<_>>>()?;
        let mut changes: BTreeMap<&'static str, Changes> = BTreeMap::new();
        let mut remarks = Vec::new();
        for (index, one) in applied.iter().enumerate() {
            if let Some(weight) = [one.unet_weight, one.text_weight].into_iter().find(|weight| !weight.is_finite()) {
                return Err(Error::Params {
                    field: "loras",
                    reason: format!("the weight {weight} of {} is not finite", one.adapter.name()),
                });
            }
            let unfit = find_layers(&parts, index, one, &mut changes)?;
            if !unfit.is_empty() {
                let (name, count, keys) = (one.adapter.name(), unfit.len(), first_of(&unfit));
                remarks.push(format!("adapter {name}: {count} keys fit no layer of this model and are not applied: {keys}"));
            }
        }
        let changes = changes.into_iter().map(|(folder, changes)| (folder, Arc::new(changes))).collect();
        Ok(Self { source, applied: Arc::new(applied), changes, remarks })
    }
}

/// A part of the model.
struct Part {
    component: Component,
    tensors: Arc<dyn TensorSource>,
    names: LayerNames,
}

impl Part {
    fn open(component: Component, source: &dyn WeightSource) -> Result<Self> {
        let tensors = source.tensors(component)?;
        let names = tensors.names();
        if names.is_empty() {
            let reason = format!("{} generates its weights and has no layers to change: choose a model with files", source.name());
            return Err(Error::Params { field: "loras", reason });
        }
        Ok(Self { component, names: LayerNames::new(component, &names), tensors })
    }

    /// The shape of a layer's parameter.
    fn shape(&self, tensor: &str) -> Option<Vec<usize>> {
        match self.tensors.shape(tensor) {
            Some(TensorShape::Known(shape)) => Some(shape),
            Some(TensorShape::Any) | None => None,
        }
    }
}

/// Adds the layers of one adapter to the changes of the parts that have them; returns the keys that fit no layer.
fn find_layers(
    parts: &[Part],
    index: usize,
    applied: &AppliedAdapter,
    changes: &mut BTreeMap<&'static str, Changes>,
) -> Result<Vec<String>> {
    let adapter = &applied.adapter;
    let (mut unfit, mut misfits, mut found) = (adapter.unknown.clone(), Vec::new(), false);
    for (layer_index, layer) in adapter.layers.iter().enumerate() {
        let mut candidates = parts.iter().filter(|part| layer.key.components().contains(&part.component));
        let place = candidates.find_map(|part| Some((part, part.names.find(&layer.key.name)?)));
        let Some((part, name)) = place else {
            unfit.extend(layer.keys.iter().cloned());
            continue;
        };
        for (parameter, kind) in [(Parameter::Weight, "weight"), (Parameter::Bias, "bias")] {
            let Some(key) = layer.key_of(parameter) else { continue };
            let tensor = format!("{name}.{kind}");
            let Some(shape) = part.shape(&tensor) else {
                unfit.push(key.to_owned());
                continue;
            };
            found = true;
            if let Some(reason) = layer.misfit(parameter, &shape) {
                misfits.push(reason);
            } else if applied.weight_in(part.component) != 0.0 {
                let part = changes.entry(part.component.folder()).or_default();
                part.entry(tensor).or_default().push(Use { applied: index, layer: layer_index, parameter });
            }
        }
    }
    if !misfits.is_empty() {
        let (count, first) = (misfits.len(), misfits.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; "));
        return Err(adapter.file.fail(format!("was made for another model: {count} of its layers do not fit: {first}")));
    }
    if !found {
        let keys: Vec<&str> = unfit.iter().map(String::as_str).collect();
        let made_for = model_of_adapter(&keys).unwrap_or("another model");
        let first = first_tensors(&adapter.file, &unfit);
        return Err(adapter.file.fail(format!("has no layer of this model, so it was made for {made_for}: {first}")));
    }
    Ok(unfit)
}

impl AdaptedSource {
    /// A remark for each adapter with keys that fit no layer.
    pub fn adapters_remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl WeightSource for AdaptedSource {
    fn name(&self) -> String {
        self.source.name()
    }

    fn config(&self, component: Component) -> Result<serde_json::Value> {
        self.source.config(component)
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        self.source.file(component, file_name)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let tensors = self.source.tensors(component)?;
        match self.changes.get(component.folder()) {
            Some(changes) => Ok(Arc::new(AdaptedTensors::new(tensors, component, Arc::clone(changes), Arc::clone(&self.applied)))),
            None => Ok(tensors),
        }
    }

    fn config_name(&self, component: Component) -> String {
        self.source.config_name(component)
    }

    fn other_vae(&self) -> Option<(VaeChoice, String)> {
        self.source.other_vae()
    }

    fn other_text_encoders(&self) -> Vec<(TextEncoder, String)> {
        self.source.other_text_encoders()
    }

    fn vaes(&self) -> Vec<VaeChoice> {
        self.source.vaes()
    }

    fn remarks(&self) -> Vec<String> {
        self.source.remarks().into_iter().chain(self.remarks.iter().cloned()).collect()
    }

    fn unknown_tensors(&self) -> Vec<String> {
        self.source.unknown_tensors()
    }
}
