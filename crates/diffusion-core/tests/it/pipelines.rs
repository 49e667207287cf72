//! Whole images against diffusers' pipelines, on the tiny golden model (tests/golden/pipelines, scripts/golden/pipelines.py).
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{collections::HashMap, ops::ControlFlow, path::PathBuf, sync::Arc};

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    pipelines::{ImageParams, RunContext, StableDiffusion, Start},
    policy::ExecutionPolicy,
    prompt::PromptSyntax,
    weights::{Component, TensorShape, TensorSource, VaeChoice, WeightSource},
};
use image::{GrayImage, RgbImage};
use serde_json::Value as Json;

use crate::{golden, golden_metadata, golden_path, golden_weights::GoldenWeights, tolerance};

/// The golden images and the calls that made them.
struct Goldens {
    tensors: HashMap<String, Tensor>,
    calls: Json,
    shapes: Json,
}

impl Goldens {
    fn load() -> Self {
        let metadata = golden_metadata("pipelines", "pictures");
        let json = |key: &str| serde_json::from_str(&metadata[key]).unwrap();
        Self { tensors: golden("pipelines", "pictures"), calls: json("calls"), shapes: json("shapes") }
    }

    /// [height, width, channels] bytes.
    fn bytes(&self, name: &str) -> (u32, u32, Vec<u8>) {
        let tensor = &self.tensors[name];
        let dims = tensor.dims();
        (dims[1] as u32, dims[0] as u32, tensor.flatten_all().unwrap().to_vec1::<u8>().unwrap())
    }

    fn image(&self, name: &str) -> RgbImage {
        let (width, height, bytes) = self.bytes(name);
        RgbImage::from_raw(width, height, bytes).unwrap()
    }

    fn mask(&self) -> GrayImage {
        let (width, height, bytes) = self.bytes("mask_image");
        GrayImage::from_raw(width, height, bytes).unwrap()
    }

    /// The model of a call.
    fn model(&self, call: &Json, policy: &ExecutionPolicy) -> StableDiffusion {
        StableDiffusion::load(&GoldenModel { shapes: self.shapes.clone(), call: call.clone(), poison: None }, policy).unwrap()
    }

    /// The names of a group's cases.
    fn cases(&self, group: &str) -> Vec<String> {
        let calls = self.calls.as_object().unwrap();
        let names = calls.keys().filter(|name| name.starts_with(&format!("{group}."))).cloned().collect::<Vec<String>>();
        assert!(!names.is_empty());
        names
    }

    /// Makes the image of a case and compares it with diffusers'.
    fn check(&self, name: &str) -> f64 {
        let call = &self.calls[name];
        let made = self.make(name, &self.model(call, &ExecutionPolicy::cpu_f32()), &mut ());
        psnr(&made.unwrap(), &self.image(name))
    }

    fn make(&self, name: &str, model: &StableDiffusion, monitor: &mut dyn StepMonitor) -> Result<RgbImage> {
        let call = &self.calls[name];
        let init_image = || self.image("init_image");
        let strength = || call["strength"].as_f64().unwrap();
        let start = match name.split('.').next().unwrap() {
            "text_to_image" => Start::Noise,
            "image_to_image" => Start::Image { init_image: init_image(), strength: strength() },
            _ => Start::Inpaint { init_image: init_image(), mask_image: self.mask(), strength: strength() },
        };
        model.image(&ImageParams { start, ..params(call) }, RunContext::new(monitor))
    }
}

pub(crate) fn params(call: &Json) -> ImageParams {
    let text = |key: &str| call[key].as_str().unwrap().to_owned();
    let number = |key: &str| call[key].as_u64().unwrap();
    ImageParams {
        prompt: text("prompt"),
        negative_prompt: text("negative_prompt"),
        prompt_syntax: PromptSyntax::Plain,
        width: number("width") as u32,
        height: number("height") as u32,
        num_inference_steps: number("steps") as usize,
        guidance_scale: call["guidance_scale"].as_f64().unwrap(),
        seed: number("seed"),
        scheduler: call["scheduler"].as_str().map(|name| name.parse().unwrap()),
        eta: None,
        clip_skip: number("clip_skip") as usize,
        vae: VaeChoice::Full,
        ..ImageParams::new("", (64, 64))
    }
}

/// A golden image, [height, width, 3] bytes.
pub(crate) fn image_of(tensor: &Tensor) -> RgbImage {
    let (height, width, _) = tensor.dims3().unwrap();
    RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1::<u8>().unwrap()).unwrap()
}

/// The golden folder's configurations with a call's changes, and weights drawn by name.
pub(crate) struct GoldenModel {
    /// Name and shape of every parameter of every part.
    pub(crate) shapes: Json,
    /// The call whose changes apply to the configurations.
    pub(crate) call: Json,
    /// A tensor that is read as NaN.
    pub(crate) poison: Option<&'static str>,
}

impl GoldenModel {
    fn path(component: Component, file_name: &str) -> PathBuf {
        golden_path("pipelines", "pictures").with_file_name("model").join(component.folder()).join(file_name)
    }
}

impl WeightSource for GoldenModel {
    fn name(&self) -> String {
        "golden".into()
    }

    fn config(&self, component: Component) -> Result<Json> {
        let mut config: Json = serde_json::from_slice(&std::fs::read(Self::path(component, component.config_file())).unwrap()).unwrap();
        let changes = match component {
            Component::Unet => &self.call["unet"],
            Component::Scheduler => &self.call["scheduler_config"],
            Component::ModelIndex => &self.call["model_index"],
            Component::Vae => &self.call["vae"],
            Component::TinyVae
            | Component::ControlNet
            | Component::Upscaler
            | Component::TextEncoder
            | Component::TextEncoder2
            | Component::ImageEncoder
            | Component::Tokenizer
            | Component::Tokenizer2
            | Component::FeatureExtractor
            | Component::Captioner => &Json::Null,
        };
        for (key, value) in changes.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        Ok(config)
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(std::fs::read(Self::path(component, file_name)).ok())
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let mut part = component.folder().to_owned();
        if component == Component::Unet {
            // As Python's json.dumps spells it.
            part = format!("unet{}", self.call["unet"].to_string().replace(':', ": "));
        }
        if component == Component::Vae && self.call["vae"].is_object() {
            part = "vae_tiny".to_owned();
        }
        Ok(Arc::new(Poisonable { weights: GoldenWeights::new(&self.shapes[part]), poison: self.poison }))
    }
}

/// Golden weights in which one tensor may read as NaN.
struct Poisonable {
    weights: GoldenWeights,
    poison: Option<&'static str>,
}

impl TensorSource for Poisonable {
    fn file_of(&self, tensor: &str) -> PathBuf {
        self.weights.file_of(tensor)
    }

    fn names(&self) -> Vec<String> {
        self.weights.names()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        self.weights.shape(tensor)
    }

    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        let weight = self.weights.read(tensor, shape)?;
        if self.poison == Some(tensor) { Ok((weight * f64::NAN)?) } else { Ok(weight) }
    }
}

/// 10 log10(255^2 / mean squared error) of two images of the same size.
pub(crate) fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>();
    10.0 * (255.0 * 255.0 * a.as_raw().len() as f64 / squares).log10()
}

/// Standard deviation of all bytes.
pub(crate) fn deviation(image: &RgbImage) -> f64 {
    let values = image.as_raw().iter().map(|byte| f64::from(*byte)).collect::<Vec<f64>>();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn check_group(group: &str) {
    let goldens = Goldens::load();
    let found = goldens.cases(group).into_iter().map(|name| (goldens.check(&name), name)).collect::<Vec<(f64, String)>>();
    check_psnrs(&found);
}

/// Checks that images, of which there is at least one, agree with the goldens of these names.
pub(crate) fn check_psnrs(found: &[(f64, String)]) {
    assert!(!found.is_empty());
    let table = found.iter().map(|(psnr, name)| format!("{name}: {psnr:.1} dB")).collect::<Vec<String>>().join("\n");
    assert!(found.iter().all(|(psnr, _)| *psnr >= tolerance::IMAGE_PSNR), "\n{table}");
    println!("{table}");
}

#[test]
fn text_to_image_matches_diffusers() {
    check_group("text_to_image");
}

#[test]
fn image_to_image_matches_diffusers() {
    check_group("image_to_image");
}

#[test]
fn inpainting_matches_diffusers() {
    check_group("inpaint");
}

#[test]
fn bf16_is_as_close_to_f32_as_diffusers_bf16() {
    let goldens = Goldens::load();
    let policy = ExecutionPolicy { text_encoder: DType::BF16, unet: DType::BF16, vae: DType::BF16, ..ExecutionPolicy::cpu_f32() };
    let mut cases = 0;
    for (name, call) in goldens.calls.as_object().unwrap() {
        let Some(theirs) = call["bf16_psnr"].as_f64() else { continue };
        let ours = psnr(&goldens.make(name, &goldens.model(call, &policy), &mut ()).unwrap(), &goldens.image(name));
        println!("{name}: ours {ours:.1} dB, diffusers {theirs:.1} dB");
        assert!(ours >= theirs - tolerance::BF16_BELOW_DB, "{name}: {ours:.1} dB, diffusers {theirs:.1} dB");
        cases += 1;
    }
    assert!(cases >= 3);
}

#[test]
fn golden_images_are_not_flat() {
    let goldens = Goldens::load();
    for name in goldens.calls.as_object().unwrap().keys() {
        assert!(deviation(&goldens.image(name)) >= 30.0, "{name}");
    }
}

#[test]
fn the_same_request_gives_the_same_bytes_and_another_seed_differs() {
    let goldens = Goldens::load();
    let call = &goldens.calls["text_to_image.euler_ancestral"];
    let model = goldens.model(call, &ExecutionPolicy::cpu_f32());
    let first = model.image(&params(call), RunContext::new(&mut ())).unwrap();
    // A different request in between, on the same model.
    let other = model.image(&ImageParams { seed: 12, ..params(call) }, RunContext::new(&mut ())).unwrap();
    assert!(psnr(&first, &other) < 25.0);
    assert_eq!(first, model.image(&params(call), RunContext::new(&mut ())).unwrap());
}

#[test]
fn odd_latents_and_all_multiples_of_8_work() {
    let goldens = Goldens::load();
    let call = &goldens.calls["text_to_image.euler"];
    let model = goldens.model(call, &ExecutionPolicy::cpu_f32());
    for (width, height) in [(8, 8), (24, 8), (40, 72)] {
        let params = ImageParams { width, height, num_inference_steps: 1, ..params(call) };
        assert_eq!(model.image(&params, RunContext::new(&mut ())).unwrap().dimensions(), (width, height));
    }
    assert_eq!(model.default_size(), (96, 96));
    assert_eq!(model.scheduler_name().unwrap().to_string(), "pndm");
}

/// Records steps, and stops after a number of them.
struct StopAfter {
    seen: Vec<(usize, usize)>,
    steps: usize,
}

impl StepMonitor for StopAfter {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.seen.push((step.step, step.steps));
        if self.seen.len() == self.steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_monitor_sees_every_step_and_can_cancel() {
    let goldens = Goldens::load();
    let call = &goldens.calls["text_to_image.ddim"];
    let model = goldens.model(call, &ExecutionPolicy::cpu_f32());
    let mut monitor = StopAfter { seen: Vec::new(), steps: 3 };
    assert!(matches!(model.image(&params(call), RunContext::new(&mut monitor)), Err(Error::Cancelled)));
    assert_eq!(monitor.seen, [(1, 8), (2, 8), (3, 8)]);
    let mut monitor = StopAfter { seen: Vec::new(), steps: 0 };
    goldens.make("image_to_image.ddim", &model, &mut monitor).unwrap();
    assert_eq!(monitor.seen.last(), Some(&(6, 6)));
}

#[test]
fn overflow_is_an_error_and_not_a_black_image() {
    let goldens = Goldens::load();
    let call = &goldens.calls["text_to_image.ddim"];
    for (poison, place) in [("conv_out.bias", "the latents of step 1"), ("decoder.conv_out.bias", "the decoded picture")] {
        let source = GoldenModel { shapes: goldens.shapes.clone(), call: call.clone(), poison: Some(poison) };
        let model = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).unwrap();
        match model.image(&params(call), RunContext::new(&mut ())) {
            Err(Error::NonFinite { what }) => assert_eq!(what, place),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let goldens = Goldens::load();
    let call = &goldens.calls["text_to_image.ddim"];
    let model = goldens.model(call, &ExecutionPolicy::cpu_f32());
    let base = || params(call);
    let from = |side, strength| ImageParams { start: Start::Image { init_image: RgbImage::new(side, side), strength }, ..base() };
    let image = |params: ImageParams| model.image(&params, RunContext::new(&mut ()));
    let results = [
        ("width", image(ImageParams { width: 60, ..base() })),
        ("num_inference_steps", image(ImageParams { num_inference_steps: 0, ..base() })),
        ("clip_skip", image(ImageParams { clip_skip: 99, ..base() })),
        ("strength", image(from(4, 1.5))),
        ("strength", image(from(4, 0.01))),
        ("init_image", image(from(0, 0.5))),
    ];
    for (expected, result) in results {
        match result {
            Err(Error::Params { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    // A model trained for inpainting refuses other requests.
    let call = &goldens.calls["inpaint.trained_for_it"];
    let model = goldens.model(call, &ExecutionPolicy::cpu_f32());
    assert!(matches!(model.image(&params(call), RunContext::new(&mut ())), Err(Error::Params { field: "mask_image", .. })));
}
