//! Repaints a picture after a prompt, with the model in the program; here the picture that the other example makes:
//! `cargo run --release --example image_to_image -- out.png "a green circle on a white background" green.png`

use std::env;

use anyhow::{Context, Result};
use diffusion_core::{
    pipelines::{ImageToImageParams, StableDiffusion, TextToImageParams, nano_sd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
};

fn main() -> Result<()> {
    let arguments = env::args().skip(1).collect::<Vec<String>>();
    let [given, prompt, file] = arguments.as_slice() else { anyhow::bail!("usage: image_to_image GIVEN.png PROMPT FILE.png") };
    let init_image = image::open(given).with_context(|| given.clone())?.to_rgb8();

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let model = StableDiffusion::load(&nano_sd(), &policy)?;
    // As large as the model's own pictures, in the proportions of the given one; sides are multiples of 8.
    let (side, (width, height)) = (model.default_size().0, init_image.dimensions());
    let fitted = |length: u32| (side * length / width.max(height) / 8).max(1) * 8;
    let base = TextToImageParams { seed: 7, ..TextToImageParams::new(prompt, (fitted(width), fitted(height))) };
    let picture = model.image_to_image(&ImageToImageParams { base, init_image, strength: 0.6 }, &mut ())?;
    picture.save(file).with_context(|| file.clone())
}
