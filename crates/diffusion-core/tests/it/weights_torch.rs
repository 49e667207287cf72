//! Torch files: every layout of a tensor against the same tensors in safetensors; and refused files, with nothing executed.

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
    assert!(message.ends_with("tensor int32: is stored as i32; supported are f32, f16, bf16, f64, i64, f8_e4m3 and f8_e5m2"), "{message}");
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
fn other_files_are_refused_with_specific_messages() {
    let read = |name: &str| fs::read(golden_file(name)).unwrap();
    let message = refusal(&read("module.bin"));
    assert!(
        message.contains("holds an object of the class torch.nn.modules.linear.Linear, not a dictionary of tensors: load it"),
        "{message}"
    );
    let tar = [&[0; 257][..], b"ustar\0", &[0; 300]].concat();
    assert!(refusal(&tar).contains("is a tar archive of torch before 0.1.10"));
    assert!(refusal(&[&[0x80, 2, b'}', b'.'][..], b"more"].concat()).contains("nor as torch before 1.6 wrote"));
    assert!(
        refusal(b"<html>not found</html>").contains("is a web page, not weights in safetensors or as a torch file: fetch the file itself")
    );
    assert!(refusal(b"").contains("truncated: the file is empty"));
    let whole = read("tensors.bin");
    for length in (1..whole.len()).step_by(97) {
        let message = refusal(&whole[..length]);
        assert!(message.contains("truncated") || message.contains("is no torch file"), "{length}: {message}");
    }
}

#[test]
fn additional_data_of_training_scripts_is_skipped() {
    // The same objects in an archive, as torch wrote before 1.6, and in a newer protocol: numpy's and torch's, and classes that do not
    // exist here.
    for name in ["extras.bin", "extras_legacy.bin", "extras_protocol4.bin"] {
        let found = load_golden(name).unwrap();
        let mut names = found.names();
        names.sort();
        assert_eq!(names, ["0.bias", "0.weight", "e4m3", "half_of_it", "named", "num_batches_tracked", "tied"], "{name}");
        let values = |tensor: &str, shape: &[usize]| -> Vec<f32> {
            assert_eq!(found.shape(tensor), Some(TensorShape::Known(shape.to_vec())), "{name} {tensor}");
            found.read(tensor, shape).unwrap().to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        for tied in ["0.weight", "tied"] {
            assert_eq!(values(tied, &[3, 2]), [0., 1., 2., 3., 4., 5.], "{name}");
        }
        assert_eq!(values("half_of_it", &[2, 1]), [2., 4.], "{name}");
        assert_eq!(values("0.bias", &[3]), [0., 1., 2.], "{name}");
        assert_eq!(values("named", &[2]), [0., 1.], "{name}");
        assert_eq!(values("e4m3", &[3]), [1.5, -448., 1. / 512.], "{name}");
        assert_eq!(values("num_batches_tracked", &[]), [7.], "{name}");
    }
}

#[test]
fn a_file_from_before_torch_1_6_is_read_and_a_truncated_one_refused() {
    let found = load_golden("before_1_6.bin").unwrap();
    assert_eq!(found.read("weight", &[2]).unwrap().to_vec1::<f32>().unwrap(), [0., 0.]);
    let whole = fs::read(golden_file("extras_legacy.bin")).unwrap();
    for length in (0..whole.len()).step_by(13) {
        let message = refusal(&whole[..length]);
        let known = ["truncated", "is no torch file"].iter().any(|word| message.contains(word));
        assert!(known, "{length}: {message}");
    }
    let sys_info = whole.windows(2).position(|pair| pair == [0x88, b'X']).unwrap();
    let mut big = whole.clone();
    big[sys_info] = 0x89;
    assert!(refusal(&big).contains("has the byte order big, supported is little"));
}

#[test]
fn flipped_bits_never_panic() {
    // Damages the archive's directory, its pickle and its records alike.
    for name in ["wrapped.bin", "extras_legacy.bin"] {
        let (folder, whole) = (folder(), fs::read(golden_file(name)).unwrap());
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
}
