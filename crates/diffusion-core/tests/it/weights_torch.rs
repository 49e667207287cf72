//! Torch files: every layout of a tensor, against the same tensors in safetensors; and files that are refused, with nothing run.

use std::{fs, path::Path};

use candle_core::{DType, Device};
use diffusion_core::{
    Error,
    weights::{Component, DiffusersFolder, TensorShape, TensorSource, WeightSource},
};

use crate::weights::golden_file;

/// The tensors of one torch file, loaded as a model folder's UNet.
fn load(bytes: &[u8]) -> Result<std::sync::Arc<dyn TensorSource>, Error> {
    let folder = folder();
    load_in(folder.path(), bytes)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let index = r#"{"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}"#;
    fs::write(folder.path().join("model_index.json"), index).unwrap();
    fs::create_dir(folder.path().join("unet")).unwrap();
    folder
}

fn load_in(folder: &Path, bytes: &[u8]) -> Result<std::sync::Arc<dyn TensorSource>, Error> {
    fs::write(folder.join("unet/diffusion_pytorch_model.bin"), bytes).unwrap();
    DiffusersFolder::open(folder, None).unwrap().tensors(Component::Unet)
}

fn load_golden(name: &str) -> Result<std::sync::Arc<dyn TensorSource>, Error> {
    load(&fs::read(golden_file(name)).unwrap())
}

fn refusal(bytes: &[u8]) -> String {
    load(bytes).err().unwrap().to_string()
}

#[test]
fn every_layout_is_rebuilt() {
    let expected = candle_core::safetensors::load(golden_file("tensors.safetensors"), &Device::Cpu).unwrap();
    let found = load_golden("tensors.bin").unwrap();
    assert_eq!(found.names().len(), expected.len() + 1);
    assert!(expected.len() >= 15);
    for (name, expected) in &expected {
        assert_eq!(found.shape(name), Some(TensorShape::Known(expected.dims().to_vec())), "{name}");
        let tensor = found.read(name, expected.dims()).unwrap();
        assert_eq!((tensor.dims(), tensor.dtype()), (expected.dims(), expected.dtype()), "{name}");
        assert!(tensor.is_contiguous());
        let values = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(values(&tensor), values(expected), "{name}");
    }
    let message = found.read("int32", &[4]).unwrap_err().to_string();
    assert!(message.ends_with("tensor int32: is stored as i32; supported are f32, f16, bf16, f64 and i64"), "{message}");
}

#[test]
fn a_wrapped_state_dict_of_any_protocol_is_found() {
    for name in ["wrapped.bin", "protocol4.bin"] {
        let found = load_golden(name).unwrap();
        let mut names = found.names();
        names.sort();
        assert_eq!(names, ["0.bias", "0.weight", "1.bias", "1.weight"]);
        let weight: Vec<f32> = found.read("0.weight", &[3, 2]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(weight, [0., 1., 2., 3., 4., 5.]);
    }
}

#[test]
fn a_pickle_that_calls_something_is_refused_and_nothing_runs() {
    let evil = fs::read(golden_file("evil.bin")).unwrap();
    let marker = b"touch evil-marker";
    assert!(evil.windows(marker.len()).any(|window| window == marker));
    let message = refusal(&evil);
    assert!(message.contains("its pickle is refused: it refers to posix.system, which is not allowed (byte "), "{message}");
    assert!(message.ends_with("; nothing was run"), "{message}");
    assert!(!Path::new("evil-marker").exists());
}

#[test]
fn other_files_are_refused_in_their_own_words() {
    let read = |name: &str| fs::read(golden_file(name)).unwrap();
    assert!(refusal(&read("module.bin")).contains("it refers to torch.nn.modules.linear.Linear, which is not allowed"));
    assert!(refusal(&read("before_1_6.bin")).contains("was written by torch before 1.6"));
    assert!(refusal(b"<html>not found</html>").contains("is no torch file: it does not begin as a zip archive"));
    assert!(refusal(b"").contains("truncated: the file is empty"));
    let whole = read("tensors.bin");
    for length in (1..whole.len()).step_by(97) {
        let message = refusal(&whole[..length]);
        assert!(message.contains("truncated") || message.contains("is no torch file"), "{length}: {message}");
    }
}

#[test]
fn flipped_bits_never_panic() {
    // Through the archive: its directory, its pickle and its records alike.
    let (folder, whole) = (folder(), fs::read(golden_file("wrapped.bin")).unwrap());
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (position % 8);
        if let Ok(found) = load_in(folder.path(), &bytes) {
            for name in found.names() {
                let _ = found.read(&name, &[]);
            }
        }
    }
}
