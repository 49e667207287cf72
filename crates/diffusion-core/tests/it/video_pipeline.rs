//! Whole videos against diffusers' pipeline, on a tiny golden model (tests/golden/video, scripts/golden/video_pipeline.py).
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error, Result,
    denoise::StepReport,
    error::BoxError,
    frames::FrameSink,
    models::{AutoencoderKlTemporalDecoderConfig, ClipVisionConfig, UNetSpatioTemporalConfig},
    pipelines::{
        ImageToVideoParams, MotionParams, StableDiffusion, StableVideoDiffusion, VideoContext, VideoMonitor, VideoProgress, nano_sd,
    },
    policy::ExecutionPolicy,
    preprocess::ClipImageProcessorConfig,
    schedulers::SchedulerConfig,
    weights::{Component, ModelFamily, OpenOptions, RandomWeights, TensorShape, TensorSource, WeightSource, open_model},
};
use image::RgbImage;
use serde_json::{Value as Json, json};

use crate::{golden, golden_metadata, golden_path, golden_weights::GoldenWeights, pipelines::psnr, tolerance};

/// The golden videos and the calls that produced them.
struct Goldens {
    tensors: HashMap<String, Tensor>,
    calls: Json,
    shapes: Json,
}

impl Goldens {
    fn load() -> Self {
        let metadata = golden_metadata("video", "videos");
        let json = |key: &str| serde_json::from_str(&metadata[key]).unwrap();
        Self { tensors: golden("video", "videos"), calls: json("calls"), shapes: json("shapes") }
    }

    fn image(&self) -> RgbImage {
        image(&self.tensors["image"])
    }

    fn frames(&self, name: &str) -> Vec<RgbImage> {
        let tensor = &self.tensors[name];
        (0..tensor.dim(0).unwrap()).map(|frame| image(&tensor.get(frame).unwrap())).collect()
    }

    fn model(&self, policy: &ExecutionPolicy) -> Result<StableVideoDiffusion> {
        self.changed_model(&[], policy)
    }

    /// The model with changed fields of a component's configuration.
    fn changed_model(&self, changes: &[(Component, &str, Json)], policy: &ExecutionPolicy) -> Result<StableVideoDiffusion> {
        let changes = changes.iter().map(|(component, field, value)| (*component, (*field).to_owned(), value.clone())).collect();
        StableVideoDiffusion::load(&GoldenModel { shapes: self.shapes.clone(), changes }, policy)
    }

    fn params(&self, name: &str) -> ImageToVideoParams {
        let call = &self.calls[name];
        let number = |key: &str| call[key].as_u64().unwrap();
        let real = |key: &str| call[key].as_f64().unwrap();
        let optional = |key: &str| call[key].as_u64().map(|number| number as usize);
        ImageToVideoParams {
            image: self.image(),
            motion: MotionParams {
                size: Some((number("width") as u32, number("height") as u32)),
                num_frames: optional("num_frames"),
                num_inference_steps: number("steps") as usize,
                conditioning_fps: number("fps") as u32,
                motion_bucket_id: number("motion_bucket_id") as u32,
                noise_aug_strength: real("noise_aug_strength"),
                min_guidance_scale: real("min_guidance_scale"),
                max_guidance_scale: real("max_guidance_scale"),
                decode_chunk_size: optional("decode_chunk_size"),
            },
            seed: number("seed"),
        }
    }
}

/// An image from [height, width, 3] bytes.
fn image(tensor: &Tensor) -> RgbImage {
    let (height, width, _) = tensor.dims3().unwrap();
    RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

/// The golden folder's configurations with changes, and weights drawn by name.
struct GoldenModel {
    shapes: Json,
    changes: Vec<(Component, String, Json)>,
}

impl WeightSource for GoldenModel {
    fn name(&self) -> String {
        "golden".into()
    }

    fn config(&self, component: Component) -> Result<Json> {
        let folder: PathBuf = golden_path("video", "videos").with_file_name("model");
        let path = folder.join(component.folder()).join(component.config_file());
        let mut config: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for (changed, field, value) in &self.changes {
            if *changed == component {
                config[field] = value.clone();
            }
        }
        Ok(config)
    }

    fn file(&self, _: Component, _: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        Ok(Arc::new(GoldenWeights::new(&self.shapes[component.folder()])))
    }
}

/// The PSNR of whole videos: the squared errors of all frames together.
fn video_psnr(found: &[RgbImage], expected: &[RgbImage]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let error = found.iter().zip(expected).map(|(found, expected)| 10f64.powf(-psnr(found, expected) / 10.0)).sum::<f64>();
    -10.0 * (error / found.len() as f64).log10()
}

fn render(model: &StableVideoDiffusion, params: &ImageToVideoParams) -> Vec<RgbImage> {
    let mut frames = Vec::new();
    model.image_to_video(params, VideoContext::new(&mut (), &mut frames)).unwrap();
    frames
}

#[test]
fn image_to_video_matches_diffusers() {
    let goldens = Goldens::load();
    let model = goldens.model(&ExecutionPolicy::cpu_f32()).unwrap();
    let names: Vec<&String> = goldens.calls.as_object().unwrap().keys().collect();
    assert!(names.len() >= 10);
    for name in names {
        let found = video_psnr(&render(&model, &goldens.params(name)), &goldens.frames(name));
        println!("{name}: {found:.1} dB");
        assert!(found >= tolerance::IMAGE_PSNR, "{name}: {found:.1} dB");
    }
}

#[test]
fn half_precision_is_as_close_to_f32_as_diffusers_bf16() {
    let goldens = Goldens::load();
    let mut cases = 0;
    for dtype in [DType::BF16, DType::F16] {
        let policy = ExecutionPolicy { text_encoder: dtype, unet: dtype, vae: dtype, ..ExecutionPolicy::cpu_f32() };
        let model = goldens.model(&policy).unwrap();
        for (name, call) in goldens.calls.as_object().unwrap() {
            let Some(theirs) = call["bf16_psnr"].as_f64() else { continue };
            let ours = video_psnr(&render(&model, &goldens.params(name)), &goldens.frames(name));
            println!("{name} in {dtype:?}: ours {ours:.1} dB, diffusers in bf16 {theirs:.1} dB");
            assert!(ours >= theirs - tolerance::BF16_BELOW_DB, "{name}: {ours:.1} dB, diffusers {theirs:.1} dB");
            cases += 1;
        }
    }
    assert!(cases >= 6);
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let goldens = Goldens::load();
    let model = goldens.model(&ExecutionPolicy::cpu_f32()).unwrap();
    let params = goldens.params("own");
    let first = render(&model, &params);
    let other = render(&model, &ImageToVideoParams { seed: 12, ..params.clone() });
    assert!(video_psnr(&first, &other) < 25.0);
    assert_eq!(first, render(&model, &params));
}

#[test]
fn a_video_model_reports_its_properties() {
    let goldens = Goldens::load();
    let policy = ExecutionPolicy::cpu_f32();
    let model = goldens.model(&policy).unwrap();
    assert_eq!((model.default_size(), model.default_num_frames()), ((96, 96), 6));
    assert_eq!((model.name(), model.scheduler_name().to_string().as_str()), ("golden", "euler-karras"));
    let real = goldens.changed_model(&[(Component::Unet, "sample_size", json!(96))], &policy).unwrap();
    assert_eq!(real.default_size(), (1024, 576));
    // Each family's pipelines refuse the other family.
    let source = GoldenModel { shapes: goldens.shapes.clone(), changes: Vec::new() };
    let refused = StableDiffusion::load(&source, &policy).err().unwrap().to_string();
    assert!(refused.contains("Stable Video Diffusion model, which sets a picture in motion"), "{refused}");
    let refused = StableVideoDiffusion::load(&nano_sd(), &policy).err().unwrap().to_string();
    assert!(refused.contains("Stable Diffusion model, which makes pictures from texts"), "{refused}");
}

#[test]
fn mismatched_parts_are_refused() {
    let goldens = Goldens::load();
    for (component, field, value) in [
        (Component::ImageEncoder, "image_size", json!(192)),
        (Component::ImageEncoder, "projection_dim", json!(32)),
        (Component::Unet, "in_channels", json!(4)),
        (Component::Unet, "out_channels", json!(3)),
        (Component::Unet, "projection_class_embeddings_input_dim", json!(64)),
        (Component::Vae, "in_channels", json!(1)),
    ] {
        // The UNet determines the projection's size, so the error names its field.
        let named = if field == "projection_dim" { "cross_attention_dim" } else { field };
        match goldens.changed_model(&[(component, field, value)], &ExecutionPolicy::cpu_f32()).err() {
            Some(Error::Config { field: found, .. }) => assert_eq!(found, named),
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// Writes a golden component's weights in f16, as in published folders with fp16 variants.
fn write_halves(folder: &Path, shapes: &Json, component: Component, file_name: &str) {
    let source = GoldenWeights::new(&shapes[component.folder()]);
    let tensors: HashMap<String, Tensor> = source
        .names()
        .into_iter()
        .map(|name| {
            let Some(TensorShape::Known(shape)) = source.shape(&name) else { panic!("{name}") };
            let halved = source.read(&name, &shape).unwrap().to_dtype(DType::F16).unwrap();
            (name, halved)
        })
        .collect();
    candle_core::safetensors::save(&tensors, folder.join(component.folder()).join(file_name)).unwrap();
}

#[test]
fn a_folder_of_the_fp16_variant_loads() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    let model = golden_path("video", "videos").with_file_name("model");
    let files = [
        (Component::ModelIndex, None),
        (Component::Scheduler, None),
        (Component::FeatureExtractor, None),
        (Component::Unet, Some("diffusion_pytorch_model.fp16.safetensors")),
        (Component::Vae, Some("diffusion_pytorch_model.fp16.safetensors")),
        (Component::ImageEncoder, Some("model.fp16.safetensors")),
    ];
    for (component, weights) in files {
        let config = Path::new(component.folder()).join(component.config_file());
        std::fs::create_dir_all(folder.path().join(component.folder())).unwrap();
        std::fs::copy(model.join(&config), folder.path().join(&config)).unwrap();
        if let Some(file_name) = weights {
            write_halves(folder.path(), &goldens.shapes, component, file_name);
        }
    }
    for variant in [None, Some("fp16")] {
        let source = open_model(folder.path(), &OpenOptions { variant: variant.map(str::to_owned), ..OpenOptions::default() }).unwrap();
        assert_eq!(ModelFamily::of(source.as_ref()).unwrap(), ModelFamily::StableVideoDiffusion);
        let model = StableVideoDiffusion::load(source.as_ref(), &ExecutionPolicy::cpu_f32()).unwrap();
        // Only the weights are rounded.
        let found = video_psnr(&render(&model, &goldens.params("one_frame")), &goldens.frames("one_frame"));
        assert!(found > 45.0 && found < 90.0, "{found:.1} dB");
    }
}

#[test]
fn models_accept_the_published_architectures() {
    for (name, frames) in [("svd", 14), ("svd-xt", 25)] {
        let source = RandomWeights::new(name, 0).unwrap();
        assert_eq!(ModelFamily::of(&source).unwrap(), ModelFamily::StableVideoDiffusion);
        let config = |component| source.config(component).unwrap();
        let unet = UNetSpatioTemporalConfig::from_json(&config(Component::Unet)).unwrap();
        let vision = ClipVisionConfig::from_json(&config(Component::ImageEncoder)).unwrap();
        let vae = AutoencoderKlTemporalDecoderConfig::from_json(&config(Component::Vae)).unwrap();
        assert_eq!((unet.num_frames, unet.cross_attention_dim, vae.factor()), (frames, vision.projection_dim, 8));
        ClipImageProcessorConfig::from_json(&config(Component::FeatureExtractor)).unwrap();
        let scheduler = SchedulerConfig::from_json(&config(Component::Scheduler), None).unwrap();
        assert_eq!(scheduler.name().to_string(), "euler-karras");
        assert!(scheduler.start(25).unwrap().init_noise_sigma() > 700.0);
        assert!(source.config(Component::TextEncoder).is_err());
    }
}

/// Records the order of events, and stops at one of them.
#[derive(Default)]
struct Log {
    events: Vec<String>,
    stop_at: Option<&'static str>,
    frames: usize,
}

impl Log {
    fn record(&mut self, event: String) -> ControlFlow<()> {
        let stops = self.stop_at == Some(event.as_str());
        self.events.push(event);
        if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl VideoMonitor for Log {
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        let VideoProgress { step, steps, frame, frames, .. } = *progress;
        let is_frame = frame > std::mem::replace(&mut self.frames, frame);
        self.record(if is_frame { format!("frame {frame}/{frames}") } else { format!("step {step}/{steps}") })
    }

    fn on_model_step(&mut self, step: &StepReport<'_>) {
        assert_eq!((step.latents.dims(), step.latents.dtype()), (&[6, 4, 8, 12][..], DType::F32));
    }
}

/// A sink that accepts a number of frames and then fails.
struct Full {
    accepted: usize,
    capacity: usize,
}

impl FrameSink for Full {
    fn push(&mut self, _: RgbImage) -> Result<(), BoxError> {
        if self.accepted == self.capacity {
            return Err("disk full".into());
        }
        self.accepted += 1;
        Ok(())
    }
}

#[test]
fn frames_are_pushed_one_by_one_and_a_run_can_be_stopped() {
    let goldens = Goldens::load();
    let model = goldens.model(&ExecutionPolicy::cpu_f32()).unwrap();
    let mut params = goldens.params("chunks_of_4");
    params.motion.num_inference_steps = 2;
    let mut log = Log::default();
    let mut all = Vec::new();
    model.image_to_video(&params, VideoContext::new(&mut log, &mut all)).unwrap();
    let frames: Vec<String> = (1..=6).map(|frame| format!("frame {frame}/6")).collect();
    assert_eq!(log.events, [&["step 1/2".to_owned(), "step 2/2".to_owned()][..], &frames].concat());

    for (stop_at, pushed) in [("step 1/2", 0), ("frame 3/6", 3)] {
        let mut log = Log { stop_at: Some(stop_at), ..Log::default() };
        let mut some = Vec::new();
        assert!(matches!(model.image_to_video(&params, VideoContext::new(&mut log, &mut some)), Err(Error::Cancelled)));
        assert_eq!(some.as_slice(), &all[..pushed]);
    }

    let mut sink = Full { accepted: 0, capacity: 2 };
    let mut log = Log::default();
    match model.image_to_video(&params, VideoContext::new(&mut log, &mut sink)) {
        Err(Error::Sink(reason)) => assert_eq!(reason.to_string(), "disk full"),
        other => panic!("{other:?}"),
    }
    assert_eq!(log.events.last().map(String::as_str), Some("frame 2/6"));
}

#[test]
fn parameters_out_of_range_are_refused_before_the_first_step() {
    let goldens = Goldens::load();
    let model = goldens.model(&ExecutionPolicy::cpu_f32()).unwrap();
    let mut log = Log::default();
    let own = || goldens.params("own").motion;
    for (motion, expected) in [
        (MotionParams { size: Some((60, 64)), ..own() }, "width"),
        (MotionParams { num_inference_steps: 1001, ..own() }, "num_inference_steps"),
        (MotionParams { decode_chunk_size: Some(0), ..own() }, "decode_chunk_size"),
        // More elements at once than a kernel can index.
        (MotionParams { size: Some((1024, 1024)), num_frames: Some(100), decode_chunk_size: Some(100), ..own() }, "decode_chunk_size"),
    ] {
        let params = ImageToVideoParams { motion, ..goldens.params("own") };
        match model.image_to_video(&params, VideoContext::new(&mut log, &mut Vec::new())) {
            Err(Error::Params { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(log.events.is_empty());
    let defaults = ImageToVideoParams::new(goldens.image()).motion;
    assert_eq!((defaults.num_inference_steps, defaults.conditioning_fps, defaults.motion_bucket_id), (25, 7, 127));
    assert_eq!((defaults.noise_aug_strength, defaults.min_guidance_scale, defaults.max_guidance_scale), (0.02, 1.0, 3.0));
}
