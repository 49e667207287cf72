//! Jobs with ControlNets on a real model: what they change, what images say of them, how many a model keeps, and what is refused.

use std::{
    fs,
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use diffusion_core::{
    adapters::ControlNetFolder,
    denoise::{StepMonitor, StepReport},
    pipelines::{RunContext, nano_sd, nano_svd},
    policy::ExecutionPolicy,
    weights::{Component, StopCheck, TensorShape, WeightSource as _},
};
use generation::{
    Adapters, BackendError, ControlRequest, GeneratedImage, ImageRequest, ImageSpec, Limits, LoadedModel, LocalBackend, LocalSettings,
    ModelSetup, OpenModel, PoolSettings, jobs::Work,
};
use image::{Rgb, RgbImage};
use serde_json::json;

use crate::fake::{held_only, hold, images};

/// A folder of ControlNets for nano-sd, removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, nets: &[&str]) -> Self {
        let path = std::env::temp_dir().join(format!("framewright-generation-{name}-{}", std::process::id()));
        for (index, net) in nets.iter().enumerate() {
            write_folder(&path.join(net), index as f32);
        }
        let wide = path.join("wide");
        fs::create_dir_all(&wide).unwrap();
        fs::write(wide.join("config.json"), config(768).to_string()).unwrap();
        write(&wide.join("diffusion_pytorch_model.safetensors"), 0.0);
        let odd = path.join("odd");
        fs::create_dir_all(&odd).unwrap();
        let mut fields = config(128);
        fields["block_out_channels"] = json!("many");
        fs::write(odd.join("config.json"), fields.to_string()).unwrap();
        write(&odd.join("diffusion_pytorch_model.safetensors"), 0.0);
        fs::write(path.join("broken.pth"), "not tensors").unwrap();
        Self(path)
    }

    async fn backend(&self) -> LocalBackend {
        let folder = ControlNetFolder::open(&self.0).unwrap();
        let open = move || {
            let adapters = Adapters::new(|| Ok(Box::new(nano_sd()))).with_controlnets(folder.clone());
            OpenModel::adapted(Box::new(nano_sd()), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None, adapters)
        };
        let models = vec![ModelSetup::new("nano", open)];
        let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
        local.loaded().await.unwrap();
        local
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn config(cross_attention_dim: usize) -> serde_json::Value {
    json!({
        "_class_name": "ControlNetModel", "attention_head_dim": [2, 3, 4], "block_out_channels": [64, 96, 128],
        "conditioning_embedding_out_channels": [4, 4, 8, 8], "cross_attention_dim": cross_attention_dim,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "layers_per_block": 1, "norm_num_groups": 16,
    })
}

/// A ControlNet's folder for nano-sd.
pub(crate) fn write_folder(folder: &std::path::Path, kind: f32) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.json"), config(128).to_string()).unwrap();
    write(&folder.join("diffusion_pytorch_model.safetensors"), kind);
}

/// A net in the shapes of nano-sd's first half, whose weights differ from those of another `kind`.
fn write(path: &std::path::Path, kind: f32) {
    let unet = nano_sd().tensors(Component::Unet).unwrap();
    let is_copied =
        |name: &String| ["conv_in.", "time_embedding.", "down_blocks.", "mid_block."].iter().any(|start| name.starts_with(start));
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    for name in unet.names().into_iter().filter(is_copied) {
        let Some(TensorShape::Known(shape)) = unet.shape(&name) else { panic!("{name} has no shape") };
        shapes.push((name, shape));
    }
    let mut conv = |name: &str, outputs: usize, inputs: usize, side: usize| {
        shapes.push((format!("{name}.weight"), vec![outputs, inputs, side, side]));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    };
    for (index, channels) in [64, 64, 64, 96, 96, 128].into_iter().enumerate() {
        conv(&format!("controlnet_down_blocks.{index}"), channels, channels, 1);
    }
    conv("controlnet_mid_block", 128, 128, 1);
    let embedding = "controlnet_cond_embedding";
    conv(&format!("{embedding}.conv_in"), 4, 3, 3);
    for (index, (outputs, inputs)) in [(4, 4), (4, 4), (4, 4), (8, 4), (8, 8), (8, 8)].into_iter().enumerate() {
        conv(&format!("{embedding}.blocks.{index}"), outputs, inputs, 3);
    }
    conv(&format!("{embedding}.conv_out"), 64, 8, 3);
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in shapes {
        let begin = bytes.len();
        let (count, fan_in) = (shape.iter().product::<usize>(), shape.iter().skip(1).product::<usize>());
        for index in 0..count {
            let value = ((index as f32 + 0.3) * (1.7 + kind)).sin() * if shape.len() > 1 { (2.0 / fan_in as f32).sqrt() } else { 0.5 };
            bytes.extend(value.to_le_bytes());
        }
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, bytes.len()] }));
    }
    let header = serde_json::Value::from(header).to_string();
    let file: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(bytes).collect();
    fs::write(path, file).unwrap();
}

/// A picture with a square, from `left` on.
fn picture(left: u32) -> RgbImage {
    RgbImage::from_fn(96, 80, |x, y| if (left..left + 30).contains(&x) && (20..60).contains(&y) { Rgb([240; 3]) } else { Rgb([20; 3]) })
}

pub(crate) fn control(name: &str) -> ControlRequest {
    ControlRequest { name: Some(name.into()), image: Some(picture(10)), ..ControlRequest::default() }
}

fn request(controlnets: Vec<ControlRequest>) -> ImageRequest {
    ImageRequest { prompt: Some("a boat".into()), controlnets, seed: Some(5), num_inference_steps: Some(2), ..ImageRequest::default() }
}

fn spec(local: &LocalBackend, request: ImageRequest) -> ImageSpec {
    request.validate(&Limits::default(), &local.model().unwrap()).unwrap()
}

async fn make_spec(local: &LocalBackend, spec: ImageSpec) -> Result<GeneratedImage, Arc<BackendError>> {
    let jobs = held_only(1, local.clone());
    Ok(images(hold(&jobs, Work::Image(spec), None).await.unwrap()).await?.remove(0))
}

async fn make(local: &LocalBackend, request: ImageRequest) -> Result<GeneratedImage, Arc<BackendError>> {
    make_spec(local, spec(local, request)).await
}

#[tokio::test]
async fn an_image_follows_its_control_image_and_says_so() {
    let folder = Folder::new("controls", &["canny", "depth"]);
    let local = folder.backend().await;
    let plain = make(&local, request(Vec::new())).await.unwrap();
    let one = make(&local, request(vec![control("canny")])).await.unwrap();
    let moved = ControlRequest { image: Some(picture(50)), ..control("canny") };
    assert!(one.png != plain.png && make(&local, request(vec![moved])).await.unwrap().png != one.png);
    // At a weight of 0 the results would be zeros, and the net is not run, nor loaded.
    let weightless = ControlRequest { weight: Some(0.0), ..control("depth") };
    let bytes = local.models()[0].bytes;
    let same = image::load_from_memory(&make(&local, request(vec![weightless])).await.unwrap().png).unwrap();
    assert_eq!(local.models()[0].bytes, bytes);
    assert_eq!(same.to_rgb8(), image::load_from_memory(&plain.png).unwrap().to_rgb8());
    assert!(!plain.parameters.contains("ControlNet"));
    let expected = "ControlNet 0: \"Module: none, Model: canny, Weight: 1, Resize Mode: Just Resize, Guidance Start: 0, Guidance End: 1, \
                    Pixel Perfect: True, Control Mode: Balanced\"";
    assert!(one.parameters.contains(expected), "{}", one.parameters);
    let edges = ControlRequest { preprocessor: Some("canny".into()), weight: Some(0.5), end: Some(0.5), ..control("canny") };
    let two = ImageRequest { guess_mode: Some(true), ..request(vec![edges, control("depth")]) };
    let made = make(&local, two.clone()).await.unwrap();
    let expected = "\"Module: canny, Model: canny, Weight: 0.5, Resize Mode: Just Resize, Threshold A: 100, Threshold B: 200, Guidance Start: 0, \
                    Guidance End: 0.5, Pixel Perfect: True, Control Mode: ControlNet is more important\", ControlNet 1: ";
    assert!(made.parameters.contains(expected), "{}", made.parameters);
    // A stored job keeps its control images.
    let stored = serde_json::to_string(&spec(&local, two)).unwrap();
    assert!(make_spec(&local, serde_json::from_str(&stored).unwrap()).await.unwrap().png == made.png);
}

#[tokio::test]
async fn a_model_keeps_the_nets_that_were_used_last() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let folder = Folder::new("kept", &names);
    let local = folder.backend().await;
    let bytes = || local.models()[0].bytes;
    let base = bytes();
    let mut sizes = Vec::new();
    for name in names.into_iter().chain(["a", "e"]) {
        make(&local, request(vec![control(name)])).await.unwrap();
        sizes.push(bytes() - base);
    }
    let each = sizes[0];
    assert!(each > base / 10 && each < base, "{each} of {base}");
    assert_eq!(sizes, [1, 2, 3, 4, 4, 4, 4, 4].map(|nets| nets * each));
    assert!(make(&local, request(Vec::new())).await.is_ok());
    assert_eq!((bytes() - base, local.models()[0].loads), (4 * each, 1));
}

/// Counts the looks at whether to stop; stops at one of them.
struct Stopping {
    looks: Arc<AtomicUsize>,
    most: usize,
}

impl StepMonitor for Stopping {
    fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn stop_check(&self) -> StopCheck {
        let (looks, most) = (Arc::clone(&self.looks), self.most);
        Arc::new(move || looks.fetch_add(1, Ordering::Relaxed) >= most)
    }
}

/// A job that is cancelled stops before the next tensor of a net that it loads, and the next job loads that net from its start.
#[tokio::test]
async fn a_cancelled_job_stops_while_it_loads_a_net() {
    let folder = Folder::new("stopped", &["canny", "depth"]);
    let local = folder.backend().await;
    let spec = spec(&local, request(vec![control("canny"), control("depth")]));
    let adapters = Adapters::new(|| Ok(Box::new(nano_sd()))).with_controlnets(ControlNetFolder::open(&folder.0).unwrap());
    let policy = ExecutionPolicy::cpu_f32();
    let LoadedModel { memory, mut model, .. } =
        LoadedModel::load_adapted(Box::new(nano_sd()), &policy, Box::new(nano_svd()), None, adapters).unwrap();
    let base = memory.weights();
    let mut run = |most: usize| {
        let looks = Arc::new(AtomicUsize::new(0));
        let made = model.image(&spec, 5, RunContext::new(&mut Stopping { looks: Arc::clone(&looks), most }));
        (made.map(|made| made.image), looks.load(Ordering::Relaxed))
    };
    // In the middle of the first net, and of the second.
    let (stopped, looks) = run(30);
    assert!(matches!(stopped, Err(diffusion_core::Error::Cancelled)) && looks == 31, "{looks} looks");
    assert_eq!(memory.weights(), base, "no half of a net is kept");
    let (whole, looks) = run(usize::MAX);
    let both = memory.weights() - base;
    assert!(looks > 100 && both > 0, "{looks} looks");
    // The file of one changes.
    write(&folder.0.join("depth/diffusion_pytorch_model.safetensors"), 3.0);
    assert!(matches!(run(looks / 4).0, Err(diffusion_core::Error::Cancelled)));
    assert_eq!(memory.weights() - base, both / 2);
    write(&folder.0.join("depth/diffusion_pytorch_model.safetensors"), 1.0);
    assert!(run(usize::MAX).0.unwrap() == whole.unwrap());
}

#[tokio::test]
async fn what_is_wrong_with_a_net_is_said_and_leaves_the_model_as_it_was() {
    let folder = Folder::new("wrong", &["canny", "gone"]);
    let local = folder.backend().await;
    let before = make(&local, request(vec![control("canny")])).await.unwrap();
    let model = local.model().unwrap();
    for (changed, message) in [
        (control("nothing"), "is none of the ControlNets here: broken, canny, gone and 2 more"),
        (control("../x"), "is no ControlNet's name"),
        (control("broken"), "broken: broken.pth: is a text file, not weights"),
        (control("odd"), "odd: block_out_channels: "),
        (ControlRequest { image: None, ..control("canny") }, "image is missing"),
        (ControlRequest { weight: Some(4.1), ..control("canny") }, "weight is 4.1; it is 0 to 4"),
        (ControlRequest { weight: Some(f64::NAN), ..control("canny") }, "weight is NaN"),
        (ControlRequest { start: Some(0.6), end: Some(0.4), ..control("canny") }, "is none: start is 0 or more and below end"),
        (ControlRequest { start: Some(0.1), end: Some(0.9), ..control("canny") }, "holds none of the 2 steps"),
        (ControlRequest { preprocessor: Some("depth".into()), ..control("canny") }, "it is one of none, canny"),
        (ControlRequest { low_threshold: Some(1.0), ..control("canny") }, "thresholds are those of"),
    ] {
        let errors = request(vec![changed]).validate(&Limits::default(), &model).unwrap_err();
        assert_eq!(errors[0].field, "controlnets");
        assert!(errors[0].message.contains(message), "{}", errors[0].message);
        assert!(!errors[0].message.contains(folder.0.to_str().unwrap()), "{}", errors[0].message);
    }
    // Nothing but what can be used is listed.
    assert_eq!(model.usable_controlnets(), ["canny", "gone", "wide"]);
    let two = vec![control("canny"), ControlRequest { image: None, ..control("canny") }];
    let errors = request(two).validate(&Limits::default(), &model).unwrap_err();
    assert_eq!((errors.len(), errors[0].field, errors[0].entry), (1, "controlnets", Some((1, "image"))));
    assert!(errors[0].to_string().starts_with("controlnets.1.image: Value error, image is missing"), "{}", errors[0]);
    assert!(request(vec![control("canny"); 5]).validate(&Limits::default(), &model).is_err());
    let lonely = ImageRequest { guess_mode: Some(true), ..request(Vec::new()) };
    assert_eq!(lonely.validate(&Limits::default(), &model).unwrap_err()[0].field, "guess_mode");
    let errors = request(vec![control("canny")]).validate(&Limits::default(), &generation_test::info()).unwrap_err();
    assert!(errors[0].message.contains("controlnets.folder"), "{}", errors[0].message);
    // These show only when the model is there, or the files are read: one that was damaged since it was chosen.
    let damaged = spec(&local, request(vec![control("canny"), control("gone")]));
    fs::remove_file(folder.0.join("gone/diffusion_pytorch_model.safetensors")).unwrap();
    let wide = spec(&local, request(vec![control("canny"), control("wide")]));
    for (name, spec, message) in
        [("wide", wide, "cross_attention_dim: 768, but the model has 128"), ("gone", damaged, "gone: has no weight file")]
    {
        let error = make_spec(&local, spec).await.unwrap_err();
        let (field, reason) = error.refusal().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(field, "controlnets.1");
        assert!(reason.starts_with(&format!("{name}: ")) && reason.contains(message) && !reason.contains('/'), "{reason}");
    }
    fs::remove_dir_all(folder.0.join("gone")).unwrap();
    assert!(make(&local, request(vec![control("canny")])).await.unwrap().png == before.png);
    // A net whose files change is loaded again.
    write(&folder.0.join("canny/diffusion_pytorch_model.safetensors"), 7.0);
    assert!(make(&local, request(vec![control("canny")])).await.unwrap().png != before.png);
    write(&folder.0.join("canny/diffusion_pytorch_model.safetensors"), f32::NAN);
    let error = make(&local, request(vec![control("canny")])).await.unwrap_err();
    let (field, reason) = error.refusal().unwrap_or_else(|| panic!("{error}"));
    assert!(field == "controlnets" && reason.starts_with("canny: with these ControlNets"), "{field}: {reason}");
}
