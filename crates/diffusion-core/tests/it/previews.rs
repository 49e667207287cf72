//! Previews during runs of the embedded models: they show the image from the first third of the steps on, and do not change the result.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{
    ops::ControlFlow,
    sync::LazyLock,
    time::{Duration, Instant},
};

use diffusion_core::{
    denoise::{StepMonitor, StepReport},
    pipelines::{
        ImageParams, ImageToVideoParams, MotionParams, RunContext, StableDiffusion, StableVideoDiffusion, VideoContext, VideoMonitor,
        VideoProgress, nano_sd, nano_svd,
    },
    policy::ExecutionPolicy,
};
use image::{
    RgbImage,
    imageops::{FilterType, resize},
};

use crate::pipelines::psnr;

static MODEL: LazyLock<StableDiffusion> = LazyLock::new(|| StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap());

/// Shapes and landscapes, light and dark.
const PROMPTS: [&str; 9] = [
    "a red circle on a blue background",
    "a yellow star on a black background",
    "a green square on a white background",
    "a white square on a red background",
    "a green triangle on an orange background",
    "a black square on a yellow background",
    "A peaceful sunrise over mountains with mist",
    "a boat on the sea at noon",
    "a forest at night with the moon",
];

/// Minimum correlation of a preview of the finished latents with the image, at the latents' size: the mean over all prompts, and each one.
const LAST: (f64, f64) = (0.88, 0.75);
/// Minimum mean correlation at the ninth of 25 steps.
const THIRD: f64 = 0.85;
/// Maximum mean correlation with other prompts' images.
const OTHERS: f64 = 0.2;

/// Requests a preview at every step, or at none.
#[derive(Default)]
struct Watcher {
    enabled: bool,
    previews: Vec<RgbImage>,
    times: Vec<Duration>,
}

impl Watcher {
    fn observe(&mut self, step: &StepReport<'_>) {
        if self.enabled {
            let started = Instant::now();
            self.previews.push((step.preview)().unwrap());
            self.times.push(started.elapsed());
        }
    }
}

impl StepMonitor for Watcher {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.observe(step);
        ControlFlow::Continue(())
    }
}

impl VideoMonitor for Watcher {
    fn on_progress(&mut self, _: &VideoProgress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn on_model_step(&mut self, step: &StepReport<'_>) {
        self.observe(step);
    }
}

fn params(prompt: &str, seed: u64) -> ImageParams {
    ImageParams { seed, ..ImageParams::new(prompt, MODEL.default_size()) }
}

fn watched(prompt: &str, seed: u64) -> (Watcher, RgbImage) {
    let mut watcher = Watcher { enabled: true, ..Watcher::default() };
    let image = MODEL.image(&params(prompt, seed), RunContext::new(&mut watcher)).unwrap();
    (watcher, image)
}

/// Scaled to the size of the latents, 16 x 16.
fn small(image: &RgbImage) -> RgbImage {
    resize(image, 16, 16, FilterType::Triangle)
}

/// The correlation of two images at the size of the latents, over all pixels and colours.
fn correlation(a: &RgbImage, b: &RgbImage) -> f64 {
    let centred = |image: &RgbImage| {
        let values: Vec<f64> = small(image).as_raw().iter().map(|byte| f64::from(*byte)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.into_iter().map(|value| value - mean).collect::<Vec<f64>>()
    };
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (a, b) = (centred(a), centred(b));
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn previews_show_the_image_in_progress() {
    let runs: Vec<(Watcher, RgbImage)> = PROMPTS.iter().map(|prompt| watched(prompt, 3)).collect();
    let (mut last, mut third, mut others, mut decibels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, (watcher, image)) in runs.iter().enumerate() {
        assert_eq!(watcher.previews.len(), 25);
        let preview = &watcher.previews[24];
        assert_eq!(preview.dimensions(), (128, 128), "no larger than the image");
        last.push(correlation(preview, image));
        decibels.push(psnr(&small(preview), &small(image)));
        third.push(correlation(&watcher.previews[8], image));
        others.extend(runs.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, (_, other))| correlation(preview, other)));
    }
    println!("last step: {last:.2?}, mean {:.3}, {:.1} dB; step 9: {third:.2?}, mean {:.3}", mean(&last), mean(&decibels), mean(&third));
    println!("other images: mean {:.3}", mean(&others));
    let times: Vec<Duration> = runs.iter().flat_map(|(watcher, _)| watcher.times.iter().copied()).collect();
    println!("the first took {:?}, each other {:?}", times.iter().max().unwrap(), times.iter().min().unwrap());
    assert!(mean(&last) >= LAST.0 && last.iter().all(|last| *last >= LAST.1), "{last:?}");
    assert!(mean(&third) >= THIRD, "{third:?}");
    assert!(mean(&others) <= OTHERS, "{}", mean(&others));
}

#[test]
fn previews_do_not_change_the_image() {
    let (_, observed) = watched(PROMPTS[0], 5);
    let alone = MODEL.image(&params(PROMPTS[0], 5), RunContext::new(&mut Watcher::default())).unwrap();
    assert!(observed == alone);
}

#[test]
fn a_videos_preview_is_its_middle_frame() {
    let model = StableVideoDiffusion::load(&nano_svd(), &ExecutionPolicy::cpu_f32()).unwrap();
    let image = MODEL.image(&params(PROMPTS[0], 3), RunContext::new(&mut ())).unwrap();
    let motion = MotionParams { num_inference_steps: 10, motion_bucket_id: 223, ..MotionParams::default() };
    let params = ImageToVideoParams { motion, seed: 1, ..ImageToVideoParams::new(image) };
    let (mut watcher, mut frames) = (Watcher { enabled: true, ..Watcher::default() }, Vec::new());
    model.image_to_video(&params, VideoContext::new(&mut watcher, &mut frames)).unwrap();
    let preview = &watcher.previews[9];
    let scores: Vec<f64> = frames.iter().map(|frame| correlation(preview, frame)).collect();
    println!("{scores:.3?}");
    assert!(scores[4] >= 0.9 && scores.iter().all(|score| *score <= scores[4]), "{scores:?}");
}
