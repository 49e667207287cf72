//! Clips: a given picture in motion for as long as is wanted. What holds of every clip with the embedded models, and what the camera does
//! to a picture that stands still.
#![expect(clippy::print_stdout, reason = "figures for whoever runs with --nocapture")]

use std::{ops::ControlFlow, sync::LazyLock};

use diffusion_core::{
    Error,
    pipelines::{
        MotionParams, StableDiffusion, StableVideoDiffusion, TextToImageParams,
        clip::{Camera, ClipParams, RepaintParams, TRAVEL},
        nano_sd, nano_svd,
        scenes::{Activity, SceneMonitor, SceneProgress},
    },
    policy::ExecutionPolicy,
    preprocess::{self, Part},
};
use image::{Rgb, RgbImage};

use crate::{golden, pipelines::psnr};

static MODEL: LazyLock<StableVideoDiffusion> =
    LazyLock::new(|| StableVideoDiffusion::load(&nano_svd(), &ExecutionPolicy::cpu_f32()).unwrap());
static PAINTER: LazyLock<StableDiffusion> = LazyLock::new(|| StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap());

/// One of nano-sd's own pictures, 128 x 128.
fn picture(name: &str) -> RgbImage {
    let tensor = &golden("nano_sd", "pictures")[name];
    RgbImage::from_raw(128, 128, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

/// A clip of the model's own size and rate, in as many steps as its makers say.
fn clip(name: &str, frames: usize) -> ClipParams {
    ClipParams {
        image: picture(name),
        repaint: None,
        motion: MotionParams::default(),
        camera: Camera::Static,
        frames,
        fps: 7.0,
        width: 128,
        height: 128,
        seed: 1,
        first_frame: 0,
    }
}

/// The same in so few steps and pixels that a test may make many.
fn small(frames: usize) -> ClipParams {
    let motion = MotionParams { size: Some((32, 32)), num_frames: Some(3), num_inference_steps: 1, ..MotionParams::default() };
    ClipParams { motion, ..clip("shape", frames) }
}

fn repaint(strength: f64) -> RepaintParams {
    let picture =
        TextToImageParams { num_inference_steps: 10, seed: 4, ..TextToImageParams::new("a red circle on a blue background", (128, 128)) };
    RepaintParams { picture, strength }
}

fn made(params: &ClipParams) -> Vec<RgbImage> {
    let mut frames = Vec::new();
    MODEL.clip(params, Some(&PAINTER), &mut (), &mut frames).unwrap();
    frames
}

#[test]
fn look() {
    std::fs::create_dir_all("/tmp/clip").unwrap();
    let save = |name: &str, params: &ClipParams| {
        let at = std::time::Instant::now();
        let frames = made(params);
        println!("{name}: {} frames, {:?}", frames.len(), at.elapsed());
        for (index, frame) in frames.iter().enumerate() {
            frame.save(format!("/tmp/clip/{name}-{index:03}.png")).unwrap();
        }
    };
    println!("{:?}", golden("nano_sd", "pictures").keys());
    for name in golden("nano_sd", "pictures").keys() {
        picture(name).save(format!("/tmp/clip/input-{name}.png")).unwrap();
        save(&format!("own-{name}"), &clip(name, 29));
        for longer in [None; 0] as [Option<u32>; 0] {
            let (width, height) = if longer.is_none() { MODEL.size_for((16, 9), None, None) } else { (256, 256) };
            let mut params = clip(name, 8);
            params.motion.size = Some((width, height));
            (params.width, params.height) = (width, height);
            save(&format!("s{width}x{height}-{name}"), &params);
        }
    }
}
