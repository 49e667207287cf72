//! A Stable Video Diffusion checkpoint in one file is the same model as its diffusers folder (tests/golden/single_file/svd.json,
//! scripts/golden/svd_single_file.py).

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{DType, Tensor};
use diffusion_core::{
    models::{AutoencoderKlTemporalDecoderConfig, ClipVisionConfig, UNetSpatioTemporalConfig},
    pipelines::{StableVideoDiffusion, inspect},
    policy::ExecutionPolicy,
    weights::{Component, OpenOptions, TensorShape, WeightSource, open_model},
};
use serde_json::Value as Json;

use crate::{golden_path, golden_weights::draw, relative_error, tiny_turbo::write};

fn golden() -> Json {
    let path = golden_path("single_file", "pictures").with_file_name("svd.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Writes the file, without the tensors whose names start with `without`.
fn write_file(golden: &Json, path: &Path, without: &str) {
    let mut tensors = BTreeMap::new();
    for (name, origin) in golden["checkpoint"].as_object().unwrap() {
        let (part, parts, shape): (String, Vec<String>, Vec<usize>) = serde_json::from_value(origin.clone()).unwrap();
        let shape_of = |name: &str| -> Vec<usize> { serde_json::from_value(golden["components"][&part][name].clone()).unwrap() };
        let parts: Vec<Tensor> = parts.iter().map(|part| draw(part, &shape_of(part))).collect();
        let tensor = Tensor::cat(&parts, 0).unwrap();
        let tensor =
            if name.ends_with(".visual.proj") { tensor.t().unwrap().contiguous().unwrap() } else { tensor.reshape(shape).unwrap() };
        if without.is_empty() || !name.starts_with(without) {
            tensors.insert(name.clone(), tensor);
        }
    }
    write(path, tensors);
}

fn open(path: &Path) -> Box<dyn WeightSource> {
    open_model(path, &OpenOptions::default()).unwrap()
}

#[test]
fn a_single_file_has_the_configurations_and_tensors_of_diffusers() {
    let (golden, folder) = (golden(), tempfile::tempdir().unwrap());
    let path = folder.path().join("svd.safetensors");
    write_file(&golden, &path, "");
    let source = open(&path);
    let config = |component: Component| source.config(component).unwrap();
    let expected = &golden["configs"];
    let unet = |json: &Json| UNetSpatioTemporalConfig::from_json(json).unwrap();
    assert_eq!(unet(&config(Component::Unet)), unet(&expected["unet"]));
    let vae = |json: &Json| AutoencoderKlTemporalDecoderConfig::from_json(json).unwrap();
    assert_eq!(vae(&config(Component::Vae)), vae(&expected["vae"]));
    let image_encoder = |json: &Json| ClipVisionConfig::from_json(json).unwrap();
    assert_eq!(image_encoder(&config(Component::ImageEncoder)), image_encoder(&expected["image_encoder"]));
    for (component, part) in [(Component::Unet, "unet"), (Component::Vae, "vae"), (Component::ImageEncoder, "image_encoder")] {
        let tensors = source.tensors(component).unwrap();
        let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(golden["components"][part].clone()).unwrap();
        let mut names = tensors.names();
        names.sort();
        assert_eq!(names, shapes.keys().cloned().collect::<Vec<_>>(), "{part}");
        for (name, shape) in shapes {
            assert!(matches!(tensors.shape(&name), Some(TensorShape::Known(found)) if found == shape), "{part}: {name}");
            let found = tensors.read_as(&name, &shape, DType::F32).unwrap();
            assert_eq!(relative_error(&found, &draw(&name, &shape)), 0.0, "{part}: {name}");
        }
    }
    assert!(source.unknown_tensors().is_empty());
    let inspection = inspect(source.as_ref());
    assert!(inspection.refusals.is_empty() && inspection.ignored.is_empty(), "{inspection:?}");
    let model = StableVideoDiffusion::load(source.as_ref(), &ExecutionPolicy::cpu_f32()).unwrap();
    assert_eq!(model.default_num_frames(), 14);
}

#[test]
fn the_files_name_tells_the_number_of_frames() {
    let (golden, folder) = (golden(), tempfile::tempdir().unwrap());
    for (name, frames) in [("svd_xt.safetensors", 25), ("svd.safetensors", 14), ("SVD-XT-1-1.safetensors", 25)] {
        let path = folder.path().join(name);
        write_file(&golden, &path, "");
        let source = open(&path);
        assert_eq!(source.config(Component::Unet).unwrap()["num_frames"], frames, "{name}");
        assert!(source.remarks()[0].starts_with(&format!("makes {frames} frames: its name ")), "{:?}", source.remarks());
    }
}

#[test]
fn a_file_without_a_part_is_refused_by_its_name() {
    let (golden, folder) = (golden(), tempfile::tempdir().unwrap());
    let path = folder.path().join("svd.safetensors");
    for (without, part) in [
        ("conditioner.embedders.0.", "image encoder (conditioner.embedders.0.open_clip.model.visual.)"),
        ("conditioner.embedders.3.", "VAE encoder (conditioner.embedders.3.encoder.)"),
        ("first_stage_model.", "VAE decoder (first_stage_model.decoder.)"),
    ] {
        write_file(&golden, &path, without);
        let message = open_model(&path, &OpenOptions::default()).err().unwrap().to_string();
        assert!(message.contains(&format!("is a Stable Video Diffusion checkpoint without its {part}: give the folder")), "{message}");
    }
    write_file(&golden, &path, "first_stage_model.decoder.conv_out.time_mix_conv.weight");
    let source = open(&path);
    let message = StableVideoDiffusion::load(source.as_ref(), &ExecutionPolicy::cpu_f32()).err().unwrap().to_string();
    assert!(message.contains("time_conv_out.weight"), "{message}");
}
