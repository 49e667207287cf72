//! CompVis checkpoints: names, values and configurations are what diffusers' own conversion yields.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::DType;
use diffusion_core::{
    Error,
    weights::{Component, OpenOptions, PredictionType, SingleFile, SingleFileOptions, TensorShape, WeightSource, open_model},
};
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::weights::{golden_file, safetensors_bytes};

fn golden_json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden_file(name)).unwrap()).unwrap()
}

/// What `fill` in scripts/golden/weights.py makes.
fn fill(name: &str, count: usize) -> Vec<u8> {
    let state = name.bytes().fold(0x811c_9dc5_u32, |state, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0..count as u64)
        .map(|index| (u64::from(state) + index * 2_654_435_761) % (1 << 32))
        .flat_map(|mixed| (((mixed >> 8) as f64 / f64::from(1 << 24) - 0.5) as f32).to_le_bytes())
        .collect()
}

/// Writes the checkpoint that a golden describes.
fn write_checkpoint(golden: &Value, path: &Path) {
    let tensors: BTreeMap<&str, (Vec<usize>, Vec<u8>)> = golden["checkpoint"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, shape)| {
            let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
            let bytes = fill(name, shape.iter().product());
            (name.as_str(), (shape, bytes))
        })
        .collect();
    let views =
        tensors.iter().map(|(name, (shape, bytes))| (*name, TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

fn check_against_diffusers(name: &str) -> SingleFile {
    let golden = golden_json(name);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    write_checkpoint(&golden, &path);
    let model = SingleFile::open(&path, SingleFileOptions::default()).unwrap();
    for component in [Component::Unet, Component::Vae, Component::TextEncoder] {
        let found = model.tensors(component).unwrap();
        let expected = golden["tensors"][component.folder()].as_object().unwrap();
        let (mut names, mut expected_names) = (found.names(), expected.keys().cloned().collect::<Vec<_>>());
        names.sort();
        expected_names.sort();
        assert_eq!(names, expected_names, "{component}");
        for (name, golden) in expected {
            let (shape, sum, weighted): (Vec<usize>, f64, f64) = serde_json::from_value(golden.clone()).unwrap();
            assert_eq!(found.shape(name), Some(TensorShape::Known(shape.clone())), "{component} {name}");
            let values: Vec<f64> =
                found.read(name, &shape).unwrap().flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap();
            let close = |actual: f64, expected: f64| (actual - expected).abs() < 1e-6;
            assert!(close(values.iter().sum(), sum), "{component} {name}");
            assert!(
                close(values.iter().enumerate().map(|(index, value)| value * (index % 97 + 1) as f64).sum(), weighted),
                "{component} {name}"
            );
        }
        let config = model.config(component).unwrap();
        for (field, value) in golden["configs"][component.folder()].as_object().unwrap() {
            assert_eq!(&config[field], value, "{component} {field}");
        }
    }
    assert!(model.file(Component::Tokenizer, "vocab.json").unwrap().is_none());
    crate::weights_random::run(&model, 8);
    model
}

#[test]
fn stable_diffusion_1_inpainting() {
    let model = check_against_diffusers("ldm_sd1.json");
    let scheduler = model.config(Component::Scheduler).unwrap();
    assert_eq!((&scheduler["_class_name"], &scheduler["prediction_type"]), (&"PNDMScheduler".into(), &"epsilon".into()));
    assert_eq!(model.config(Component::Tokenizer).unwrap()["pad_token"], "<|endoftext|>");
    assert_eq!(model.config(Component::Unet).unwrap()["sample_size"], 64);
}

#[test]
fn stable_diffusion_2_with_openclip() {
    let model = check_against_diffusers("ldm_sd2.json");
    let scheduler = model.config(Component::Scheduler).unwrap();
    assert_eq!((&scheduler["_class_name"], &scheduler["prediction_type"]), (&"DDIMScheduler".into(), &"v_prediction".into()));
    assert_eq!(model.config(Component::Tokenizer).unwrap()["pad_token"], "!");
    assert_eq!(model.config(Component::Unet).unwrap()["sample_size"], 96);
    assert_eq!(model.config(Component::TextEncoder).unwrap()["num_hidden_layers"], 23);
}

#[test]
fn a_unet_without_a_mid_block() {
    let model = check_against_diffusers("ldm_tiny.json");
    assert!(model.config(Component::Unet).unwrap()["mid_block_type"].is_null());
}

#[test]
fn the_prediction_type_is_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    write_checkpoint(&golden_json("ldm_sd2.json"), &path);
    let options = OpenOptions { prediction_type: Some("epsilon".parse().unwrap()), ..OpenOptions::default() };
    let model = open_model(&path, &options).unwrap();
    assert_eq!(model.config(Component::Scheduler).unwrap()["prediction_type"], "epsilon");
    assert_eq!(model.config(Component::Unet).unwrap()["sample_size"], 64);
    assert!("v".parse::<PredictionType>().is_err());
}

#[test]
fn other_checkpoints_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let refusal = |tensors: &[(&str, &[usize])]| {
        fs::write(&path, safetensors_bytes(tensors, 0.0)).unwrap();
        SingleFile::open(&path, SingleFileOptions::default()).err().unwrap().to_string()
    };
    for (tensor, kind) in [
        ("conditioner.embedders.0.transformer.text_model.embeddings.position_ids", "Stable Diffusion XL"),
        ("model.diffusion_model.joint_blocks.0.x", "Stable Diffusion 3"),
        ("model.diffusion_model.double_blocks.0.x", "Flux"),
        ("control_model.input_blocks.0.0.weight", "ControlNet"),
        ("lora_unet_down_blocks_0.lora_up.weight", "LoRA"),
        ("down_blocks.0.resnets.0.norm1.weight", "one component of a diffusers model"),
    ] {
        let message = refusal(&[(tensor, &[1])]);
        assert!(message.contains(kind) && message.contains(path.to_str().unwrap()), "{message}");
    }
    assert!(refusal(&[("model.diffusion_model.out.2.weight", &[1])]).contains("has no VAE"));
}

#[test]
fn a_tensor_that_is_missing_or_too_much_is_named() {
    let golden = golden_json("ldm_tiny.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let open = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| -> Result<SingleFile, Error> {
        let mut changed = golden.clone();
        change(changed["checkpoint"].as_object_mut().unwrap());
        write_checkpoint(&changed, &path);
        SingleFile::open(&path, SingleFileOptions::default())
    };
    let label = "model.diffusion_model.label_emb.0.0.weight";
    let message = open(&|tensors| _ = tensors.insert(label.into(), serde_json::json!([4, 4]))).err().unwrap().to_string();
    assert!(message.contains(&format!("tensor {label}: unsupported")), "{message}");
    let name = "model.diffusion_model.out.2.weight";
    let message = open(&|tensors| _ = tensors.remove(name)).err().unwrap().to_string();
    assert!(message.contains(&format!("unet: {}: tensor {name}: missing", path.display())), "{message}");
    // One that tells nothing of the architecture is missed when the model asks for it.
    let model = open(&|tensors| _ = tensors.remove("first_stage_model.encoder.norm_out.bias")).unwrap();
    assert!(model.tensors(Component::Vae).unwrap().shape("encoder.conv_norm_out.bias").is_none());
}

#[test]
fn a_torch_checkpoint_is_read_too_and_an_evil_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.ckpt");
    fs::copy(golden_file("wrapped.bin"), &path).unwrap();
    let message = open_model(&path, &OpenOptions::default()).err().unwrap().to_string();
    assert!(message.contains("has no UNet"), "{message}");
    fs::copy(golden_file("evil.bin"), &path).unwrap();
    let message = open_model(&path, &OpenOptions::default()).err().unwrap().to_string();
    assert!(message.contains("posix.system"), "{message}");
}
