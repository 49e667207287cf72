//! `framewright animate`: animates one picture and writes the video to a file.

use std::time::Instant;

use anyhow::Result;
use generation::{
    Limits, ModelInfo, given_image,
    video::{AnimationRequest, ClipRequest, ClipRules, ClipSpec, FpsRequest, VideoSpec},
};
use serde_json::{Value, json};

use crate::{
    adapters::Folders,
    args::AnimateArgs,
    engine, flags,
    image::{random_seed, read_image, stand_in},
    output,
    settings::Settings,
    signing, video,
};

/// Size for the encoder check when the model's own size is not known yet.
const TRIED_SIZE: (u32, u32) = (512, 512);

/// The flag that stands for the `prompt` field in this command's errors.
const PROMPT: &str = "--prompt";

/// Generates the video and writes it.
///
/// # Errors
/// [`crate::failure::Usage`] for input outside its limits; otherwise if the model cannot be loaded or run, or a file cannot be read or
/// written.
pub(crate) fn run(args: &AnimateArgs, settings: &Settings) -> Result<()> {
    if args.clip.are_given() {
        return clip(args, settings);
    }
    let began = Instant::now();
    let request = AnimationRequest {
        model: None,
        image: Some(read_image(&args.image, given_image::rgb)?),
        motion: video::motion(&args.motion, args.steps),
        fps: args.fps.clone().map(FpsRequest::Text),
        width: args.width.map(i128::from),
        height: args.height.map(i128::from),
        seed: Some(seed(args)),
    };
    let spec = request.validate(&Limits::DEFAULT).map_err(|errors| flags::refused(&errors, PROMPT))?;
    let output = video::video_output(&args.output)?;
    video::sweep_staged(&output);
    video::check_encoder(&output, spec.size().unwrap_or(TRIED_SIZE), spec.fps())?;
    signing::remark_on_frames(settings, output.container);
    let engine = engine::start_motion(settings)?;
    let (model, output_video) = video::make(&engine, |_| Ok((VideoSpec::Animation(spec.clone()), output)))?;
    let described = json!({
        "image": args.image.display().to_string(),
        "motion": video::described_motion(spec.motion()),
        "seed": spec.seed(),
        "model": model.name,
        "device": model.device,
        "device_reason": model.device_reason,
    });
    video::report(args.output.json, &output_video, &described, began.elapsed())
}

fn seed(args: &AnimateArgs) -> i128 {
    flags::seed(args.seed).unwrap_or_else(|| random_seed().into())
}

/// Animates a picture for any requested duration, in as many model runs as that takes.
fn clip(args: &AnimateArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    let flags = &args.clip;
    let request = ClipRequest {
        image: Some(read_image(&args.image, given_image::rgb)?),
        prompt: flags.prompt.clone(),
        strength: flags.strength,
        duration: flags.duration,
        fps: args.fps.clone().map(FpsRequest::Text),
        resolution: flags.resolution.clone(),
        quality: flags.quality.clone(),
        motion_strength: flags.motion_strength,
        camera_motion: flags.camera.clone(),
        seed: Some(seed(args)),
        motion: video::motion(&args.motion, args.steps),
        ..ClipRequest::default()
    };
    let validate = |mut request: ClipRequest, model: &ModelInfo| {
        request.fill_in(model);
        // A local command competes with no other client: the clip may be as long as the request limits allow.
        let rules = ClipRules { seconds: (0.0, f64::MAX), ..ClipRules::default() };
        request.validate(&rules, &Limits::DEFAULT).map_err(|errors| flags::refused(&errors, PROMPT))
    };
    let folders = Folders::open(settings)?;
    let mut spec = validate(request.clone(), &stand_in(settings.default_model().defaults, &folders))?;
    let output = video::video_output(&args.output)?;
    video::sweep_staged(&output);
    video::check_encoder(&output, spec.size().unwrap_or(TRIED_SIZE), spec.fps())?;
    signing::remark_on_frames(settings, output.container);
    let engine =
        if spec.repaint().is_some() { engine::start(settings, None, engine::Purpose::Motion)? } else { engine::start_motion(settings)? };
    let (model, output_video) = video::make(&engine, |model| {
        spec = validate(request, model)?;
        Ok((VideoSpec::Clip(spec.clone()), output))
    })?;
    if let Some(native) = output_video.shape.native {
        output::remark(format_args!(
            "of the model: {} frames of {}x{}, at {} in a second, in {} runs",
            native.frames,
            native.width,
            native.height,
            spec.motion().conditioning_fps(),
            native.windows
        ));
    }
    let mut described = described_clip(&spec);
    for (key, value) in [
        ("image", args.image.display().to_string()),
        ("motion_model", model.motion.clone()),
        ("device", model.device.clone()),
        ("device_reason", model.device_reason.clone()),
    ] {
        described[key] = value.into();
    }
    described["native"] = output_video.shape.native.map_or(
        Value::Null,
        |native| json!({ "width": native.width, "height": native.height, "frames": native.frames, "windows": native.windows }),
    );
    video::report(args.output.json, &output_video, &described, began.elapsed())
}

/// Every parameter of a clip except its picture and its models.
fn described_clip(spec: &ClipSpec) -> Value {
    let repaint = spec.repaint().map(|repaint| {
        json!({
            "prompt": repaint.prompt(),
            "strength": repaint.strength(),
            "num_inference_steps": repaint.num_inference_steps(),
            "guidance_scale": repaint.guidance_scale(),
        })
    });
    json!({
        "repaint": repaint,
        "motion": video::described_motion(spec.motion()),
        "camera": spec.camera().name(),
        "seed": spec.seed(),
    })
}
