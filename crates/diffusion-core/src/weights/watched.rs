//! Observes the load of a model: a callback runs before each tensor is read, and can stop the load.
//!
//! This module must not depend on the observer. Invariant: it passes the source's contents through unchanged.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

use candle_core::{DType, Tensor};

use super::{Component, Numbers, TensorShape, TensorSource, TextEncoder, VaeChoice, WeightSource};
use crate::{Error, Result};

/// The components whose tensors a load reads.
const LOADED: [Component; 6] =
    [Component::TextEncoder, Component::TextEncoder2, Component::ImageEncoder, Component::Unet, Component::Vae, Component::TinyVae];

/// Receives each tensor's shape before the tensor is read; a break stops the load with [`Error::Cancelled`].
type OnTensor = dyn Fn(&[usize]) -> ControlFlow<()> + Send + Sync;

/// Returns whether a load should stop, at any time and on any thread.
pub type StopCheck = Arc<dyn Fn() -> bool + Send + Sync>;

/// A weight source with a callback for each tensor.
pub struct WatchedSource {
    source: Box<dyn WeightSource>,
    on_tensor: Arc<OnTensor>,
}

impl WatchedSource {
    /// Wraps `source`: `on_tensor` receives the number of elements of each tensor before it is read, and a break stops the load.
    pub fn new(source: Box<dyn WeightSource>, on_tensor: impl Fn(u64) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self { source, on_tensor: Arc::new(move |shape| on_tensor(elements(shape))) }
    }
}

/// The total number of elements of a model's tensors; 0 for a source that generates its tensors. Reads no data.
pub fn elements_of(source: &dyn WeightSource) -> u64 {
    let mut all = 0;
    for tensors in LOADED.into_iter().filter_map(|component| source.tensors(component).ok()) {
        for name in tensors.names() {
            if let Some(TensorShape::Known(shape)) = tensors.shape(&name) {
                all += elements(&shape);
            }
        }
    }
    all
}

fn elements(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |product, side| product.saturating_mul(*side as u64))
}

impl WeightSource for WatchedSource {
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
        Ok(Arc::new(WatchedTensors { tensors: self.source.tensors(component)?, on_tensor: Arc::clone(&self.on_tensor) }))
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
        self.source.remarks()
    }

    fn unknown_tensors(&self) -> Vec<String> {
        self.source.unknown_tensors()
    }
}

/// The tensors of a component, watched.
pub(crate) struct WatchedTensors {
    tensors: Arc<dyn TensorSource>,
    on_tensor: Arc<OnTensor>,
}

impl WatchedTensors {
    /// Watches `tensors`: `on_tensor` gets each shape before the tensor is read, and a break stops the load.
    pub(crate) fn new(tensors: Arc<dyn TensorSource>, on_tensor: impl Fn(&[usize]) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self { tensors, on_tensor: Arc::new(on_tensor) }
    }

    fn pass(&self, shape: &[usize]) -> Result<()> {
        match (self.on_tensor)(shape) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}

impl TensorSource for WatchedTensors {
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
        self.tensors.version(tensor)
    }

    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        self.pass(shape)?;
        self.tensors.read(tensor, shape)
    }

    fn read_as(&self, tensor: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        self.pass(shape)?;
        self.tensors.read_as(tensor, shape, dtype)
    }

    fn in_place(&self, tensor: &str, shape: &[usize], take: &mut dyn FnMut(Numbers<'_>)) -> Result<bool> {
        let mut passed = Ok(());
        let taken = self.tensors.in_place(tensor, shape, &mut |numbers| {
            passed = self.pass(shape);
            if passed.is_ok() {
                take(numbers);
            }
        })?;
        passed.map(|()| taken)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        pipelines::{StableDiffusion, nano_sd},
        policy::ExecutionPolicy,
    };

    #[test]
    fn a_load_reads_the_announced_elements_and_stops_at_a_break() {
        let all = elements_of(&nano_sd());
        let seen = Arc::new(AtomicU64::new(0));
        let load = |most: u64| {
            let counted = Arc::clone(&seen);
            counted.store(0, Ordering::Relaxed);
            let watched = WatchedSource::new(Box::new(nano_sd()), move |elements| {
                let before = counted.fetch_add(elements, Ordering::Relaxed);
                if before < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            StableDiffusion::load(&watched, &ExecutionPolicy::cpu_f32())
        };
        assert!(load(u64::MAX).is_ok());
        let read = seen.load(Ordering::Relaxed);
        assert!(read > all / 2 && read <= all, "{read} of {all}");
        assert!(matches!(load(all / 4), Err(Error::Cancelled)));
        assert!(seen.load(Ordering::Relaxed) < all / 2, "it stops soon");
    }
}
