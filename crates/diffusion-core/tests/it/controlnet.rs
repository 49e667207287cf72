//! ControlNets against diffusers: the models alone, and whole images (tests/golden/controlnet, scripts/golden/controlnet.py); their files.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error, Result,
    models::{ControlNetConfig, ControlNetModel, ControlStrength},
    pipelines::{ControlNet, ControlParams, ControlsParams, ImageParams, RunContext, StableDiffusion, Start},
    policy::ExecutionPolicy,
    weights::{Component, TensorShape, TensorSource, WeightSource, open_controlnet, open_controlnet_until},
};
use image::{GrayImage, RgbImage};
use serde_json::Value as Json;

use crate::{
    golden, golden_metadata,
    golden_weights::draw,
    models::case_of,
    pipelines::{GoldenModel, check_psnrs, image_of, params, psnr},
    sdxl,
};

/// The factor of the embedding's weights, as in the script.
const EMBEDDING_SCALE: f64 = 2.5;

fn net(name: &str, dtype: DType) {
    let case = case_of("controlnet", name);
    let config = ControlNetConfig::from_json(&case.config).unwrap();
    let model = ControlNetModel::load(&config, &case.weights.cursor(Component::ControlNet, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    let states = &case.tensors["encoder_hidden_states"];
    let text = model.text_context(states, case.tensors.get("text_embeds").zip(case.tensors.get("time_ids"))).unwrap();
    let condition = model.condition(&case.tensors["controlnet_cond"]).unwrap();
    let strength =
        ControlStrength { weight: case.metadata["conditioning_scale"].parse().unwrap(), guess_mode: case.metadata["guess_mode"] == "true" };
    let timestep: f64 = case.metadata["timestep"].parse().unwrap();
    let residuals = model.forward(&case.tensors["sample"], timestep, &text, &condition, strength).unwrap();
    let count = case.tensors.keys().filter(|key| key.starts_with("down.")).count();
    assert_eq!(residuals.down().len(), count);
    for (index, residual) in residuals.down().iter().enumerate() {
        case.check(name, &format!("down.{index}"), &residual.to_nchw().unwrap(), dtype);
    }
    case.check(name, "middle", &residuals.middle().to_nchw().unwrap(), dtype);
}

#[test]
fn nets_agree_with_diffusers() {
    for name in ["net_sd15", "net_odd", "net_sdxl"] {
        net(name, DType::F32);
        net(name, DType::BF16);
    }
    // In half precision its means of all pixels are too few numbers to compare two ways of rounding.
    net("net_pooled", DType::F32);
}

#[test]
fn inputs_of_the_wrong_shape_are_refused() {
    let case = case_of("controlnet", "net_sdxl");
    let config = ControlNetConfig::from_json(&case.config).unwrap();
    let model = ControlNetModel::load(&config, &case.weights.cursor(Component::ControlNet, DType::F32)).unwrap();
    let [states, text_embeds, ids, sample, image] =
        ["encoder_hidden_states", "text_embeds", "time_ids", "sample", "controlnet_cond"].map(|name| &case.tensors[name]);
    assert!(matches!(model.text_context(states, None), Err(Error::Shape { .. })));
    assert!(matches!(model.text_context(states, Some((text_embeds, &ids.narrow(1, 0, 5).unwrap()))), Err(Error::Shape { .. })));
    assert!(matches!(model.condition(&image.narrow(1, 0, 2).unwrap()), Err(Error::Shape { .. })));
    let text = model.text_context(states, Some((text_embeds, ids))).unwrap();
    let condition = model.condition(image).unwrap();
    let strength = ControlStrength { weight: 1.0, guess_mode: false };
    let forward = |sample: &Tensor| model.forward(sample, 1.0, &text, &condition, strength);
    assert!(matches!(forward(&sample.narrow(1, 0, 3).unwrap()), Err(Error::Shape { what: "the ControlNet's sample", .. })));
    assert!(matches!(forward(&sample.narrow(2, 0, 4).unwrap()), Err(Error::Shape { what: "control image", .. })));
}

/// The golden nets, their control images, and the calls.
struct Goldens {
    tensors: HashMap<String, Tensor>,
    metadata: HashMap<String, String>,
}

impl Goldens {
    fn load() -> Self {
        Self { tensors: golden("controlnet", "images"), metadata: golden_metadata("controlnet", "images") }
    }

    fn json(&self, key: &str) -> Json {
        serde_json::from_str(&self.metadata[key]).unwrap()
    }

    fn image(&self, name: &str) -> RgbImage {
        image_of(&self.tensors[name])
    }

    fn source(&self, net: &str) -> GoldenNet {
        GoldenNet { name: net.to_owned(), config: self.json("nets")[net].clone(), shapes: self.json("shapes")[net].clone() }
    }

    fn net(&self, net: &str) -> Arc<ControlNet> {
        Arc::new(ControlNet::load(&self.source(net), &ExecutionPolicy::cpu_f32()).unwrap())
    }

    fn controls(&self, call: &Json) -> ControlsParams {
        let nets = call["controls"].as_array().unwrap().iter().map(|control| ControlParams {
            net: self.net(control["net"].as_str().unwrap()),
            image: self.image(control["image"].as_str().unwrap()),
            weight: control["weight"].as_f64().unwrap(),
            start: control["start"].as_f64().unwrap(),
            end: control["end"].as_f64().unwrap(),
        });
        ControlsParams { nets: nets.collect(), guess_mode: call["guess_mode"].as_bool().unwrap() }
    }

    /// The model of a call, and the call's parameters.
    fn of(&self, name: &str) -> (StableDiffusion, ImageParams) {
        let call = &self.json("calls")[name];
        let policy = ExecutionPolicy::cpu_f32();
        let controls = self.controls(call);
        if name.starts_with("xl_") {
            let params = ImageParams { controls, start: self.start(name, call), ..sdxl::xl_params(call) };
            return (StableDiffusion::load(&sdxl::source(call), &policy).unwrap(), params);
        }
        let shapes = serde_json::from_str(&golden_metadata("pipelines", "pictures")["shapes"]).unwrap();
        let source = GoldenModel { shapes, call: call.clone(), poison: None };
        let params = ImageParams { controls, start: self.start(name, call), ..params(call) };
        (StableDiffusion::load(&source, &policy).unwrap(), params)
    }

    fn start(&self, name: &str, call: &Json) -> Start {
        let given = golden("pipelines", "pictures");
        let (init_image, strength) = (image_of(&given["init_image"]), call["strength"].as_f64().unwrap_or_default());
        match name.split('.').next().unwrap().trim_start_matches("xl_") {
            "noise" => Start::Noise,
            "image" => Start::Image { init_image, strength },
            _ => {
                let (height, width) = given["mask_image"].dims2().unwrap();
                let mask = given["mask_image"].flatten_all().unwrap().to_vec1::<u8>().unwrap();
                Start::Inpaint { init_image, mask_image: GrayImage::from_raw(width as u32, height as u32, mask).unwrap(), strength }
            }
        }
    }
}

/// A golden net: weights are drawn by its name and theirs.
struct GoldenNet {
    name: String,
    config: Json,
    shapes: Json,
}

impl GoldenNet {
    fn drawn(&self, tensor: &str, shape: &[usize]) -> Tensor {
        let drawn = draw(&format!("{}.{tensor}", self.name), shape);
        let scaled = tensor.contains("controlnet_cond_embedding") && tensor.ends_with(".weight");
        if scaled { (drawn * EMBEDDING_SCALE).unwrap() } else { drawn }
    }

    fn all(&self) -> HashMap<String, Tensor> {
        let shapes: HashMap<String, Vec<usize>> = serde_json::from_value(self.shapes.clone()).unwrap();
        shapes.into_iter().map(|(name, shape)| (name.clone(), self.drawn(&name, &shape))).collect()
    }
}

impl WeightSource for GoldenNet {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn config(&self, component: Component) -> Result<Json> {
        assert_eq!(component, Component::ControlNet);
        Ok(self.config.clone())
    }

    fn file(&self, _: Component, _: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn tensors(&self, _: Component) -> Result<Arc<dyn TensorSource>> {
        Ok(Arc::new(Drawn(Self { name: self.name.clone(), config: self.config.clone(), shapes: self.shapes.clone() })))
    }
}

struct Drawn(GoldenNet);

impl TensorSource for Drawn {
    fn file_of(&self, _: &str) -> PathBuf {
        PathBuf::from("golden weights")
    }

    fn names(&self) -> Vec<String> {
        self.0.shapes.as_object().unwrap().keys().cloned().collect()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        let shape = self.0.shapes.get(tensor)?;
        Some(TensorShape::Known(serde_json::from_value(shape.clone()).unwrap()))
    }

    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        Ok(self.0.drawn(tensor, shape))
    }
}

fn check_group(group: &str) {
    let goldens = Goldens::load();
    let calls = goldens.json("calls");
    let mut found = Vec::new();
    for name in calls.as_object().unwrap().keys().filter(|name| name.starts_with(&format!("{group}."))) {
        let (model, params) = goldens.of(name);
        let made = model.image(&params, RunContext::new(&mut ())).unwrap();
        found.push((psnr(&made, &goldens.image(name)), name.clone()));
    }
    check_psnrs(&found);
}

#[test]
fn text_to_image_with_controls_matches_diffusers() {
    check_group("noise");
}

#[test]
fn image_to_image_with_controls_matches_diffusers() {
    check_group("image");
}

#[test]
fn inpainting_with_controls_matches_diffusers() {
    check_group("inpaint");
}

#[test]
fn stable_diffusion_xl_with_controls_matches_diffusers() {
    for group in ["xl_noise", "xl_image", "xl_inpaint"] {
        check_group(group);
    }
}

#[test]
fn a_net_for_another_family_and_a_window_without_a_step_are_refused() {
    let goldens = Goldens::load();
    let (model, params) = goldens.of("noise.one");
    let refused = |change: &dyn Fn(&mut ControlParams)| {
        let mut params = params.clone();
        change(&mut params.controls.nets[0]);
        model.image(&params, RunContext::new(&mut ())).unwrap_err().to_string()
    };
    let message = refused(&|control| control.net = goldens.net("xl_edges"));
    assert!(message.contains("field cross_attention_dim: 72, but the model has 32"), "{message}");
    let message = refused(&|control| (control.start, control.end) = (0.2, 0.3));
    assert!(message.contains("none of the 7 steps") || message.contains("none of the 6 steps"), "{message}");
    let message = refused(&|control| control.weight = f64::NAN);
    assert!(message.starts_with("controlnets: the weight NaN"), "{message}");
}

#[test]
fn texts_of_different_lengths_are_controlled_in_calls_of_their_own() {
    let goldens = Goldens::load();
    let (model, params) = goldens.of("noise.one");
    // Seven words of the tiny tokenizer's bytes are within one chunk; a second chunk makes the prompt longer than the negative prompt.
    let long = "a red circle on a blue ground with mist and a house beside a lake under the trees far away ".repeat(2);
    let made = |prompt: &str, guess_mode: bool| {
        let controls = ControlsParams { guess_mode, ..params.controls.clone() };
        let prompt_syntax = diffusion_core::prompt::PromptSyntax::A1111;
        let params = ImageParams { prompt: prompt.to_owned(), prompt_syntax, controls, num_inference_steps: 2, ..params.clone() };
        model.image(&params, RunContext::new(&mut ())).unwrap()
    };
    assert!(made(&long, false) != made(&long, true));
    assert!(made(&long, false) != made("a red circle", false));
}

/// Writes tensors to a safetensors file.
fn write(path: &Path, tensors: &HashMap<String, Tensor>) {
    candle_core::safetensors::save(tensors, path).unwrap();
}

/// What a net makes, opened from a path.
fn made_with(path: &Path, goldens: &Goldens, name: &str) -> RgbImage {
    let (model, mut params) = goldens.of(name);
    let source = open_controlnet(path).unwrap();
    params.controls.nets[0].net = Arc::new(ControlNet::load(source.as_ref(), &ExecutionPolicy::cpu_f32()).unwrap());
    model.image(&params, RunContext::new(&mut ())).unwrap()
}

#[test]
fn folders_and_their_variants_are_opened() {
    let goldens = Goldens::load();
    let (folder, source) = (tempfile::tempdir().unwrap(), goldens.source("edges"));
    let path = folder.path();
    let missing = open_controlnet(path).err().unwrap().to_string();
    assert!(missing.contains("has no config.json"), "{missing}");
    fs::write(path.join("config.json"), source.config.to_string()).unwrap();
    write(&path.join("diffusion_pytorch_model.fp16.safetensors"), &source.all());
    assert!(psnr(&made_with(path, &goldens, "noise.one"), &goldens.image("noise.one")) > 72.0);
    let (first, second): (HashMap<_, _>, HashMap<_, _>) = source.all().into_iter().partition(|(name, _)| name.starts_with("down_blocks"));
    let shard = |index: usize| format!("diffusion_pytorch_model-{index:05}-of-00002.safetensors");
    let map = |index: usize, part: &HashMap<String, Tensor>| part.keys().map(|name| (name.clone(), shard(index))).collect::<Vec<_>>();
    let weight_map: HashMap<String, String> = map(1, &first).into_iter().chain(map(2, &second)).collect();
    write(&path.join(shard(1)), &first);
    write(&path.join(shard(2)), &second);
    fs::remove_file(path.join("diffusion_pytorch_model.fp16.safetensors")).unwrap();
    let index = serde_json::json!({ "weight_map": weight_map }).to_string();
    fs::write(path.join("diffusion_pytorch_model.safetensors.index.json"), index).unwrap();
    assert!(psnr(&made_with(path, &goldens, "noise.one"), &goldens.image("noise.one")) > 72.0);
    fs::write(path.join("config.json"), r#"{"_class_name": "SD3ControlNetModel"}"#).unwrap();
    let refused = open_controlnet(path).err().unwrap().to_string();
    assert!(refused.contains("field _class_name: unsupported value \"SD3ControlNetModel\""), "{refused}");
}

/// The original name of a tensor, after lllyasviel's nets: the layers of the down path are numbered consecutively.
fn original_name(name: &str) -> String {
    let number = |text: &str| text.parse::<usize>().unwrap();
    let parts: Vec<&str> = name.split('.').collect();
    let resnet = |rest: &[&str]| {
        let layer = match rest[0] {
            "norm1" => "in_layers.0",
            "conv1" => "in_layers.2",
            "time_emb_proj" => "emb_layers.1",
            "norm2" => "out_layers.0",
            "conv2" => "out_layers.3",
            _ => "skip_connection",
        };
        format!("{layer}.{}", rest[1..].join("."))
    };
    // Each block has one residual block, then a downsampler.
    match parts[0] {
        "conv_in" => format!("input_blocks.0.0.{}", parts[1]),
        "time_embedding" => format!("time_embed.{}.{}", if parts[1] == "linear_1" { 0 } else { 2 }, parts[2]),
        "controlnet_down_blocks" => format!("zero_convs.{}.0.{}", parts[1], parts[2]),
        "controlnet_mid_block" => format!("middle_block_out.0.{}", parts[1]),
        "controlnet_cond_embedding" => match parts[1] {
            "conv_in" => format!("input_hint_block.0.{}", parts[2]),
            "conv_out" => format!("input_hint_block.14.{}", parts[2]),
            _ => format!("input_hint_block.{}.{}", 2 * number(parts[2]) + 2, parts[3]),
        },
        "mid_block" if parts[1] == "attentions" => format!("middle_block.1.{}", parts[3..].join(".")),
        "mid_block" => format!("middle_block.{}.{}", 2 * number(parts[2]), resnet(&parts[3..])),
        _ => {
            let index = 2 * number(parts[1]) + 1;
            match parts[2] {
                "resnets" => format!("input_blocks.{index}.0.{}", resnet(&parts[4..])),
                "attentions" => format!("input_blocks.{index}.1.{}", parts[4..].join(".")),
                _ => format!("input_blocks.{}.0.op.{}", index + 1, parts[5..].join(".")),
            }
        }
    }
}

/// A net of Stable Diffusion 1.5's kind whose config single files can tell: eight heads, 32 groups.
fn whole_net(goldens: &Goldens) -> GoldenNet {
    let mut source = goldens.source("edges");
    (source.config["attention_head_dim"], source.config["norm_num_groups"]) = (8.into(), 32.into());
    source
}

#[test]
fn single_files_are_read_under_all_of_their_names() {
    let goldens = Goldens::load();
    let (folder, source) = (tempfile::tempdir().unwrap(), whole_net(&goldens));
    let path = folder.path();
    fs::create_dir(path.join("folder")).unwrap();
    fs::write(path.join("folder/config.json"), source.config.to_string()).unwrap();
    write(&path.join("folder/diffusion_pytorch_model.safetensors"), &source.all());
    let expected = made_with(&path.join("folder"), &goldens, "noise.one");
    let all = source.all();
    let under = |rename: &dyn Fn(&str) -> String| all.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect();
    write(&path.join("diffusers.safetensors"), &all);
    write(&path.join("original.safetensors"), &under(&|name| original_name(name)));
    let mut prefixed: HashMap<String, Tensor> = under(&|name| format!("control_model.{}", original_name(name)));
    prefixed.insert("model.diffusion_model.out.2.bias".into(), draw("x.bias", &[4]));
    write(&path.join("prefixed.safetensors"), &prefixed);
    for name in ["diffusers", "original", "prefixed"] {
        let file = path.join(format!("{name}.safetensors"));
        assert!(made_with(&file, &goldens, "noise.one") == expected, "{name}");
    }
    // The name is all that tells a net whose results are averaged.
    fs::copy(path.join("original.safetensors"), path.join("control_shuffle.safetensors")).unwrap();
    let source = open_controlnet(&path.join("control_shuffle.safetensors")).unwrap();
    assert!(ControlNetConfig::from_json(&source.config(Component::ControlNet).unwrap()).unwrap().global_pool_conditions);
    assert_eq!(source.remarks().len(), 1);
}

#[test]
fn what_a_single_file_does_not_hold_is_said() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let refused = |tensors: HashMap<String, Tensor>| {
        write(&path, &tensors);
        open_controlnet(&path).err().unwrap().to_string()
    };
    let one = |name: &str| HashMap::from([(name.to_owned(), draw(name, &[2, 2]))]);
    for (name, what) in [
        ("lora_controlnet", "a Control-LoRA"),
        ("task_embedding", "a ControlNet-Union"),
        ("controlnet_blocks.0.weight", "a ControlNet of Stable Diffusion 3 or Flux"),
        ("body.0.in_conv.weight", "a T2I-Adapter"),
        ("something.weight", "not a ControlNet"),
    ] {
        let message = refused(one(name));
        assert!(message.contains(what), "{message}");
    }
    let all = goldens.source("edges").all();
    let mut without = all.clone();
    without.remove("conv_in.weight");
    assert!(refused(without).contains("conv_in.weight"));
    let mut strange: HashMap<String, Tensor> = all.iter().map(|(name, tensor)| (original_name(name), tensor.clone())).collect();
    strange.insert("input_blocks.1.2.strange.weight".into(), draw("x", &[2, 2]));
    assert!(refused(strange).contains("input_blocks.1.2.strange.weight"));
    assert!(open_controlnet(Path::new("/nowhere/at/all")).err().unwrap().to_string().contains("does not exist"));
}

/// A net of any kind stops before its next tensor, and its file between two pieces.
#[test]
fn a_net_stops_while_it_is_read() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("net.safetensors");
    write(&file, &goldens.source("edges").all());
    fs::copy(&file, folder.path().join("diffusion_pytorch_model.safetensors")).unwrap();
    fs::write(folder.path().join("config.json"), goldens.source("edges").config.to_string()).unwrap();
    for path in [&file, folder.path()] {
        // The number of looks, or the first at which the net should stop.
        let load = |most: usize| {
            let looks = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&looks);
            let stop = Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) >= most);
            let load = |source: Box<dyn WeightSource>| ControlNet::load(source.as_ref(), &ExecutionPolicy::cpu_f32());
            (open_controlnet_until(path, stop).and_then(load).map(|_| ()), looks.load(Ordering::Relaxed))
        };
        let (loaded, looks) = load(usize::MAX);
        assert!(loaded.is_ok() && looks > 20, "{looks} looks");
        for most in [0, 1, looks / 2, looks - 1] {
            let (stopped, looks) = load(most);
            assert!(matches!(stopped, Err(Error::Cancelled)), "after {most} looks: {stopped:?}");
            assert_eq!(looks, most + 1);
        }
    }
}

/// A file that is mapped ends the program if it is cut while it is read.
#[test]
fn an_open_net_may_be_replaced_on_disk() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    write(&path, &goldens.source("edges").all());
    let of_file = open_controlnet(&path).unwrap();
    let in_folder = folder.path().join("diffusion_pytorch_model.safetensors");
    fs::copy(&path, &in_folder).unwrap();
    fs::write(folder.path().join("config.json"), r#"{"_class_name": "ControlNetModel"}"#).unwrap();
    let of_folder = open_controlnet(folder.path()).unwrap();
    let of_folder = of_folder.tensors(Component::ControlNet).unwrap();
    let of_file = of_file.tensors(Component::ControlNet).unwrap();
    for path in [&path, &in_folder] {
        fs::File::options().write(true).open(path).unwrap().set_len(10).unwrap();
    }
    for tensors in [of_file, of_folder] {
        let Some(TensorShape::Known(shape)) = tensors.shape("conv_in.weight") else { panic!("it has a shape") };
        assert_eq!(tensors.read("conv_in.weight", &shape).unwrap().dims(), shape);
    }
}

#[test]
fn what_a_folder_holds_instead_of_a_net_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || open_controlnet(folder.path()).err().unwrap().to_string();
    assert!(refused().contains("has no config.json, so this is no ControlNet's folder"), "{}", refused());
    fs::write(folder.path().join("pytorch_lora_weights.safetensors"), "").unwrap();
    assert!(refused().contains("it holds a LoRA"), "{}", refused());
    fs::write(folder.path().join("config.json"), r#"{"_class_name": "FluxControlNetModel"}"#).unwrap();
    assert!(refused().contains("\"FluxControlNetModel\", a ControlNet of Flux; supported"), "{}", refused());
    fs::remove_file(folder.path().join("config.json")).unwrap();
    fs::write(folder.path().join("model_index.json"), "{}").unwrap();
    assert!(refused().contains("it holds a whole model"), "{}", refused());
}
