//! `framewright animate`: a picture in motion, in a file.

use std::time::Instant;

use anyhow::Result;
use generation::{
    Limits,
    video::{AnimationRequest, FpsRequest, VideoSpec},
};
use serde_json::json;

use crate::{
    args::AnimateArgs,
    engine,
    image::{random_seed, read_image},
    settings::Settings,
    video,
};

/// The size that the encoder is tried with where the model's own is not known yet.
const TRIED_SIZE: (u32, u32) = (512, 512);

/// Makes the video and writes it.
///
/// # Errors
/// [`crate::failure::Usage`] for input outside its limits; otherwise if the model cannot be loaded or run, or a file cannot be read or
/// written.
pub(crate) fn run(args: &AnimateArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    let request = AnimationRequest {
        image: Some(read_image(&args.image)?.to_rgb8()),
        motion: video::motion(&args.motion, args.steps),
        fps: args.fps.clone().map(FpsRequest::Text),
        width: args.width.map(i128::from),
        height: args.height.map(i128::from),
        seed: Some(args.seed.map_or_else(|| i128::from(random_seed()), i128::from)),
    };
    let spec = request.validate(&Limits::DEFAULT).map_err(|errors| video::refused(&errors))?;
    let output = video::video_output(&args.output)?;
    video::check_encoder(&output, spec.size().unwrap_or(TRIED_SIZE), spec.fps())?;
    let engine = engine::start_motion(settings)?;
    let (model, made) = video::make(&engine, |_| Ok((VideoSpec::Animation(spec.clone()), output)))?;
    let described = json!({
        "image": args.image.display().to_string(),
        "motion": video::described_motion(spec.motion()),
        "seed": spec.seed(),
        "model": model.name,
        "device": model.device,
        "device_reason": model.device_reason,
    });
    video::report(args.output.json, &made, &described, began.elapsed())
}
