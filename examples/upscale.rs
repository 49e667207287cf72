//! Enlarges a picture with an ESRGAN upscaler, and says how long that took:
//! `cargo run --release --example upscale -- RealESRGAN_x4plus.pth photo.png large.png [f32|bf16]`

use std::{env, ops::ControlFlow, path::Path, time::Instant};

use anyhow::{Context, Result};
use diffusion_core::{
    pipelines::upscale::Upscaler,
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::UpscalerFile,
};

const USAGE: &str = "usage: upscale UPSCALER PICTURE FILE.png [f32|bf16]";

#[expect(clippy::print_stdout, reason = "an example prints its results")]
fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, picture, out, precision @ ..] = arguments.as_slice() else { anyhow::bail!(USAGE) };
    let precision: Precision = precision.first().map_or(Ok(Precision::Auto), |name| name.parse())?;

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, precision)?;
    let upscaler = Upscaler::load(&UpscalerFile::open(Path::new(file))?, &policy)?;
    let picture = image::open(picture).with_context(|| picture.clone())?.to_rgb8();
    let started = Instant::now();
    let enlarged = upscaler.enlarge(&picture, &mut |_| ControlFlow::Continue(()))?;
    println!("{}x{} in {:.3} s", enlarged.width(), enlarged.height(), started.elapsed().as_secs_f64());
    enlarged.save(out).with_context(|| out.clone())
}
