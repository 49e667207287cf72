//! Generates a video of scenes with the embedded model, with a transition from each scene to the next:
//! `cargo run --release --example scenes -- out.mp4 "a beach at noon with boats" "a city at night with a moon" ..`

use std::{env, ops::ControlFlow, path::PathBuf};

use anyhow::{Context, Result, ensure};
use diffusion_core::{
    error::BoxError,
    frames::FrameSink,
    pipelines::{
        ImageParams, StableDiffusion, VideoContext, VideoMonitor, VideoProgress, nano_sd,
        scenes::{Join, SceneParams, ScenesParams},
    },
    policy::{DeviceChoice, ExecutionPolicy, Precision},
};
use image::RgbImage;
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

/// Passes each frame to the encoder as soon as it is generated.
struct Encoded(VideoEncoder);

impl FrameSink for Encoded {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        Ok(self.0.push(&frame)?)
    }
}

/// Prints each scene as it starts.
struct PrintScenes(usize);

impl VideoMonitor for PrintScenes {
    #[expect(clippy::print_stdout, reason = "an example prints its results")]
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        if progress.scene == self.0 {
            self.0 += 1;
            println!("scene {} of {}", self.0, progress.scenes);
        }
        ControlFlow::Continue(())
    }
}

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let file = PathBuf::from(arguments.next().context("usage: scenes FILE.mp4 PROMPT PROMPT ..")?);
    let prompts: Vec<String> = arguments.collect();
    ensure!(!prompts.is_empty(), "usage: scenes FILE.mp4 PROMPT PROMPT ..");

    let (width, height, fps) = (256, 256, 24);
    // Opened before the model loads, so that a missing encoder fails at once.
    let settings = EncoderSettings::new(width, height, FrameRate::whole(fps), Container::from_path(&file)?);
    let mut encoded = Encoded(VideoEncoder::open(&file, &settings)?);

    let model = StableDiffusion::load(&nano_sd(), &ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?)?;
    let scene = |(index, prompt): (usize, String)| SceneParams {
        image: ImageParams { seed: 7 + index as u64, ..ImageParams::new(prompt, model.default_size()) },
        frames: 24,
        motion: None,
    };
    let scenes: Vec<SceneParams> = prompts.into_iter().enumerate().map(scene).collect();
    let joins = vec![Join::Slerp { frames: 12 }; scenes.len() - 1];
    let params = ScenesParams { scenes, joins, width, height, fps: fps.into(), first_frame: 0 };
    model.scenes(&params, None, VideoContext::new(&mut PrintScenes(0), &mut encoded))?;
    encoded.0.finish()?;
    Ok(())
}
