//! A model of a named architecture with seeded random weights: for benches, and for testing a machine before any download.
//!
//! This module must not depend on the models' tensors: the models request names and shapes, and each tensor is generated on request, from
//! the seed and its name alone, so the order of requests does not matter. The scales are those of a freshly initialised network, so that
//! activations stay finite in half precision and no output is constant. The numbers differ from torch's.

use std::{path::PathBuf, sync::Arc};

use candle_core::{Device, Tensor};

use super::{Component, TensorShape, TensorSource, VaeChoice, WeightSource, architectures};
use crate::{Error, Result};

/// A named architecture with seeded random weights.
pub struct RandomWeights {
    architecture: &'static architectures::Architecture,
    seed: u64,
}

impl RandomWeights {
    /// An architecture by name; see [`Self::architectures`].
    ///
    /// # Errors
    /// [`Error::Params`] for an unknown name; the message lists the known ones.
    pub fn new(architecture: &str, seed: u64) -> Result<Self> {
        match architectures::ALL.iter().find(|known| known.name == architecture) {
            Some(architecture) => Ok(Self { architecture, seed }),
            None => {
                let known: Vec<_> = Self::architectures().collect();
                Err(Error::Params { field: "architecture", reason: format!("{architecture:?} is none of {}", known.join(", ")) })
            }
        }
    }

    /// The names for [`Self::new`].
    pub fn architectures() -> impl Iterator<Item = &'static str> {
        architectures::ALL.iter().map(|architecture| architecture.name)
    }

    /// The components of this architecture.
    pub fn components(&self) -> impl Iterator<Item = Component> {
        self.architecture.components()
    }
}

impl WeightSource for RandomWeights {
    fn name(&self) -> String {
        format!("{} (random weights, seed {})", self.architecture.name, self.seed)
    }

    fn config(&self, component: Component) -> Result<serde_json::Value> {
        let parsed = |component| -> Result<serde_json::Value> {
            let text = self.architecture.config(component)?;
            serde_json::from_str(text).map_err(|error| Error::file(self.name(), format!("{component}: is no JSON: {error}")))
        };
        match component {
            Component::ModelIndex => Ok(architectures::with_scheduler(parsed(component)?, &parsed(Component::Scheduler)?)),
            Component::Unet
            | Component::Vae
            | Component::TinyVae
            | Component::ControlNet
            | Component::Upscaler
            | Component::TextEncoder
            | Component::TextEncoder2
            | Component::ImageEncoder
            | Component::Tokenizer
            | Component::Tokenizer2
            | Component::FeatureExtractor
            | Component::Scheduler
            | Component::Captioner => parsed(component),
        }
    }

    fn vaes(&self) -> Vec<VaeChoice> {
        let has_tiny = self.components().any(|component| component == Component::TinyVae);
        if has_tiny { vec![VaeChoice::Full, VaeChoice::Tiny] } else { vec![VaeChoice::Full] }
    }

    /// Always `None`: an architecture has no tokenizer files.
    fn file(&self, _component: Component, _file_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        Ok(Arc::new(RandomTensors { file: PathBuf::from(format!("{}/{component}", self.name())), component, seed: self.seed }))
    }
}

struct RandomTensors {
    file: PathBuf,
    component: Component,
    seed: u64,
}

impl TensorSource for RandomTensors {
    fn file_of(&self, _tensor: &str) -> PathBuf {
        self.file.clone()
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn shape(&self, _tensor: &str) -> Option<TensorShape> {
        Some(TensorShape::Any)
    }

    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        let count: usize = shape.iter().product();
        let (centre, spread) = distribution(tensor, shape);
        let mut state = self.seed ^ name_hash(self.component, tensor);
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            // The top 24 bits convert exactly to an f32 in [0, 1).
            let unit = (split_mix(&mut state) >> 40) as f32 / (1u32 << 24) as f32;
            values.push(centre + spread * (2.0 * unit - 1.0));
        }
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// Centre and half-width of the uniform distribution of a parameter.
fn distribution(tensor: &str, shape: &[usize]) -> (f32, f32) {
    // A uniform distribution of half-width sqrt(3) has variance 1.
    let unit_variance = 3f32.sqrt();
    match shape {
        _ if tensor.contains("embeddings.") => (0.0, 0.05 * unit_variance),
        [_, inner @ ..] if !inner.is_empty() => {
            let fan_in: usize = inner.iter().product();
            (0.0, unit_variance / (fan_in.max(1) as f32).sqrt())
        }
        _ if tensor.ends_with("weight") => (1.0, 0.2),
        _ => (0.0, 0.05),
    }
}

/// FNV-1a over the component's and the tensor's name.
fn name_hash(component: Component, tensor: &str) -> u64 {
    let bytes = component.folder().bytes().chain([b'/']).chain(tensor.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and a mix for each number, fast enough to fill half a billion weights.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_architecture_has_its_configs() {
        for name in RandomWeights::architectures() {
            let model = RandomWeights::new(name, 0).unwrap();
            for component in model.components() {
                assert!(model.config(component).unwrap().is_object(), "{name} {component}");
            }
            super::super::model_index::check(&model.config(Component::ModelIndex).unwrap()).unwrap();
        }
        let message = RandomWeights::new("sd3", 0).err().unwrap().to_string();
        assert!(
            message.contains("\"sd3\" is none of tiny-sd, sd15, sd21, sd-turbo, nano-sd, svd, svd-xt, nano-svd, sdxl, sdxl-turbo"),
            "{message}"
        );
    }

    #[test]
    fn a_tensor_depends_on_its_name_and_the_seed_only() {
        let read = |seed, component, name: &str| {
            let tensors = RandomWeights::new("tiny-sd", seed).unwrap().tensors(component).unwrap();
            tensors.read(name, &[64, 32]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let one = read(1, Component::Unet, "a.weight");
        assert_eq!(one, read(1, Component::Unet, "a.weight"));
        assert_ne!(one, read(2, Component::Unet, "a.weight"));
        assert_ne!(one, read(1, Component::Unet, "b.weight"));
        assert_ne!(one, read(1, Component::Vae, "a.weight"));
        let variance = one.iter().map(|value| value * value).sum::<f32>() / one.len() as f32;
        assert!((variance * 32.0 - 1.0).abs() < 0.1, "{variance}");
    }
}
