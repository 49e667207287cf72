//! A model with SD-Turbo's structure and small widths, written as a folder and as a single file with weights drawn by name.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{Device, Tensor};
use serde_json::Value as Json;

use crate::golden_weights::draw;

/// The golden's description of the model (scripts/golden/single_file.py).
pub(crate) struct TinyTurbo(Json);

impl TinyTurbo {
    /// Reads tests/golden/single_file of diffusion-core.
    pub(crate) fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../diffusion-core/tests/golden/single_file/sd_turbo.json");
        Self(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    }

    /// Writes the diffusers folder, with this value of the UNet's `upcast_attention`, or without the field.
    pub(crate) fn write_folder(&self, folder: &Path, upcast_attention: Option<&Json>) {
        for (path, content) in self.0["files"].as_object().unwrap() {
            let mut content = content.clone();
            if path == "unet/config.json" {
                let fields = content.as_object_mut().unwrap();
                fields.remove("upcast_attention");
                fields.extend(upcast_attention.map(|value| ("upcast_attention".to_owned(), value.clone())));
            }
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), content.to_string()).unwrap();
        }
        for (component, tensors) in self.0["components"].as_object().unwrap() {
            let tensors = tensors.as_object().unwrap();
            let drawn = tensors.iter().map(|(name, shape)| (name.clone(), lively(name, &shape_of(shape))));
            let stem = if component == "text_encoder" { "model" } else { "diffusion_pytorch_model" };
            write(&folder.join(component).join(format!("{stem}.safetensors")), drawn.collect());
        }
    }

    /// Writes the single file, with other prefixes of names, and with additional tensors of one number.
    pub(crate) fn write_single_file(&self, path: &Path, renamed: &[(&str, &str)], more: &[&str]) {
        let components = &self.0["components"];
        let mut tensors = BTreeMap::new();
        for (name, source) in self.0["checkpoint"].as_object().unwrap() {
            let (component, parts, shape): (String, Vec<String>, Json) = serde_json::from_value(source.clone()).unwrap();
            let parts: Vec<Tensor> = parts.iter().map(|part| lively(part, &shape_of(&components[&component][part]))).collect();
            let name =
                renamed.iter().find_map(|(old, new)| name.strip_prefix(old).map(|rest| format!("{new}{rest}"))).unwrap_or(name.clone());
            tensors.insert(name, Tensor::cat(&parts, 0).unwrap().reshape(shape_of(&shape)).unwrap());
        }
        tensors.extend(more.iter().map(|name| ((*name).to_owned(), Tensor::new(1_f32, &Device::Cpu).unwrap())));
        write(path, tensors);
    }
}

/// The weight of a name; the norms before self-attention are close to those of a noise-predicting model, by which a single file's
/// prediction type is determined.
fn lively(name: &str, shape: &[usize]) -> Tensor {
    let decides_prediction = name.ends_with(".norm1.bias") && name.contains(".transformer_blocks.");
    (draw(name, shape) * if decides_prediction { 0.25 } else { 1.0 }).unwrap()
}

fn shape_of(shape: &Json) -> Vec<usize> {
    serde_json::from_value(shape.clone()).unwrap()
}

/// Writes a safetensors file.
pub(crate) fn write(path: &Path, tensors: BTreeMap<String, Tensor>) {
    let data: BTreeMap<&str, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            (name.as_str(), (tensor.dims().to_vec(), values.into_iter().flat_map(f32::to_le_bytes).collect()))
        })
        .collect();
    let views = data.iter().map(|(name, (shape, bytes))| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}
