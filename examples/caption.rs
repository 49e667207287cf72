//! Captions an image with a BLIP model in a folder, such as a download of Salesforce/blip-image-captioning-base:
//! `cargo run --release --example caption -- picture.jpg FOLDER [BEAMS] [auto|f32|f16|bf16]`

use std::{env, time::Instant};

use anyhow::{Context, Result};
use diffusion_core::{
    pipelines::caption::{CaptionParams, Captioner},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::TransformersFolder,
};

#[expect(clippy::print_stdout, reason = "an example prints its results")]
fn main() -> Result<()> {
    const USAGE: &str = "usage: caption PICTURE FOLDER [BEAMS] [PRECISION]";
    let mut arguments = env::args().skip(1);
    let image = image::open(arguments.next().context(USAGE)?)?.into_rgb8();
    let folder = TransformersFolder::open(arguments.next().context(USAGE)?)?;
    let num_beams = arguments.next().map_or(Ok(1), |beams| beams.parse()).context(USAGE)?;
    let precision: Precision = arguments.next().as_deref().unwrap_or("auto").parse()?;

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, precision)?;
    let start = Instant::now();
    let captioner = Captioner::load(&folder, &policy.device, policy.text_encoder)?;
    let loaded = start.elapsed();
    let params = CaptionParams { num_beams, ..CaptionParams::default() };
    let start = Instant::now();
    let caption = captioner.caption(&image, &params, &|| false)?;
    println!("{}", caption.text);
    println!("{:?}", caption.token_ids);
    let (bytes, seconds) = (captioner.weight_bytes() / 1_000_000, start.elapsed().as_secs_f64());
    println!("{} MB in {:?}, loaded in {:.2} s; the caption took {seconds:.3} s", bytes, policy.text_encoder, loaded.as_secs_f64());
    Ok(())
}
