//! Animates an image with the embedded model, or with a Stable Video Diffusion model on disk:
//! `cargo run --release --example image_to_video -- picture.png out.mp4 [MODEL]`

use std::{
    env,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use diffusion_core::{
    error::BoxError,
    frames::FrameSink,
    pipelines::{ImageToVideoParams, StableVideoDiffusion, VideoContext, VideoMonitor, VideoProgress, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{OpenOptions, open_model},
};
use image::RgbImage;
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

/// Passes each frame to the encoder as soon as it is decoded.
struct Encoded(VideoEncoder);

impl FrameSink for Encoded {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        Ok(self.0.push(&frame)?)
    }
}

/// Prints each step and each frame as it finishes.
struct PrintProgress;

impl VideoMonitor for PrintProgress {
    #[expect(clippy::print_stdout, reason = "an example prints its results")]
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        println!("step {} of {}, frame {} of {}", progress.step, progress.steps, progress.frame, progress.frames);
        ControlFlow::Continue(())
    }
}

fn main() -> Result<()> {
    const USAGE: &str = "usage: image_to_video PICTURE FILE.mp4 [MODEL]";
    let mut arguments = env::args().skip(1);
    let image = arguments.next().context(USAGE)?;
    let file = PathBuf::from(arguments.next().context(USAGE)?);

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let model = match arguments.next() {
        None => StableVideoDiffusion::load(&nano_svd(), &policy)?,
        Some(path) => StableVideoDiffusion::load(open_model(Path::new(&path), &OpenOptions::default())?.as_ref(), &policy)?,
    };
    let params = ImageToVideoParams { seed: 7, ..ImageToVideoParams::new(image::open(&image).context(image)?.to_rgb8()) };
    let (width, height) = model.default_size();
    let fps = FrameRate::whole(params.motion.conditioning_fps);
    let settings = EncoderSettings::new(width, height, fps, Container::from_path(&file)?);
    let mut encoded = Encoded(VideoEncoder::open(&file, &settings)?);
    model.image_to_video(&params, VideoContext::new(&mut PrintProgress, &mut encoded))?;
    encoded.0.finish()?;
    Ok(())
}
