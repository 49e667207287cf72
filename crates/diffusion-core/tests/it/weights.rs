//! Loading diffusers folders: file names, shards, variants, old tensor names, and errors that name all details.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Error,
    weights::{
        Component, ComponentWeights, DiffusersFolder, EmbeddedModel, OpenOptions, PredictionType, RandomWeights, WeightSource, open_model,
    },
};
use safetensors::tensor::TensorView;

const INDEX: &str = r#"{"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}"#;

/// A golden file of this subject, in any format.
pub(crate) fn golden_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights").join(name)
}

/// A safetensors file of f32 tensors; the values count up from `first` through all tensors in the given order.
pub(crate) fn safetensors_bytes(tensors: &[(&str, &[usize])], first: f32) -> Vec<u8> {
    let mut next = first;
    let data: BTreeMap<&str, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let bytes = (0..count).flat_map(|index| (next + index as f32).to_le_bytes()).collect();
            next += count as f32;
            (*name, (shape.to_vec(), bytes))
        })
        .collect();
    let views = data.iter().map(|(name, (shape, bytes))| (*name, TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model_index.json"), INDEX).unwrap();
    for part in ["unet", "vae", "text_encoder"] {
        fs::create_dir(folder.path().join(part)).unwrap();
    }
    folder
}

fn weights(source: &dyn WeightSource, component: Component) -> ComponentWeights {
    ComponentWeights::new(source.tensors(component).unwrap(), component, DType::F32, &Device::Cpu)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn refusal<T>(result: Result<T, Error>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn plain_files_take_precedence_and_a_variant_can_be_forced() {
    let folder = folder();
    let unet = folder.path().join("unet");
    let write = |name: &str, first| fs::write(unet.join(name), safetensors_bytes(&[("a", &[1])], first)).unwrap();
    let first_value = |variant| {
        let source = DiffusersFolder::open(folder.path(), variant).unwrap();
        source.tensors(Component::Unet).map(|_| values(&weights(&source, Component::Unet).get(1, "a").unwrap())[0])
    };
    let message = refusal(first_value(None));
    assert!(message.contains("unet: has no weight file: looked for diffusion_pytorch_model.safetensors"), "{message}");
    write("diffusion_pytorch_model.fp16.safetensors", 2.0);
    assert_eq!(first_value(None).unwrap(), 2.0);
    write("diffusion_pytorch_model.safetensors", 1.0);
    assert_eq!(first_value(None).unwrap(), 1.0);
    assert_eq!(first_value(Some("fp16")).unwrap(), 2.0);
    assert!(refusal(first_value(Some("ema"))).contains("no weight file of the variant ema"));
    assert!(refusal(DiffusersFolder::open(folder.path(), Some("../x"))).contains("variant"));
}

#[test]
fn shards_are_combined() {
    let folder = folder();
    let unet = folder.path().join("unet");
    fs::write(unet.join("diffusion_pytorch_model-00001-of-00002.safetensors"), safetensors_bytes(&[("a", &[2]), ("b", &[2])], 0.0))
        .unwrap();
    fs::write(unet.join("diffusion_pytorch_model-00002-of-00002.safetensors"), safetensors_bytes(&[("c", &[1])], 7.0)).unwrap();
    let index = unet.join("diffusion_pytorch_model.safetensors.index.json");
    let write_index = |third: &str| {
        let first = "diffusion_pytorch_model-00001-of-00002.safetensors";
        let map = format!(r#"{{"metadata": {{"total_size": 20}}, "weight_map": {{"a": "{first}", "b": "{first}", "c": "{third}"}}}}"#);
        fs::write(&index, map).unwrap();
    };
    write_index("diffusion_pytorch_model-00002-of-00002.safetensors");
    let source = DiffusersFolder::open(folder.path(), None).unwrap();
    let cursor = weights(&source, Component::Unet);
    assert_eq!(values(&cursor.get(2, "b").unwrap()), [2.0, 3.0]);
    assert_eq!(values(&cursor.get(1, "c").unwrap()), [7.0]);
    let message = refusal(cursor.get(1, "d"));
    assert!(message.contains("index.json: tensor d: missing, expected shape [1]"), "{message}");

    write_index("diffusion_pytorch_model-00003-of-00003.safetensors");
    assert!(refusal(source.tensors(Component::Unet)).contains("00003-of-00003.safetensors: is missing;"));
    write_index("../../secret.safetensors");
    assert!(refusal(source.tensors(Component::Unet)).contains("as a shard, which is no .safetensors or .bin file beside it"));
}

#[test]
fn sharded_torch_files_are_combined() {
    let folder = folder();
    let vae = folder.path().join("vae");
    fs::copy(golden_file("tensors.bin"), vae.join("diffusion_pytorch_model-00001-of-00002.bin")).unwrap();
    fs::copy(golden_file("wrapped.bin"), vae.join("diffusion_pytorch_model-00002-of-00002.bin")).unwrap();
    let map = r#"{"weight_map": {"contiguous": "diffusion_pytorch_model-00001-of-00002.bin",
        "0.weight": "diffusion_pytorch_model-00002-of-00002.bin"}}"#;
    fs::write(vae.join("diffusion_pytorch_model.bin.index.json"), map).unwrap();
    let source = DiffusersFolder::open(folder.path(), None).unwrap();
    let cursor = weights(&source, Component::Vae);
    assert!(cursor.contains("contiguous") && !cursor.contains("transposed"));
    assert_eq!(values(&cursor.get((3, 2), "0.weight").unwrap()), [0., 1., 2., 3., 4., 5.]);
}

#[test]
fn old_and_new_names_load_alike() {
    let folder = folder();
    let text = folder.path().join("text_encoder/model.safetensors");
    let vae = folder.path().join("vae/diffusion_pytorch_model.safetensors");
    for (text_names, vae_names) in [
        (
            ["final_layer_norm.bias", "embeddings.position_ids"],
            [("decoder.mid_block.attentions.0.proj_attn.weight", &[2usize, 2, 1, 1][..]), ("post_quant_conv.weight", &[2, 2, 1, 1])],
        ),
        (
            ["text_model.final_layer_norm.bias", "text_model.embeddings.position_ids"],
            [("decoder.mid_block.attentions.0.to_out.0.weight", &[2, 2]), ("post_quant_conv.weight", &[2, 2, 1, 1])],
        ),
    ] {
        fs::write(&text, safetensors_bytes(&[(text_names[0], &[2]), (text_names[1], &[1, 3])], 0.0)).unwrap();
        fs::write(&vae, safetensors_bytes(&vae_names, 0.0)).unwrap();
        let source = DiffusersFolder::open(folder.path(), None).unwrap();
        assert_eq!(source.tensors(Component::TextEncoder).unwrap().names(), ["text_model.final_layer_norm.bias"]);
        let cursor = weights(&source, Component::Vae);
        assert_eq!(values(&cursor.pp("decoder.mid_block.attentions").pp(0).get((2, 2), "to_out.0.weight").unwrap()), [0., 1., 2., 3.]);
        assert_eq!(values(&cursor.get((2, 2, 1, 1), "post_quant_conv.weight").unwrap()), [4., 5., 6., 7.]);
    }
    // Both at once are ambiguous.
    fs::write(&text, safetensors_bytes(&[("a.bias", &[2]), ("text_model.a.bias", &[2])], 0.0)).unwrap();
    let source = DiffusersFolder::open(folder.path(), None).unwrap();
    assert!(refusal(source.tensors(Component::TextEncoder)).contains("tensor text_model.a.bias: occurs twice"));
}

#[test]
fn errors_name_file_tensor_and_shapes() {
    let folder = folder();
    let path = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let whole = safetensors_bytes(&[("a.weight", &[2, 3]), ("b.weight", &[4])], 0.0);
    fs::write(&path, &whole).unwrap();
    let source = DiffusersFolder::open(folder.path(), None).unwrap();
    let cursor = weights(&source, Component::Unet).pp("a");
    let at = format!("unet: {}: tensor a.", path.display());
    assert_eq!(refusal(cursor.get((3, 2), "weight")), format!("{at}weight: expected shape [3, 2], found [2, 3]"));
    assert_eq!(refusal(cursor.get(2, "bias")), format!("{at}bias: missing, expected shape [2]"));
    drop(cursor);

    // Truncated anywhere, it is an error that names the file, and also the tensor once the header is complete.
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let message = refusal(source.tensors(Component::Unet));
        assert!(message.contains(path.to_str().unwrap()) && message.contains("truncated"), "{length}: {message}");
        if length + 4 == whole.len() {
            let expected = "tensor b.weight: truncated: expected shape [4] in 16 bytes, found 12 bytes";
            assert!(message.ends_with(expected), "{message}");
        }
    }
    fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert!(refusal(source.tensors(Component::Unet)).contains("holds 44 bytes of data where its header declares 40"));
    fs::write(&path, b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").unwrap();
    assert!(refusal(source.tensors(Component::Unet)).contains("is a Git LFS pointer"));
}

#[test]
fn a_header_with_flipped_bits_never_panics() {
    let folder = folder();
    let path = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let whole = safetensors_bytes(&[("a.weight", &[2, 3]), ("b.weight", &[4])], 0.0);
    let source = DiffusersFolder::open(folder.path(), None).unwrap();
    for position in 0..whole.len() - 40 {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (position % 8);
        fs::write(&path, &bytes).unwrap();
        if let Ok(tensors) = source.tensors(Component::Unet) {
            for name in tensors.names() {
                let _ = tensors.read(&name, &[]);
            }
        }
    }
}

#[test]
fn folders_without_a_model_are_refused() {
    let open = |path: &Path| open_model(path, &OpenOptions::default());
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(open(&empty.path().join("nothing"))).contains("does not exist"));
    assert!(refusal(open(empty.path())).contains("model_index.json: is missing, so this is no diffusers model folder"));
    for (file_name, what) in [
        ("config.json", "is missing, so this is no diffusers model folder; it may be one component of a model: give the folder above it"),
        ("adapter_config.json", "it holds a PEFT adapter, which modifies a model but is not one"),
    ] {
        fs::write(empty.path().join(file_name), "{}").unwrap();
        assert!(refusal(open(empty.path())).ends_with(what));
    }
    fs::write(empty.path().join("model_index.json"), INDEX.replace("StableDiffusionPipeline", "FluxPipeline")).unwrap();
    assert!(refusal(open(empty.path())).contains("model_index.json: field _class_name: unsupported pipeline FluxPipeline"));
    fs::write(empty.path().join("model_index.json"), "{").unwrap();
    assert!(refusal(open(empty.path())).contains("is no JSON"));
    fs::write(empty.path().join("model.gguf"), "GGUF").unwrap();
    assert!(refusal(open(&empty.path().join("model.gguf"))).contains("is a GGUF file"));
    let folder = folder();
    let options = OpenOptions { prediction_type: Some(PredictionType::Epsilon), ..OpenOptions::default() };
    assert!(refusal(open_model(folder.path(), &options)).contains("prediction_type: a model folder's scheduler_config.json says it"));
    assert_eq!(open(folder.path()).unwrap().name(), folder.path().display().to_string());
    assert!(refusal(open(folder.path()).unwrap().config(Component::Unet)).contains("unet/config.json: is missing"));
    assert!(open(folder.path()).unwrap().file(Component::Tokenizer, "vocab.json").unwrap().is_none());
}

#[test]
fn a_scheduler_file_with_pythons_infinity_is_read() {
    let folder = folder();
    fs::create_dir(folder.path().join("scheduler")).unwrap();
    let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity}"#;
    fs::write(folder.path().join("scheduler/scheduler_config.json"), text).unwrap();
    let config = open_model(folder.path(), &OpenOptions::default()).unwrap().config(Component::Scheduler).unwrap();
    diffusion_core::schedulers::SchedulerConfig::from_json(&config, None).unwrap().start(4).unwrap();
}

#[test]
fn an_embedded_model_is_a_folder_in_memory() {
    let weights_file: &'static [u8] = safetensors_bytes(&[("final_layer_norm.bias", &[2])], 3.0).leak();
    let files: Vec<(&'static str, &'static [u8])> = vec![
        ("model_index.json", INDEX.as_bytes()),
        ("text_encoder/model.fp16.safetensors", weights_file),
        ("tokenizer/vocab.json", b"{}"),
        ("scheduler/scheduler_config.json", br#"{"_class_name": "DDIMScheduler"}"#),
    ];
    let model = EmbeddedModel::new("nano", files.leak());
    assert_eq!(model.name(), "nano (embedded)");
    assert_eq!(model.config(Component::Scheduler).unwrap()["_class_name"], "DDIMScheduler");
    assert!(model.config(Component::ModelIndex).is_ok());
    assert_eq!(model.file(Component::Tokenizer, "vocab.json").unwrap().unwrap(), b"{}");
    assert!(model.file(Component::Tokenizer, "merges.txt").unwrap().is_none());
    let cursor = weights(&model, Component::TextEncoder);
    assert_eq!(values(&cursor.get(2, "text_model.final_layer_norm.bias").unwrap()), [3.0, 4.0]);
    assert!(refusal(model.tensors(Component::Unet)).contains("nano (embedded)/unet: has no weight file"));
}

#[test]
fn random_weights_have_any_requested_shape() {
    let model = RandomWeights::new("nano-sd", 5).unwrap();
    let cursor = weights(&model, Component::Unet).pp("conv_in");
    assert!(cursor.contains("weight") && cursor.shape("weight").is_none());
    let tensor = cursor.get((64, 4, 3, 3), "weight").unwrap();
    assert_eq!(tensor.dims(), [64, 4, 3, 3]);
    assert_ne!(values(&tensor)[0], values(&tensor)[1]);
    let norm = values(&cursor.get(64, "weight").unwrap());
    assert!(norm.iter().all(|value| (value - 1.0).abs() <= 0.2));
}
