//! Sets a picture in motion with the model in the program, or with a Stable Video Diffusion model of yours:
//! `cargo run --release --example image_to_video -- picture.png out.mp4 [MODEL]`

use std::{
    env,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use diffusion_core::{
    denoise::{StepMonitor, StepReport},
    error::BoxError,
    frames::FrameSink,
    pipelines::{ImageToVideoParams, StableVideoDiffusion, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{OpenOptions, open_model},
};
use image::RgbImage;
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

/// Takes each frame to the encoder as soon as it is decoded.
struct Encoded(VideoEncoder);

impl FrameSink for Encoded {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        Ok(self.0.push(&frame)?)
    }
}

/// Prints each step as it is done.
struct PrintSteps;

impl StepMonitor for PrintSteps {
    #[expect(clippy::print_stdout, reason = "an example talks to its reader")]
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        println!("step {} of {}", step.step, step.steps);
        ControlFlow::Continue(())
    }
}

fn main() -> Result<()> {
    const USAGE: &str = "usage: image_to_video PICTURE FILE.mp4 [MODEL]";
    let mut arguments = env::args().skip(1);
    let picture = arguments.next().context(USAGE)?;
    let file = PathBuf::from(arguments.next().context(USAGE)?);

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let model = match arguments.next() {
        None => StableVideoDiffusion::load(&nano_svd(), &policy)?,
        Some(path) => StableVideoDiffusion::load(open_model(Path::new(&path), &OpenOptions::default())?.as_ref(), &policy)?,
    };
    let params = ImageToVideoParams { seed: 7, ..ImageToVideoParams::new(image::open(&picture).context(picture)?.to_rgb8()) };
    let (width, height) = model.default_size();
    let fps = FrameRate::whole(params.motion.conditioning_fps);
    let settings = EncoderSettings::new(width, height, fps, Container::from_path(&file)?);
    let mut encoded = Encoded(VideoEncoder::open(&file, &settings)?);
    model.image_to_video(&params, &mut PrintSteps, &mut encoded)?;
    encoded.0.finish()?;
    Ok(())
}
