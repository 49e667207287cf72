//! Repaints an image after a prompt with the embedded model; here the output of the `text_to_image` example:
//! `cargo run --release --example image_to_image -- out.png "a green circle on a white background" green.png`

use std::env;

use anyhow::{Context, Result};
use diffusion_core::{
    pipelines::{ImageParams, RunContext, StableDiffusion, Start, nano_sd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
};

fn main() -> Result<()> {
    let arguments = env::args().skip(1).collect::<Vec<String>>();
    let [input, prompt, file] = arguments.as_slice() else { anyhow::bail!("usage: image_to_image INPUT.png PROMPT FILE.png") };
    let init_image = image::open(input).with_context(|| input.clone())?.to_rgb8();

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let model = StableDiffusion::load(&nano_sd(), &policy)?;
    // The model's own size in the proportions of the input; sides are multiples of 8.
    let (side, (width, height)) = (model.default_size().0, init_image.dimensions());
    let fitted = |length: u32| (side * length / width.max(height) / 8).max(1) * 8;
    let start = Start::Image { init_image, strength: 0.6 };
    let params = ImageParams { seed: 7, start, ..ImageParams::new(prompt, (fitted(width), fitted(height))) };
    let image = model.image(&params, RunContext::new(&mut ()))?;
    image.save(file).with_context(|| file.clone())
}
