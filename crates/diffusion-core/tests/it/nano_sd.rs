//! The embedded model draws what the prompt says: the smaller form of scripts/train/evaluate, with this project's own runtime, fixed seeds
//! and the evaluation's ratios.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::sync::LazyLock;

use candle_core::DType;
use diffusion_core::{
    Error,
    pipelines::{ImageParams, RunContext, StableDiffusion, Start, nano_sd},
    policy::ExecutionPolicy,
    weights::{Component, RandomWeights, WeightSource},
};
use image::RgbImage;

use crate::{
    golden, golden_metadata,
    pipelines::psnr,
    shape_judge::{brightness, look},
    tolerance,
};

static MODEL: LazyLock<StableDiffusion> = LazyLock::new(|| StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap());

fn params(prompt: &str, seed: u64) -> ImageParams {
    ImageParams { seed, ..ImageParams::new(prompt, MODEL.default_size()) }
}

fn paint(prompt: &str, seed: u64) -> RgbImage {
    MODEL.image(&params(prompt, seed), RunContext::new(&mut ())).unwrap()
}

/// Figure, shape and background of pairs in the training data; every colour occurs as figure and as background.
const SHAPES: [(&str, &str, &str); 24] = [
    ("red", "circle", "blue"),
    ("blue", "circle", "red"),
    ("green", "square", "white"),
    ("white", "square", "green"),
    ("yellow", "triangle", "purple"),
    ("purple", "triangle", "white"),
    ("orange", "star", "black"),
    ("black", "star", "orange"),
    ("red", "square", "yellow"),
    ("yellow", "circle", "red"),
    ("blue", "star", "white"),
    ("white", "triangle", "blue"),
    ("green", "circle", "black"),
    ("black", "square", "red"),
    ("purple", "star", "green"),
    ("orange", "triangle", "green"),
    ("red", "triangle", "white"),
    ("blue", "square", "yellow"),
    ("yellow", "star", "blue"),
    ("green", "triangle", "orange"),
    ("white", "circle", "purple"),
    ("black", "circle", "yellow"),
    ("purple", "square", "orange"),
    ("orange", "circle", "white"),
];

fn prompt((figure, shape, ground): (&str, &str, &str)) -> String {
    let article = |colour: &str| if colour.starts_with('o') { "an" } else { "a" };
    format!("{} {figure} {shape} on {} {ground} background", article(figure), article(ground))
}

#[test]
fn shape_prompts_determine_colour_background_and_shape() {
    let (mut colours, mut kinds, mut table) = (0, 0, String::new());
    for (index, wanted) in SHAPES.into_iter().enumerate() {
        let seen = look(&paint(&prompt(wanted), 400 + index as u64));
        colours += usize::from(seen.figure == wanted.0 && seen.ground == wanted.2);
        kinds += usize::from(seen.shape == wanted.1);
        table.push_str(&format!("{wanted:?}: {seen:?}\n"));
    }
    println!("colours {colours}, kinds {kinds} of {}\n{table}", SHAPES.len());
    let least = |ratio: f64| (ratio * SHAPES.len() as f64).round() as usize;
    assert!(colours >= least(tolerance::NANO_SD_COLOURS), "colours right: {colours}\n{table}");
    assert!(kinds >= least(tolerance::NANO_SD_KINDS), "kinds right: {kinds}\n{table}");
}

#[test]
fn images_match_diffusers() {
    let calls: serde_json::Value = serde_json::from_str(&golden_metadata("nano_sd", "pictures")["calls"]).unwrap();
    for (name, tensor) in golden("nano_sd", "pictures") {
        let call = &calls[&name];
        let params = ImageParams {
            num_inference_steps: call["steps"].as_u64().unwrap() as usize,
            scheduler: call["scheduler"].as_str().map(|name| name.parse().unwrap()),
            ..params(call["prompt"].as_str().unwrap(), call["seed"].as_u64().unwrap())
        };
        let (height, width, _) = tensor.dims3().unwrap();
        let expected = RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap();
        let likeness = psnr(&MODEL.image(&params, RunContext::new(&mut ())).unwrap(), &expected);
        println!("{name}: {likeness:.1} dB");
        assert!(likeness >= tolerance::IMAGE_PSNR, "{name}: {likeness:.1} dB");
    }
}

#[test]
fn night_is_darker_than_noon() {
    for (index, place) in ["the sea", "the mountains", "a city", "a desert"].into_iter().enumerate() {
        let seed = 500 + index as u64;
        let [night, noon] = ["night", "noon"].map(|time| brightness(&paint(&format!("{place} at {time}"), seed)));
        println!("{place}: night {night:.0}, noon {noon:.0}");
        assert!(night < noon, "{place}: night {night:.0}, noon {noon:.0}");
    }
}

#[test]
fn two_seeds_differ_and_one_repeats() {
    let prompt = "A peaceful sunrise over mountains with mist";
    let first = paint(prompt, 1);
    let likeness = psnr(&first, &paint(prompt, 2));
    assert!(likeness < 30.0, "{likeness:.1} dB");
    assert_eq!(first, paint(prompt, 1));
}

#[test]
fn bf16_is_close_to_f32() {
    let policy = ExecutionPolicy { text_encoder: DType::BF16, unet: DType::BF16, vae: DType::BF16, ..ExecutionPolicy::cpu_f32() };
    let rounded = StableDiffusion::load(&nano_sd(), &policy).unwrap();
    for (prompt, seed) in [("a red circle on a blue background", 3), ("the sea at sunset with a boat", 4)] {
        let likeness = psnr(&paint(prompt, seed), &rounded.image(&params(prompt, seed), RunContext::new(&mut ())).unwrap());
        println!("{prompt}: {likeness:.1} dB");
        assert!(likeness >= tolerance::NANO_SD_BF16_DB, "{prompt}: {likeness:.1} dB");
    }
}

#[test]
fn a_model_for_prompts_alone_makes_the_same_images_without_an_encoder() {
    let policy = ExecutionPolicy { encodes: false, ..ExecutionPolicy::cpu_f32() };
    let model = StableDiffusion::load(&nano_sd(), &policy).unwrap();
    let (all, found) = (MODEL.memory().weights(), model.memory().weights());
    assert!(found < all, "{found} of {all} bytes");
    let params = params("the sea at noon", 5);
    let noon = model.image(&params, RunContext::new(&mut ())).unwrap();
    assert_eq!(noon, MODEL.image(&params, RunContext::new(&mut ())).unwrap());
    let again = ImageParams { start: Start::Image { init_image: noon, strength: 0.5 }, ..params };
    let refused = model.image(&again, RunContext::new(&mut ())).unwrap_err();
    assert!(matches!(refused, Error::Params { field: "init_image", .. }), "{refused}");
}

#[test]
fn image_to_image_keeps_more_at_a_lower_strength() {
    let noon = paint("the sea at noon", 5);
    let again = |strength| {
        let start = Start::Image { init_image: noon.clone(), strength };
        let params = ImageParams { start, ..params("the sea at noon", 6) };
        psnr(&noon, &MODEL.image(&params, RunContext::new(&mut ())).unwrap())
    };
    let (little, much) = (again(0.2), again(0.9));
    println!("strength 0.2: {little:.1} dB, 0.9: {much:.1} dB");
    assert!(little > 18.0 && little > much + 3.0, "strength 0.2: {little:.1} dB, 0.9: {much:.1} dB");
}

#[test]
fn other_sizes_and_schedulers_work() {
    let params = ImageParams {
        width: 160,
        height: 96,
        num_inference_steps: 12,
        scheduler: Some("dpmpp-2m-karras".parse().unwrap()),
        ..params("a green star on a yellow background", 8)
    };
    let image = MODEL.image(&params, RunContext::new(&mut ())).unwrap();
    assert_eq!(image.dimensions(), (160, 96));
}

#[test]
fn the_named_architecture_has_the_embedded_models_shape() {
    let named = RandomWeights::new("nano-sd", 0).unwrap();
    // The named architecture has OpenAI's vocabulary.
    let other = ["vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"];
    for component in [Component::Unet, Component::Vae, Component::TextEncoder] {
        let embedded = nano_sd().config(component).unwrap();
        for (key, value) in named.config(component).unwrap().as_object().unwrap() {
            assert!(other.contains(&key.as_str()) || *value == embedded[key], "{component:?}: {key} is {value}, not {}", embedded[key]);
        }
    }
}
