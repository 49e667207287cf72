//! CompVis checkpoints: names, values and configurations match diffusers' own conversion.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use candle_core::DType;
use diffusion_core::{
    Error, pipelines,
    weights::{Component, ModelFamily, OpenOptions, PredictionType, SingleFile, SingleFileOptions, TensorShape, WeightSource, open_model},
};
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::weights::{golden_file, safetensors_bytes};

pub(crate) fn golden_json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden_file(name)).unwrap()).unwrap()
}

/// The counterpart of `fill` in scripts/golden/weights.py.
fn fill(name: &str, count: usize) -> Vec<u8> {
    let state = name.bytes().fold(0x811c_9dc5_u32, |state, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0..count as u64)
        .map(|index| (u64::from(state) + index * 2_654_435_761) % (1 << 32))
        .flat_map(|mixed| (((mixed >> 8) as f64 / f64::from(1 << 24) - 0.5) as f32).to_le_bytes())
        .collect()
}

/// Additions to a checkpoint besides its golden's description.
#[derive(Default)]
struct Marked<'a> {
    /// The header's metadata.
    notes: &'a [(&'a str, &'a str)],
    /// Empty tensors with these names.
    keys: &'a [&'a str],
    /// Factor of the norms' biases.
    norms: Option<f32>,
}

/// The tensors of a golden: their shapes and bytes.
fn tensors_of(golden: &Value) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let tensors = golden["checkpoint"].as_object().unwrap().iter().map(|(name, shape)| {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let bytes = fill(name, shape.iter().product());
        (name.clone(), (shape, bytes))
    });
    tensors.collect()
}

/// Writes the checkpoint of a golden.
pub(crate) fn write_checkpoint(golden: &Value, path: &Path) {
    write_marked(golden, path, &Marked::default());
}

fn write_marked(golden: &Value, path: &Path, marked: &Marked<'_>) {
    let mut tensors = tensors_of(golden);
    tensors.extend(marked.keys.iter().map(|key| ((*key).to_owned(), (vec![0], Vec::new()))));
    if let Some(factor) = marked.norms {
        for (_, (_, bytes)) in tensors.iter_mut().filter(|(name, _)| name.ends_with(".norm1.bias")) {
            let (values, _) = bytes.as_chunks::<4>();
            *bytes = values.iter().flat_map(|value| (f32::from_le_bytes(*value) * factor).to_le_bytes()).collect();
        }
    }
    let notes = marked.notes.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    write_tensors(&tensors, Some(notes), path);
}

fn write_tensors(tensors: &BTreeMap<String, (Vec<usize>, Vec<u8>)>, notes: Option<HashMap<String, String>>, path: &Path) {
    let views =
        tensors.iter().map(|(name, (shape, bytes))| (name, TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, notes, path).unwrap();
}

/// A checkpoint as torch before 1.6 wrote it: `{"global_step": .., "state_dict": {..}}`.
fn legacy_checkpoint(tensors: &BTreeMap<String, (Vec<usize>, Vec<u8>)>, global_step: i32) -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let number = |number: i32| [&b"J"[..], &number.to_le_bytes()].concat();
    let sizes = |sizes: &[usize]| [b"(", sizes.iter().flat_map(|size| number(*size as i32)).collect::<Vec<u8>>().as_slice(), b"t"].concat();
    let mut object = [b"\x80\x02}(", text("global_step").as_slice(), &number(global_step), &text("state_dict"), b"}("].concat();
    let (mut keys, mut storages) = (b"\x80\x02](".to_vec(), Vec::new());
    for (index, (name, (shape, bytes))) in tensors.iter().enumerate() {
        let count = (bytes.len() / 4) as u64;
        let strides: Vec<usize> = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect();
        let key = text(&index.to_string());
        object.extend(
            [text(name).as_slice(), b"ctorch._utils\n_rebuild_tensor_v2\n((", &text("storage"), b"ctorch\nFloatStorage\n"].concat(),
        );
        object
            .extend([key.as_slice(), &text("cpu"), &number(count as i32), b"NtQK\0", &sizes(shape), &sizes(&strides), b"\x89}tR"].concat());
        keys.extend(key);
        storages.extend([&count.to_le_bytes()[..], bytes].concat());
    }
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    [&magic[..], &object, b"uu.", &keys, b"e.", &storages].concat()
}

pub(crate) fn check_against_diffusers(name: &str) -> SingleFile {
    let golden = golden_json(name);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    write_checkpoint(&golden, &path);
    let model = SingleFile::open(&path, SingleFileOptions::default()).unwrap();
    check_tensors(&model, &golden);
    assert!(model.file(Component::Tokenizer, "vocab.json").unwrap().is_none());
    crate::weights_random::run(&model, 8);
    model
}

/// Checks that every component's names, shapes, values and configuration match the golden's.
pub(crate) fn check_tensors(model: &dyn WeightSource, golden: &Value) {
    let family = ModelFamily::of(model).unwrap();
    assert_eq!(family.weighted_components().len(), golden["tensors"].as_object().unwrap().len());
    for &component in family.weighted_components() {
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
fn marks_decide_the_prediction_type_and_the_remark_names_the_deciding_mark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let (one, two) = (golden_json("ldm_tiny.json"), golden_json("ldm_sd2.json"));
    let quiet = Some(0.2);
    // The goldens' autoencoders halve a side once, so their 64 and 96 latents are 128 and 192 pixels.
    let v = [("modelspec.prediction_type", "v")];
    let epsilon = [("modelspec.prediction_type", "epsilon"), ("modelspec.architecture", "stable-diffusion-v2-768-v")];
    let (pndm, ddim, euler) = ("PNDMScheduler", "DDIMScheduler", "EulerDiscreteScheduler");
    for (golden, marked, flag, remark, scheduler, spacing) in [
        // Stable Diffusion 2's structure: the statistic decides, unless there is a mark.
        (
            &two,
            Marked::default(),
            None,
            "v_prediction at 192x192: no mark says it, and its last attention norm's bias deviates by 0.2",
            ddim,
            None,
        ),
        (
            &two,
            Marked { norms: quiet, ..Marked::default() },
            None,
            "epsilon at 128x128: no mark says it, and its last",
            euler,
            Some("trailing"),
        ),
        (&two, Marked { keys: &["v_pred"], norms: quiet, notes: &epsilon }, None, "v_prediction at 192x192: the key v_pred", ddim, None),
        (
            &two,
            Marked { notes: &epsilon, ..Marked::default() },
            None,
            "epsilon at 128x128: its modelspec.prediction_type is \"epsilon\"",
            euler,
            Some("trailing"),
        ),
        (
            &two,
            Marked { notes: &epsilon[1..], norms: quiet, ..Marked::default() },
            None,
            "v_prediction at 192x192: its modelspec.architecture",
            ddim,
            None,
        ),
        (
            &two,
            Marked { keys: &["v_pred", "ztsnr"], ..Marked::default() },
            Some("epsilon"),
            "epsilon at 128x128: as --prediction-type says",
            euler,
            Some("trailing"),
        ),
        (
            &two,
            Marked { norms: quiet, ..Marked::default() },
            Some("v_prediction"),
            "v_prediction at 192x192: as --prediction-type says",
            ddim,
            None,
        ),
        (
            &two,
            Marked { notes: &[("modelspec.prediction_type", "flow"), ("modelspec.resolution", "1024x1024")], ..Marked::default() },
            None,
            "v_prediction at 256x256: no mark",
            ddim,
            None,
        ),
        (
            &two,
            Marked { notes: &[("modelspec.resolution", "768x512")], ..Marked::default() },
            None,
            "v_prediction at 192x192: ",
            ddim,
            None,
        ),
        // Stable Diffusion 1's structure.
        (&one, Marked::default(), None, "epsilon at 128x128: no mark says otherwise, and Stable Diffusion 1.x does", pndm, None),
        (
            &one,
            Marked { notes: &v, ..Marked::default() },
            None,
            "v_prediction at 128x128: its modelspec.prediction_type is \"v\"",
            pndm,
            None,
        ),
        (&one, Marked { keys: &["v_pred"], ..Marked::default() }, None, "v_prediction at 128x128: the key v_pred says so", pndm, None),
        (
            &one,
            Marked { keys: &["v_pred", "ztsnr"], ..Marked::default() },
            None,
            "v_prediction at 128x128: the key v_pred says so",
            ddim,
            Some("trailing"),
        ),
        // Without velocity prediction, the model cannot start at pure noise.
        (&one, Marked { keys: &["ztsnr"], ..Marked::default() }, None, "epsilon at 128x128: no mark says otherwise", pndm, None),
    ] {
        write_marked(golden, &path, &marked);
        let options = SingleFileOptions { prediction_type: flag.map(|flag| flag.parse().unwrap()), ..SingleFileOptions::default() };
        let model = SingleFile::open(&path, options).unwrap();
        let remarks = model.remarks();
        assert!(remarks.len() == 1 && remarks[0].starts_with(&format!("predicts {remark}")), "{remark}: {remarks:?}");
        let config = model.config(Component::Scheduler).unwrap();
        assert_eq!((&config["_class_name"], config["timestep_spacing"].as_str()), (&scheduler.into(), spacing), "{remark}");
        assert!(remark.starts_with(config["prediction_type"].as_str().unwrap()), "{remark}: {config}");
        assert_eq!(config["rescale_betas_zero_snr"] == true, spacing.is_some() && scheduler == ddim, "{remark}: {config}");
        let pixels = model.config(Component::Unet).unwrap()["sample_size"].as_u64().unwrap() * 2;
        assert!(remark.contains(&format!("{pixels}x{pixels}")), "{remark}: {pixels}");
    }
}

#[test]
fn the_training_steps_of_a_torch_checkpoint_decide() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.ckpt");
    let two = golden_json("ldm_sd2.json");
    for (steps, remark, scheduler) in [
        (875_000, "predicts epsilon at 128x128: its global_step is 875000", "PNDMScheduler"),
        (110_000, "predicts v_prediction at 192x192: its global_step is 110000", "DDIMScheduler"),
        (3, "predicts v_prediction at 192x192: no mark says it, and its last attention norm's bias", "DDIMScheduler"),
    ] {
        fs::write(&path, legacy_checkpoint(&tensors_of(&two), steps)).unwrap();
        let model = SingleFile::open(&path, SingleFileOptions::default()).unwrap();
        assert!(model.remarks()[0].starts_with(remark), "{:?}", model.remarks());
        assert_eq!(model.config(Component::Scheduler).unwrap()["_class_name"], scheduler);
        check_tensors(&model, &two);
    }
}

#[test]
fn vae_attention_is_read_under_all_of_its_names() {
    let golden = golden_json("ldm_tiny.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (names, is_matrix) in [
        (["norm", "to_q", "to_k", "to_v", "to_out.0"], true),
        (["group_norm", "to_q", "to_k", "to_v", "to_out.0"], false),
        (["group_norm", "query", "key", "value", "proj_attn"], true),
    ] {
        let renamed = tensors_of(&golden).into_iter().map(|(name, (mut shape, bytes))| {
            let Some((start, rest)) = name.split_once("mid.attn_1.").filter(|(start, _)| start.starts_with("first_stage_model.")) else {
                return (name, (shape, bytes));
            };
            let (layer, kind) = rest.split_once('.').unwrap();
            let place = ["norm", "q", "k", "v", "proj_out"].iter().position(|old| *old == layer).unwrap();
            if is_matrix && shape.len() == 4 {
                shape.truncate(2);
            }
            (format!("{start}mid.attn_1.{}.{kind}", names[place]), (shape, bytes))
        });
        write_tensors(&renamed.collect(), None, &path);
        let model = SingleFile::open(&path, SingleFileOptions::default()).unwrap();
        check_tensors(&model, &golden);
        assert_eq!(model.remarks().len(), 1);
    }
}

#[test]
fn other_files_are_identified() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let refusal = |tensors: &[(&str, &[usize])]| {
        fs::write(&path, safetensors_bytes(tensors, 0.0)).unwrap();
        SingleFile::open(&path, SingleFileOptions::default()).err().unwrap().to_string()
    };
    for (tensor, kind) in [
        ("conditioner.embedders.0.transformer.text_model.embeddings.position_ids", "is a text encoder alone"),
        ("conditioner.embedders.1.model.ln_final.weight", "is a text encoder alone"),
        ("edm_mean", "is a Playground 2.5 checkpoint: supported are"),
        ("model.diffusion_model.joint_blocks.0.x", "is a Stable Diffusion 3 checkpoint"),
        ("model.diffusion_model.double_blocks.0.x", "is a Flux checkpoint"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "is a Flux checkpoint"),
        ("transformer_blocks.0.img_mod.1.weight", "is a Qwen-Image checkpoint"),
        ("model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight", "is a Stable Video Diffusion checkpoint"),
        ("depth_model.model.pretrained.model.cls_token", "is a Stable Diffusion 2 depth checkpoint"),
        ("noise_augmentor.time_embed.embed", "is a Stable unCLIP checkpoint"),
        ("control_model.input_blocks.0.0.weight", "is a ControlNet: it steers a model"),
        ("controlnet_cond_embedding.conv_in.weight", "is a ControlNet"),
        ("zero_convs.0.0.weight", "is a ControlNet"),
        ("lora_unet_down_blocks_0.lora_up.weight", "is a LoRA: it modifies a model"),
        ("unet.down_blocks.0.attentions.0.processor.to_q_lora.up.weight", "is a LoRA"),
        ("unet.down_blocks.0.attentions.0.attn1.to_q.lora.down.weight", "is a LoRA"),
        ("lora_unet_mid_block_attentions_0.hada_w1_a", "is a LyCORIS adapter"),
        ("lora_unet_mid_block_attentions_0.lokr_w1", "is a LyCORIS adapter"),
        ("base_model.model.down_blocks.0.attentions.0.to_q.lora_A.weight", "is a PEFT adapter"),
        ("unet.down_blocks.0.attentions.0.attn1.to_q.lora_A.weight", "is a PEFT adapter"),
        ("down_blocks.0.motion_modules.0.temporal_transformer.norm.weight", "is a motion module (AnimateDiff)"),
        ("emb_params", "is a textual-inversion embedding"),
        ("<my-cat>", "is a textual-inversion embedding"),
        ("ip_adapter.1.to_k_ip.weight", "is an IP-Adapter"),
        ("body.0.rdb1.conv1.weight", "is an upscaler"),
        ("model.1.sub.0.RDB1.conv1.0.weight", "is an upscaler"),
        ("first_stage_model.decoder.conv_in.weight", "is a VAE alone: give a whole checkpoint"),
        ("decoder.up.0.block.0.conv1.weight", "is a VAE alone"),
        ("decoder.up_blocks.0.resnets.0.conv1.weight", "is one component of a diffusers model, its VAE: give the model's folder"),
        ("down_blocks.0.resnets.0.norm1.weight", "is one component of a diffusers model, its UNet"),
        ("text_model.final_layer_norm.weight", "is one component of a diffusers model, its text encoder"),
        ("input_blocks.0.0.weight", "is a UNet alone"),
        ("vision_model.embeddings.class_embedding", "is an image encoder alone"),
        ("model.layers.0.self_attn.q_proj.weight", "is a language model"),
        ("a", "is a textual-inversion embedding, or another single tensor (a)"),
    ] {
        let message = refusal(&[(tensor, &[1])]);
        assert!(message.contains(kind) && message.contains(path.to_str().unwrap()), "{tensor}: {message}");
    }
    let message = refusal(&[("model.diffusion_model.out.2.weight", &[1])]);
    assert!(message.contains("is a UNet alone: name the other parts besides (--vae and --text-encoder)"), "{message}");
    let message = refusal(&[("model.diffusion_model.out.2.weight", &[1]), ("first_stage_model.decoder.conv_in.bias", &[1])]);
    let advice = "has no text encoder, so it is not a complete Stable Diffusion checkpoint: name one besides (--text-encoder)";
    assert!(message.contains(advice), "{message}");
    assert!(refusal(&[("a", &[1, 1, 1]), ("b", &[1])]).contains("no Stable Diffusion checkpoint (its first tensors are "));
    let refiner = [("conditioner.embedders.0.model.ln_final.weight", &[1][..]), ("model.diffusion_model.label_emb.0.0.weight", &[1, 1])];
    assert!(refusal(&refiner).contains("has no VAE, so it is not a complete Stable Diffusion checkpoint"));
    let without_first = [
        ("conditioner.embedders.1.model.ln_final.weight", &[1][..]),
        ("model.diffusion_model.label_emb.0.0.weight", &[1, 1]),
        ("first_stage_model.decoder.conv_in.bias", &[1]),
    ];
    assert!(refusal(&without_first).contains("has no first text encoder, so it is not a complete Stable Diffusion checkpoint"));

    for (bytes, kind) in [(&b"<!DOCTYPE html>"[..], "is a web page"), (b"GGUF\x03\0\0\0", "is a GGUF file")] {
        fs::write(&path, bytes).unwrap();
        let message = SingleFile::open(&path, SingleFileOptions::default()).err().unwrap().to_string();
        assert!(message.contains(kind), "{message}");
    }
    // An embedding as A1111 saves it: nested dictionaries.
    let path = folder.path().join("embedding.pt");
    fs::write(&path, legacy_checkpoint(&BTreeMap::from([("*".to_owned(), (vec![1, 2], vec![0; 8]))]), 5)).unwrap();
    let embedding = replaced(&fs::read(&path).unwrap(), b"X\x0a\0\0\0state_dict", b"X\x0f\0\0\0string_to_param");
    fs::write(&path, embedding).unwrap();
    let message = open_model(&path, &OpenOptions::default()).err().unwrap().to_string();
    assert!(message.contains("is a textual-inversion embedding"), "{message}");
}

/// The bytes with one occurrence of `old` replaced by `new`.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn missing_and_unsupported_tensors_are_named() {
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
    // Tensors that belong to no layer are omitted, and reported.
    let names =
        ["ema.decay", "betas", "num_updates", "ema.num_updates", "posterior", "steps"].map(|name| format!("model.diffusion_model.{name}"));
    let model = open(&|tensors| names.iter().for_each(|name| _ = tensors.insert(name.clone(), serde_json::json!([4])))).unwrap();
    let mut unknown = model.unknown_tensors();
    unknown.sort();
    let mut expected = names.to_vec();
    expected.sort();
    assert_eq!(unknown, expected);
    let ignored = pipelines::ignored_fields(&model);
    assert_eq!(ignored.len(), 1);
    assert!(ignored[0].to_string().starts_with("tensors: model.diffusion_model."), "{}", ignored[0]);
    assert!(!model.tensors(Component::Unet).unwrap().names().iter().any(|name| name.contains("ema")));
    let name = "model.diffusion_model.out.2.weight";
    let message = open(&|tensors| _ = tensors.remove(name)).err().unwrap().to_string();
    assert!(message.contains(&format!("unet: {}: tensor {name}: missing", path.display())), "{message}");
    // A tensor that does not affect the inferred architecture is missed only when the model requests it.
    let model = open(&|tensors| _ = tensors.remove("first_stage_model.encoder.norm_out.bias")).unwrap();
    assert!(model.tensors(Component::Vae).unwrap().shape("encoder.conv_norm_out.bias").is_none());
}

#[test]
fn a_torch_checkpoint_is_read_and_a_malicious_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.ckpt");
    fs::copy(golden_file("wrapped.bin"), &path).unwrap();
    let message = open_model(&path, &OpenOptions::default()).err().unwrap().to_string();
    assert!(message.contains("has no UNet"), "{message}");
    fs::copy(golden_file("evil.bin"), &path).unwrap();
    let message = open_model(&path, &OpenOptions::default()).err().unwrap().to_string();
    assert!(message.contains("posix.system"), "{message}");
}
