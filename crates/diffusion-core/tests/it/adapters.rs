//! Adapters against diffusers, peft and LyCORIS (tests/golden/adapters, scripts/golden/lora.py): merged weights, whole images, and the files
//! that are refused.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Error, Result,
    adapters::{AdaptedSource, Adapter, AppliedAdapter},
    pipelines::{ImageParams, RunContext, StableDiffusion},
    policy::ExecutionPolicy,
    weights::{Component, TensorShape, WatchedSource, WeightSource},
};
use serde_json::{Value as Json, json};

use crate::{
    golden, golden_metadata,
    golden_weights::draw,
    pipelines::{GoldenModel, params, psnr},
    relative_error, tolerance,
};

/// A folder for adapter files, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("framewright-it-adapters-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file of these tensors, with notes in its header.
    fn write(&self, name: &str, tensors: &BTreeMap<String, Tensor>, notes: &Json) -> PathBuf {
        let bytes = |tensor: &Tensor| -> Vec<u8> {
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().flat_map(f32::to_le_bytes).collect()
        };
        let data: BTreeMap<&str, (Vec<usize>, Vec<u8>)> =
            tensors.iter().map(|(key, tensor)| (key.as_str(), (tensor.dims().to_vec(), bytes(tensor)))).collect();
        let views = data.iter().map(|(key, (shape, bytes))| {
            (*key, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let path = self.0.join(format!("{name}.safetensors"));
        safetensors::serialize_to_file(views, serde_json::from_value(notes.clone()).unwrap(), &path).unwrap();
        path
    }

    /// The adapters of a golden's case: shapes by key, and the values of those that are not drawn.
    fn adapters(&self, case: &Json) -> Vec<AppliedAdapter> {
        let written = case["adapters"].as_array().unwrap().iter().enumerate().map(|(index, adapter)| {
            let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(adapter["shapes"].clone()).unwrap();
            let tensors = shapes.into_iter().map(|(key, shape)| {
                let tensor = match adapter["values"][&key].as_f64() {
                    Some(value) => Tensor::full(value as f32, shape, &Device::Cpu).unwrap(),
                    None => draw(&key, &shape),
                };
                (key, tensor)
            });
            let path = self.write(&index.to_string(), &tensors.collect(), &adapter["notes"]);
            let weight = |key: &str| adapter[key].as_f64().unwrap();
            applied(&path, weight("unet_weight"), weight("text_weight"))
        });
        written.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn applied(path: &Path, unet_weight: f64, text_weight: f64) -> AppliedAdapter {
    let adapter = Arc::new(Adapter::open(path.file_stem().unwrap().to_str().unwrap(), path).unwrap());
    AppliedAdapter { adapter, unet_weight, text_weight }
}

/// The tiny model of the pipelines' goldens.
fn model(call: &Json) -> Box<dyn WeightSource> {
    let shapes = serde_json::from_str(&golden_metadata("pipelines", "pictures")["shapes"]).unwrap();
    Box::new(GoldenModel { shapes, call: call.clone(), poison: None })
}

fn plain_model() -> Box<dyn WeightSource> {
    model(&json!({ "unet": {}, "scheduler_config": {} }))
}

/// Reads a tensor named "COMPONENT/TENSOR".
fn read(source: &dyn WeightSource, name: &str) -> Tensor {
    let (component, tensor) = name.split_once('/').unwrap();
    let component = if component == "unet" { Component::Unet } else { Component::TextEncoder };
    // The golden model's names are transformers 5's.
    let tensor = tensor.strip_prefix("text_model.").unwrap_or(tensor);
    let tensors = source.tensors(component).unwrap();
    let Some(TensorShape::Known(shape)) = tensors.shape(tensor) else { panic!("{name} is missing") };
    tensors.read(tensor, &shape).unwrap().to_dtype(DType::F32).unwrap()
}

/// Checks every case of a golden; returns how many tensors were compared.
fn check_merged(file: &str) -> usize {
    let cases: BTreeMap<String, Json> = serde_json::from_str(&golden_metadata("adapters", file)["cases"]).unwrap();
    let tensors = golden("adapters", file);
    let mut compared = 0;
    for (name, case) in &cases {
        let folder = Folder::new(&format!("{file}-{name}"));
        let source = AdaptedSource::new(plain_model(), folder.adapters(case)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(source.remarks().is_empty(), "{name}: {:?}", source.remarks());
        for (key, expected) in tensors.iter().filter_map(|(key, tensor)| Some((key.strip_prefix(&format!("{name}/"))?, tensor))) {
            let error = relative_error(&read(&source, key), expected);
            assert!(error < tolerance::MODELS, "{name}: {key}: {error:.1e}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn lora_is_merged_as_diffusers_fuses_it() {
    assert!(check_merged("diffusers") > 40);
}

#[test]
fn every_kind_of_lycoris_is_merged_as_its_modules_run() {
    assert!(check_merged("lycoris") > 35);
}

#[test]
fn images_with_adapters_are_those_of_diffusers() {
    let calls: BTreeMap<String, Json> = serde_json::from_str(&golden_metadata("adapters", "images")["calls"]).unwrap();
    let images = golden("adapters", "images");
    assert_eq!(calls.len(), 26);
    for (name, call) in &calls {
        let folder = Folder::new(&format!("images-{name}"));
        let source = AdaptedSource::new(model(call), folder.adapters(call)).unwrap();
        let model = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).unwrap();
        let params: ImageParams = params(call);
        let image = model.image(&params, RunContext::new(&mut ())).unwrap();
        let expected = images[&format!("image.{name}")].flatten_all().unwrap().to_vec1::<u8>().unwrap();
        let expected = image::RgbImage::from_raw(params.width, params.height, expected).unwrap();
        let found = psnr(&image, &expected);
        println!("image with adapters {name}: {found:.1} dB");
        assert!(found >= tolerance::IMAGE_PSNR, "{name}: {found:.1} dB");
    }
}

#[test]
fn a_model_loaded_again_reads_only_the_layers_that_differ() {
    let calls: BTreeMap<String, Json> = serde_json::from_str(&golden_metadata("adapters", "images")["calls"]).unwrap();
    let source = |name: Option<&str>, folder: &Folder| {
        let adapters = name.map(|name| folder.adapters(&calls[name])).unwrap_or_default();
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let watched = WatchedSource::new(Box::new(AdaptedSource::new(model(&calls["kohya"]), adapters).unwrap()), move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        });
        (watched, reads)
    };
    let image = |model: &StableDiffusion| model.image(&params(&calls["kohya"]), RunContext::new(&mut ())).unwrap();
    let policy = ExecutionPolicy::cpu_f32();
    let folder = Folder::new("reload");
    let (plain, all) = source(None, &folder);
    let mut model = StableDiffusion::load(&plain, &policy).unwrap();
    let (expected, all, weights) = (image(&model), all.load(Ordering::Relaxed), model.memory().weights());
    let norms = {
        let (plain, reads) = source(None, &folder);
        model = model.reload(&plain).unwrap();
        reads.load(Ordering::Relaxed)
    };
    assert!(norms > 0 && norms < all / 2, "norms are read again, {norms} of {all}");
    for name in ["kohya", "dora_rows", "full", "two_unfused"] {
        let folder = Folder::new(&format!("reload-{name}"));
        let (adapted, reads) = source(Some(name), &folder);
        model = model.reload(&adapted).unwrap();
        let reads = reads.load(Ordering::Relaxed);
        assert!(reads > norms && reads < all, "{name}: {reads} of {all}");
        let fresh = StableDiffusion::load(&source(Some(name), &folder).0, &policy).unwrap();
        assert_eq!(image(&model), image(&fresh), "{name}");
        assert_eq!(model.memory().weights(), weights);
    }
    model = model.reload(&source(None, &folder).0).unwrap();
    assert_eq!(image(&model), expected, "nothing of an adapter stays");
}

const LAYER: &str = "lora_unet_down_blocks_0_attentions_0_proj_in";

/// An adapter of one layer, of the rank 2.
fn small() -> BTreeMap<String, Tensor> {
    let keys = [(format!("{LAYER}.lora_up.weight"), vec![32, 2, 1, 1]), (format!("{LAYER}.lora_down.weight"), vec![2, 32, 1, 1])];
    keys.into_iter().map(|(key, shape)| (key.clone(), draw(&key, &shape))).collect()
}

/// Opens an adapter and applies it to the tiny model.
fn apply(folder: &Folder, tensors: &BTreeMap<String, Tensor>, notes: &Json, weight: f64) -> Result<AdaptedSource> {
    let adapter = Arc::new(Adapter::open("small", &folder.write("small", tensors, notes))?);
    AdaptedSource::new(plain_model(), vec![AppliedAdapter { adapter, unet_weight: weight, text_weight: weight }])
}

#[test]
fn adapters_that_cannot_be_applied_are_refused_by_name() {
    let folder = Folder::new("refused");
    let key = |end: &str| format!("{LAYER}.{end}");
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let number = |value: f32| Tensor::new(value, &Device::Cpu).unwrap();
    let (up, down) = (key("lora_up.weight"), key("lora_down.weight"));
    let cases: Vec<(Vec<(String, Tensor)>, &str)> = vec![
        (vec![(key("alpha"), number(-4.0))], "alpha is -4, but an alpha is a finite number of at least 0"),
        (vec![(key("alpha"), number(f32::NAN))], "alpha is NaN"),
        (vec![(key("alpha"), number(f32::INFINITY))], "alpha is inf"),
        (vec![(key("alpha"), tensor(&[2]))], "but an alpha is one number"),
        (vec![(up.clone(), (small()[&up].clone() * f64::NAN).unwrap())], "lora_up.weight has numbers that are infinite or NaN"),
        (
            vec![(up.clone(), tensor(&[1, 1_000_000])), (down.clone(), tensor(&[1_000_000, 1]))],
            "have the rank 1000000, supported are 1 to 4096",
        ),
        (vec![(up.clone(), tensor(&[32, 0])), (down.clone(), tensor(&[0, 32]))], "have the rank 0"),
        (vec![(down.clone(), tensor(&[3, 32]))], "have the ranks 2 and 3"),
        (vec![(down.clone(), tensor(&[2, 48]))], "was made for another model: 1 of its layers do not fit"),
        (vec![(key("dora_scale"), tensor(&[5, 1]))], "dora_scale has the shape [5, 1], which scales neither rows nor columns"),
        (vec![(format!("unet.{}.lora_A.weight", "down_blocks.0.attentions.0.proj_in"), tensor(&[2, 32]))], "has no counterpart"),
    ];
    for (changes, message) in cases {
        let mut tensors = small();
        tensors.extend(changes);
        let error = apply(&folder, &tensors, &json!({}), 1.0).err().unwrap_or_else(|| panic!("taken: {message}")).to_string();
        assert!(error.contains(message) && error.contains("small.safetensors"), "{error}");
    }
    let foreign: BTreeMap<String, Tensor> =
        small().into_iter().map(|(key, tensor)| (key.replace("down_blocks_0", "double_blocks_0"), tensor)).collect();
    let error = apply(&folder, &foreign, &json!({}), 1.0).err().unwrap().to_string();
    let first = "lora_unet_double_blocks_0_attentions_0_proj_in.lora_up.weight [32, 2, 1, 1]";
    assert!(error.contains("has no layer of this model") && error.contains(first), "{error}");
    let nothing = BTreeMap::from([("conv_in.weight".to_owned(), tensor(&[4, 4]))]);
    let error = apply(&folder, &nothing, &json!({}), 1.0).err().unwrap().to_string();
    assert!(error.contains("is no LoRA or LyCORIS adapter") && error.contains("conv_in.weight [4, 4]"), "{error}");
    let notes = json!({ "lora_adapter_metadata": json!({ "unet.lora_alpha": -1 }).to_string() });
    let error = apply(&folder, &small(), &notes, 1.0).err().unwrap().to_string();
    assert!(error.contains("unet.lora_alpha is -1"), "{error}");
    assert!(matches!(apply(&folder, &small(), &json!({}), f64::NAN), Err(Error::Params { field: "loras", .. })));
}

#[test]
fn keys_that_fit_no_layer_are_named_and_the_rest_is_applied() {
    let folder = Folder::new("unfit");
    let mut tensors = small();
    let second = "lora_te2_text_model_encoder_layers_0_mlp_fc1";
    for (end, shape) in [("lora_up.weight", [64, 2]), ("lora_down.weight", [2, 32])] {
        tensors.insert(format!("{second}.{end}"), draw(end, &shape));
    }
    tensors.insert(format!("{LAYER}.scalar"), Tensor::new(1_f32, &Device::Cpu).unwrap());
    let source = apply(&folder, &tensors, &json!({}), 1.0).unwrap();
    let remarks = source.remarks();
    assert!(
        remarks.iter().any(|remark| remark.contains("3 keys fit no layer") && remark.contains(second) && remark.contains("scalar")),
        "{remarks:?}"
    );
    let changed = "unet/down_blocks.0.attentions.0.proj_in.weight";
    assert!(relative_error(&read(&source, changed), &read(plain_model().as_ref(), changed)) > 0.1);
}

/// A model with adapters is a model: others are added to it as if all had been given at once.
#[test]
fn adapters_on_a_model_with_adapters_are_added_to_it() {
    let folder = Folder::new("nested");
    let open = |name: &str, factor: f64| {
        let tensors = small().into_iter().map(|(key, tensor)| (key, (tensor * factor).unwrap())).collect();
        applied(&folder.write(name, &tensors, &json!({})), 1.0, 1.0)
    };
    let (one, two) = (open("one", 1.0), open("two", -0.3));
    let inner = AdaptedSource::new(plain_model(), vec![one.clone()]).unwrap();
    let nested = AdaptedSource::new(Box::new(inner), vec![two.clone()]).unwrap();
    let both = AdaptedSource::new(plain_model(), vec![one, two]).unwrap();
    let name = "unet/down_blocks.0.attentions.0.proj_in.weight";
    let (nested, both) = (read(&nested, name), read(&both, name));
    assert!(relative_error(&both, &read(plain_model().as_ref(), name)) > 0.01);
    assert_eq!(relative_error(&nested, &both), 0.0);
}

#[test]
fn a_weight_of_0_leaves_every_number_as_it_was() {
    let folder = Folder::new("zero");
    let mut tensors = small();
    tensors.insert(format!("{LAYER}.dora_scale"), draw("scale", &[32, 1, 1, 1]));
    let source = apply(&folder, &tensors, &json!({}), 0.0).unwrap();
    let name = "unet/down_blocks.0.attentions.0.proj_in.weight";
    assert_eq!(relative_error(&read(&source, name), &read(plain_model().as_ref(), name)), 0.0);
}
