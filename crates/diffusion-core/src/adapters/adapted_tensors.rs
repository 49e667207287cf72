//! The tensors of a model's part with adapters: what they change is merged in f32 while it is read.
//!
//! This module must not depend on how adapters find their layers. Invariants: a tensor that no adapter changes is handed on byte for byte; a
//! changed one is computed where it is needed, row by row, and never held as a whole beside the model.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Arc,
};

use candle_core::{DType, Device, Tensor};
use cpu_kernels::Change;

use super::{
    adapted_source::{AppliedAdapter, Changes, Use},
    formula::Difference,
};
use crate::{
    Result,
    ops::Elements,
    weights::{Component, Numbers, StoredNumbers, TensorShape, TensorSource},
};

/// The largest merged weight: the largest number in f16. No published model's weights come near it, and larger ones overflow the model's
/// own sums sooner or later, whatever its precision.
const MOST_MERGED: f32 = 65_504.0;

/// The tensors of one part.
pub(super) struct AdaptedTensors {
    tensors: Arc<dyn TensorSource>,
    component: Component,
    changes: Arc<Changes>,
    applied: Arc<Vec<AppliedAdapter>>,
}

/// What one adapter adds to a tensor.
struct Addition<'a> {
    difference: Difference,
    factor: f32,
    adapter: &'a AppliedAdapter,
    /// The key of one of its tensors.
    key: Option<&'a str>,
}

impl AdaptedTensors {
    /// The part `component`, with the changes of these adapters.
    pub(super) fn new(
        tensors: Arc<dyn TensorSource>,
        component: Component,
        changes: Arc<Changes>,
        applied: Arc<Vec<AppliedAdapter>>,
    ) -> Self {
        Self { tensors, component, changes, applied }
    }

    /// What the adapters add to a tensor, in their order.
    fn additions(&self, uses: &[Use], tensor: &str, shape: &[usize]) -> Result<Vec<Addition<'_>>> {
        let mut additions = Vec::new();
        for Use { applied, layer, parameter } in uses {
            let Some(adapter) = self.applied.get(*applied) else { continue };
            let Some(layer) = adapter.adapter.layers.get(*layer) else { continue };
            let base = || self.tensors.read_as(tensor, shape, DType::F32);
            let weight = adapter.weight_in(self.component);
            let Some((difference, factor)) = layer.difference(*parameter, base, weight, &adapter.adapter.file)? else { continue };
            additions.push(Addition { difference, factor: factor as f32, adapter, key: layer.key_of(*parameter) });
        }
        Ok(additions)
    }

    /// Calls `take` with a tensor's stored numbers and `changes`.
    fn take_changed(&self, tensor: &str, shape: &[usize], changes: &[Change<'_>], take: &mut dyn FnMut(Numbers<'_>)) -> Result<()> {
        let is_in_place = self.tensors.in_place(tensor, shape, &mut |base| {
            if base.changes.is_empty() {
                take(Numbers { stored: base.stored, changes });
            } else {
                take(Numbers { stored: StoredNumbers::F32(&base.changed(rows(shape))), changes });
            }
        })?;
        if !is_in_place {
            let base = self.tensors.read_as(tensor, shape, DType::F32)?;
            take(Numbers { stored: StoredNumbers::F32(Elements::of(&base)?.slice()?), changes });
        }
        Ok(())
    }

    /// Refuses an addition whose sums were too large.
    fn check(&self, tensor: &str, addition: &Addition<'_>, largest: f32) -> Result<()> {
        if largest <= MOST_MERGED {
            return Ok(());
        }
        let reason = format!(
            "makes {tensor} of the {} {largest:e}, where a weight is at most {MOST_MERGED} in every precision: lower the adapter's weight, or repair its {}",
            self.component,
            addition.key.unwrap_or("file")
        );
        Err(addition.adapter.adapter.file.fail(reason))
    }
}

/// The rows of a tensor as a matrix.
fn rows(shape: &[usize]) -> usize {
    shape.first().copied().unwrap_or(1)
}

impl TensorSource for AdaptedTensors {
    fn file_of(&self, tensor: &str) -> PathBuf {
        self.tensors.file_of(tensor)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.names()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        self.tensors.shape(tensor)
    }

    fn precision(&self, tensor: &str) -> Option<(&'static str, usize)> {
        self.tensors.precision(tensor)
    }

    fn version(&self, tensor: &str) -> u64 {
        let Some(uses) = self.changes.get(tensor) else { return self.tensors.version(tensor) };
        let mut hasher = DefaultHasher::new();
        for Use { applied, layer, parameter } in uses {
            if let Some(applied) = self.applied.get(*applied) {
                (applied.adapter.stamp, layer, parameter, applied.weight_in(self.component).to_bits()).hash(&mut hasher);
            }
        }
        // 0 is the model's own.
        hasher.finish() | 1
    }

    /// A changed tensor is in f32, whatever its stored precision.
    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        if !self.changes.contains_key(tensor) {
            return self.tensors.read(tensor, shape);
        }
        let mut sums = Vec::new();
        self.in_place(tensor, shape, &mut |numbers| sums = numbers.changed(rows(shape)))?;
        Ok(Tensor::from_vec(sums, shape, &Device::Cpu)?)
    }

    fn read_as(&self, tensor: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        if self.changes.contains_key(tensor) {
            Ok(self.read(tensor, shape)?.to_dtype(dtype)?)
        } else {
            self.tensors.read_as(tensor, shape, dtype)
        }
    }

    fn in_place(&self, tensor: &str, shape: &[usize], take: &mut dyn FnMut(Numbers<'_>)) -> Result<bool> {
        let Some(uses) = self.changes.get(tensor) else { return self.tensors.in_place(tensor, shape, take) };
        let additions = self.additions(uses, tensor, shape)?;
        let numbers = additions.iter().map(|addition| addition.difference.numbers()).collect::<Result<Vec<_>>>()?;
        let changes =
            numbers.iter().zip(&additions).map(|(numbers, addition)| numbers.change(addition.factor)).collect::<Result<Vec<_>>>()?;
        self.take_changed(tensor, shape, &changes, take)?;
        for (addition, change) in additions.iter().zip(&changes) {
            self.check(tensor, addition, change.largest())?;
        }
        Ok(true)
    }
}
