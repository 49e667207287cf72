//! The embedded video model: its frames match diffusers', and a figure moves as in the training data, farther at higher buckets.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::sync::LazyLock;

use diffusion_core::{
    pipelines::{ImageToVideoParams, MotionParams, StableVideoDiffusion, VideoContext, nano_svd},
    policy::ExecutionPolicy,
};
use image::RgbImage;

use crate::{golden, golden_metadata, pipelines::psnr, tolerance};

static MODEL: LazyLock<StableVideoDiffusion> =
    LazyLock::new(|| StableVideoDiffusion::load(&nano_svd(), &ExecutionPolicy::cpu_f32()).unwrap());

fn image(name: &str) -> RgbImage {
    let tensor = &golden("nano_sd", "pictures")[name];
    RgbImage::from_raw(128, 128, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

fn animate(image: &RgbImage, seed: u64, steps: usize, bucket: u32) -> Vec<RgbImage> {
    let motion = MotionParams { num_inference_steps: steps, motion_bucket_id: bucket, ..MotionParams::default() };
    let mut frames = Vec::new();
    let params = ImageToVideoParams { motion, seed, ..ImageToVideoParams::new(image.clone()) };
    MODEL.image_to_video(&params, VideoContext::new(&mut (), &mut frames)).unwrap();
    frames
}

#[test]
fn the_frames_match_diffusers() {
    let calls: serde_json::Value = serde_json::from_str(&golden_metadata("nano_svd", "frames")["calls"]).unwrap();
    let expected = golden("nano_svd", "frames");
    for (name, call) in calls.as_object().unwrap() {
        let number = |key: &str| call[key].as_u64().unwrap();
        let made = animate(&image(call["picture"].as_str().unwrap()), number("seed"), number("steps") as usize, number("bucket") as u32);
        let bytes: Vec<u8> = expected[name].flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(made.len() * 128 * 128 * 3, bytes.len(), "{name}");
        for (index, (frame, bytes)) in made.iter().zip(bytes.chunks(128 * 128 * 3)).enumerate() {
            let found = psnr(frame, &RgbImage::from_raw(128, 128, bytes.to_vec()).unwrap());
            println!("{name}, frame {index}: {found:.1} dB");
            assert!(found >= tolerance::IMAGE_PSNR, "{name}, frame {index}: {found:.1} dB");
        }
    }
}

/// The mean row of pixels that are more red than blue: the position of a red figure on a blue background.
fn height_of_red(frame: &RgbImage) -> f64 {
    let red = frame.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > pixel.0[2]);
    let (sum, count) = red.fold((0.0, 0.0), |(sum, count), (_, row, _)| (sum + f64::from(row), count + 1.0));
    sum / count
}

#[test]
fn a_figure_falls_and_farther_at_a_higher_bucket() {
    let circle = image("shape");
    let fallen = [31, 127, 223].map(|bucket| {
        let frames = animate(&circle, 1, 25, bucket);
        assert_eq!(frames.len(), 8);
        let first = psnr(&frames[0], &circle);
        assert!(first >= 22.0, "frame 1 is {first:.1} dB from the picture");
        height_of_red(&frames[7]) - height_of_red(&frames[0])
    });
    println!("fallen by {fallen:.1?} pixels");
    assert!(fallen[0] < fallen[1] && fallen[1] < fallen[2] && fallen[1] >= 2.0, "{fallen:?}");
}
