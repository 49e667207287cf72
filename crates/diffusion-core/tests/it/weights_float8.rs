//! 8-bit floats, with and without scales, against torch's own widening.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};
use diffusion_core::weights::{Component, ComponentWeights, DiffusersFolder, TensorSource, WeightSource};

use crate::weights::golden_file;

const INDEX: &str = r#"{"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}"#;

/// The golden file as a model folder's UNet.
fn load(golden: &str, extension: &str) -> Arc<dyn TensorSource> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model_index.json"), INDEX).unwrap();
    fs::create_dir(folder.path().join("unet")).unwrap();
    fs::copy(golden_file(golden), folder.path().join(format!("unet/diffusion_pytorch_model.{extension}"))).unwrap();
    DiffusersFolder::open(folder.path(), None).unwrap().tensors(Component::Unet).unwrap()
}

/// The bits of every element as f32, with all NaNs mapped to one value.
fn bits(tensor: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(|value| if value.is_nan() { u32::MAX } else { value.to_bits() }).collect()
}

/// torch's widened value of each code.
fn expected() -> HashMap<String, Vec<u32>> {
    let found = load("float8.safetensors", "safetensors");
    let codes = ["e4m3", "e5m2"].map(|kind| (kind.to_owned(), bits(&found.read(&format!("{kind}.expected"), &[256]).unwrap())));
    codes.into_iter().collect()
}

#[test]
fn every_code_of_both_formats_matches_torch() {
    for (golden, extension) in [("float8.safetensors", "safetensors"), ("float8.bin", "bin")] {
        let found = load(golden, extension);
        for (kind, expected) in expected() {
            let tensor = found.read(&kind, &[256]).unwrap();
            assert_eq!((bits(&tensor), tensor.dtype()), (expected, DType::F16), "{golden} {kind}");
            assert_eq!(found.precision(&kind), Some((if kind == "e4m3" { "f8_e4m3" } else { "f8_e5m2" }, 8)));
        }
    }
    let codes = &expected()["e4m3"];
    assert_eq!(codes[0x7e], 448_f32.to_bits());
    assert_eq!((codes[0x7f], codes[0x80]), (u32::MAX, (-0_f32).to_bits()));
}

#[test]
fn scales_of_every_kind_are_applied_and_not_listed() {
    let found = load("float8.safetensors", "safetensors");
    for kind in ["e4m3", "e5m2"] {
        for layer in ["whole", "one", "rows", "column"] {
            let name = |end: &str| format!("{kind}.{layer}.{end}");
            let expected = found.read(&name("expected"), &[4, 8]).unwrap();
            let weight = found.read(&name("weight"), &[4, 8]).unwrap();
            assert_eq!((bits(&weight), weight.dtype()), (bits(&expected), DType::F32), "{}", name("weight"));
        }
    }
    let mut others = found.names();
    others.retain(|name| !name.ends_with(".weight") && !name.ends_with("expected"));
    others.sort();
    assert_eq!(others, ["e4m3", "e5m2"]);
    // A model reads them in its own precision, like any weight.
    let cursor = ComponentWeights::new(found, Component::Unet, DType::BF16, &Device::Cpu);
    assert_eq!(cursor.get((4, 8), "e4m3.rows.weight").unwrap().dtype(), DType::BF16);
}

#[test]
fn an_error_names_a_scale_of_the_wrong_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unet.safetensors");
    let tensors = [("a.weight", &[4_usize, 8][..]), ("a.weight_scale", &[4, 2])];
    fs::write(&path, crate::weights::safetensors_bytes(&tensors, 1.0)).unwrap();
    let message = open(&path);
    assert!(
        message.contains("tensor a.weight: its scale has the shape [4, 2], supported are one number and one for each row"),
        "{message}"
    );
}

#[test]
fn an_error_names_a_scale_in_another_shard() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model_index.json"), INDEX).unwrap();
    let unet = folder.path().join("unet");
    fs::create_dir(&unet).unwrap();
    let shard =
        |name: &str, tensors: &[(&str, &[usize])]| fs::write(unet.join(name), crate::weights::safetensors_bytes(tensors, 1.0)).unwrap();
    shard("one.safetensors", &[("a.weight", &[4, 8])]);
    shard("two.safetensors", &[("a.weight_scale", &[1]), ("b.weight", &[1])]);
    // Whether the index lists the scale or not.
    for listed in [r#", "a.weight_scale": "two.safetensors""#, ""] {
        let index = format!(r#"{{"weight_map": {{"a.weight": "one.safetensors", "b.weight": "two.safetensors"{listed}}}}}"#);
        fs::write(unet.join("diffusion_pytorch_model.safetensors.index.json"), index).unwrap();
        let message = DiffusersFolder::open(folder.path(), None).unwrap().tensors(Component::Unet).err().unwrap().to_string();
        assert!(message.contains("two.safetensors: tensor a.weight_scale: is a scale in a different shard than a.weight"), "{message}");
    }
}

fn open(path: &Path) -> String {
    diffusion_core::weights::open_model(path, &Default::default()).err().unwrap().to_string()
}
