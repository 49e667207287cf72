//! `framewright video`: scenes through the same path as the server's, and their video in a file. Also the code that all video commands
//! share: flags to requests, running the job, and the report.
//!
//! The invariant: every error that can be found without a model, a missing encoder included, is reported before one is loaded, and a file
//! exists only when it is complete.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use diffusion_core::regular_file;
use generation::{
    Choices, JobOutput, JobProgress, Limits, LocalBackend, ModelInfo, Work,
    video::{
        FpsRequest, GeneratedVideo, MotionRequest, MotionSpec, RepaintSpec, SceneRequest, ScenesRequest, ScenesSpec, VideoOutput, VideoSpec,
    },
};
use serde_json::{Value, json};
use server::IgnoredField;
use video_encode::{Container, EncoderSettings, FrameRate, OddSize, Quality, VideoEncoder};

use crate::{
    adapters::{self, Folders},
    args::{MotionArgs, OutputArgs, ScenesArgs, VideoArgs},
    engine::{self, Chosen, Purpose, about},
    failure::Usage,
    flags,
    frames::MANIFEST,
    image::{folder_of, random_seed, stand_in},
    output, output_check,
    settings::Settings,
    signing,
};

/// The largest scenes file, in bytes: far more than the maximum of scenes with the longest prompts.
const MAX_SCENES_BYTES: u64 = 16 << 20;

/// The model's share of the progress bar; the rest is the encoder's.
const MODEL_SHARE: f64 = 0.9;

/// The flag that stands for the `prompt` field in this command's errors.
const SCENE: &str = "--scene";

/// Generates the video and writes it.
///
/// # Errors
/// [`Usage`] for input outside its limits; otherwise if a model cannot be loaded or run, or a file cannot be read or written.
pub(crate) fn run(args: &VideoArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    let request = scenes(&args.scenes, None)?;
    let folders = Folders::open(settings)?;
    let mut spec = validate(request.clone(), &stand_in(settings.default_model().defaults, &folders))?;
    let output = video_output(&args.output)?;
    sweep_staged(&output);
    check_encoder(&output, (spec.width(), spec.height()), spec.fps())?;
    signing::remark_on_frames(settings, output.container);
    let engine = start(settings, &spec, folders)?;
    let (model, video) = make(&engine, |model| {
        spec = validate(request, model)?;
        Ok((VideoSpec::Scenes(spec.clone()), output))
    })?;
    report(args.output.json, &video, &described(&spec, &model), began.elapsed())
}

/// Starts the engine for scenes, with their adapters.
///
/// # Errors
/// As [`engine::start`].
pub(crate) fn start(settings: &Settings, spec: &ScenesSpec, folders: Folders) -> Result<LocalBackend> {
    let chosen = Chosen { loras: spec.loras().map(<[_]>::to_vec), refiner: None };
    engine::start_adapted(settings, None, Purpose::of(spec), chosen, folders)
}

/// The scenes from the flags and the file; `seed` is that of a request in which neither gives one.
///
/// # Errors
/// [`Usage`] naming the flag and the value; otherwise if the file cannot be read.
pub(crate) fn scenes(args: &ScenesArgs, seed: Option<u64>) -> Result<ScenesRequest> {
    let mut request = match &args.scenes {
        None => ScenesRequest::default(),
        Some(path) => {
            let usage = |reason: String| Usage(format!("--scenes {}: {reason}", path.display()));
            let bytes = regular_file::read_small(path, MAX_SCENES_BYTES).map_err(|error| usage(error.to_string()))?;
            let (request, ignored) = server::scenes_body::parse_scenes(&bytes).map_err(usage)?;
            for IgnoredField { field, did_you_mean } in ignored {
                let meant = did_you_mean.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
                output::remark(format_args!("--scenes {}: there is no field {field}, so it is ignored{meant}", path.display()));
            }
            if request.model.is_some() {
                let reason = "the field model names a model of a server, so it is ignored; --model chooses the command's";
                output::remark(format_args!("--scenes {}: {reason}", path.display()));
            }
            request
        }
    };
    if let Some(name) = &args.scheduler {
        flags::scheduler(name)?;
    }
    if !args.scene.is_empty() {
        let scene = |prompt: &String| SceneRequest { prompt: Some(prompt.clone()), ..SceneRequest::default() };
        request.scenes = Some(args.scene.iter().map(scene).collect());
    }
    if args.moving {
        for scene in request.scenes.iter_mut().flatten() {
            scene.source.get_or_insert_with(|| "moving".into());
        }
    }
    // A seed of -1 means random, so it overrides the file's too.
    let seed_in_file = request.seed.filter(|_| args.seed.is_none());
    let flags = motion(&args.motion, None);
    Ok(ScenesRequest {
        model: None,
        scenes: request.scenes,
        hero_description: args.hero.clone().or(request.hero_description),
        negative_prompt: args.negative.clone().or(request.negative_prompt),
        prompt_syntax: args.prompt_syntax.clone().or(request.prompt_syntax),
        num_inference_steps: args.steps.map(i128::from).or(request.num_inference_steps),
        guidance_scale: args.guidance.or(request.guidance_scale),
        // --vae sets the model's default.
        vae: request.vae,
        loras: adapters::of_flags(&args.adapters.lora)?.or(request.loras),
        choices: Choices::default(),
        scheduler: args.scheduler.clone().or(request.scheduler),
        duration_per_scene: args.duration.or(request.duration_per_scene),
        fps: args.fps.clone().map(FpsRequest::Text).or(request.fps),
        width: args.width.map(i128::from).or(request.width),
        height: args.height.map(i128::from).or(request.height),
        proportional: request.proportional,
        transition_frames: args.transition_frames.map(i128::from).or(request.transition_frames),
        join: args.join.clone().or(request.join),
        seed: flags::seed(args.seed).or(seed_in_file).or(Some(seed.map_or_else(|| i128::from(random_seed()), i128::from))),
        motion: over(flags, request.motion),
    })
}

/// The validated scenes; the model fills in what the request does not give.
///
/// # Errors
/// [`Usage`] naming the flag, the value and its limit.
pub(crate) fn validate(mut request: ScenesRequest, model: &ModelInfo) -> Result<ScenesSpec> {
    request.fill_in(model);
    request.validate(&Limits::DEFAULT).map_err(|errors| flags::refused(&errors, SCENE).into())
}

/// The motion parameters from the flags; `steps` if the command has such a flag.
pub(crate) fn motion(args: &MotionArgs, steps: Option<i64>) -> MotionRequest {
    MotionRequest {
        num_frames: args.num_frames.map(i128::from),
        num_inference_steps: steps.map(i128::from),
        conditioning_fps: args.conditioning_fps.map(i128::from),
        motion_bucket_id: args.motion_bucket_id.map(i128::from),
        noise_aug_strength: args.noise_aug_strength,
        min_guidance_scale: args.min_guidance,
        max_guidance_scale: args.max_guidance,
        decode_chunk_size: args.decode_chunk_size.map(i128::from),
    }
}

/// Merges two requests: each field from `upper` if set, else from `lower`.
fn over(upper: MotionRequest, lower: MotionRequest) -> MotionRequest {
    MotionRequest {
        num_frames: upper.num_frames.or(lower.num_frames),
        num_inference_steps: upper.num_inference_steps.or(lower.num_inference_steps),
        conditioning_fps: upper.conditioning_fps.or(lower.conditioning_fps),
        motion_bucket_id: upper.motion_bucket_id.or(lower.motion_bucket_id),
        noise_aug_strength: upper.noise_aug_strength.or(lower.noise_aug_strength),
        min_guidance_scale: upper.min_guidance_scale.or(lower.min_guidance_scale),
        max_guidance_scale: upper.max_guidance_scale.or(lower.max_guidance_scale),
        decode_chunk_size: upper.decode_chunk_size.or(lower.decode_chunk_size),
    }
}

/// The output file and its encoding, from the flags.
///
/// # Errors
/// [`Usage`] for an unknown file extension or codec.
pub(crate) fn video_output(args: &OutputArgs) -> Result<VideoOutput> {
    let usage = |flag: &str, value: &dyn std::fmt::Display, error: video_encode::Error| Usage(format!("{flag} {value}: {error}"));
    let base = VideoOutput::new(&args.out).map_err(|error| Usage(format!("--out {error}")))?;
    for (flag, path) in [("--poster", &args.poster), ("--contact-sheet", &args.contact_sheet)] {
        let ending = path.as_ref().map(|path| path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase());
        if let (Some(path), Some(ending)) = (path, ending)
            && !["png", "jpg", "jpeg", "webp"].contains(&ending.as_str())
        {
            return Err(Usage(format!("{flag} {}: pictures are written as .png, .jpg or .webp", path.display())).into());
        }
        if let Some(path) = path {
            output_check::check_file(flag, path)?;
        }
    }
    if base.container == Container::PngFolder {
        output_check::check_folder("--out", &base.path)?;
    } else {
        output_check::check_file("--out", &base.path)?;
    }
    if base.container == Container::PngFolder && base.path.join(MANIFEST).exists() {
        return Err(Usage(format!("--out {}: holds what `framewright frames` has begun; give another folder", args.out.display())).into());
    }
    let codec = args.codec.as_ref().map(|name| name.parse().map_err(|error| usage("--codec", name, error))).transpose()?;
    let quality = match (args.crf, args.bitrate) {
        (Some(crf), _) => Quality::Crf(crf),
        (None, Some(bits)) => Quality::BitRate(bits),
        (None, None) => base.quality,
    };
    Ok(VideoOutput {
        codec: codec.unwrap_or(base.codec),
        quality,
        odd_size: if args.refuse_odd { OddSize::Refuse } else { OddSize::Pad },
        poster: args.poster.clone(),
        contact_sheet: args.contact_sheet.clone(),
        ..base
    })
}

/// Removes staged files of killed runs from the output folders.
pub(crate) fn sweep_staged(output: &VideoOutput) {
    for path in [Some(&output.path), output.poster.as_ref(), output.contact_sheet.as_ref()].into_iter().flatten() {
        video_encode::sweep_staged(folder_of(path));
    }
}

/// Opens and drops the encoder, so that a missing or incapable one is reported before a model is loaded.
///
/// # Errors
/// [`Usage`] for settings that no encoder accepts; otherwise the reason why this machine's encoder does not.
pub(crate) fn check_encoder(output: &VideoOutput, (width, height): (u32, u32), fps: FrameRate) -> Result<()> {
    let settings = EncoderSettings {
        codec: output.codec,
        quality: output.quality,
        odd_size: output.odd_size,
        ..EncoderSettings::new(width, height, fps, output.container)
    };
    settings.check().map_err(|error| Usage(error.to_string()))?;
    drop(VideoEncoder::open(&output.path, &settings)?);
    Ok(())
}

/// Loads the model, then generates the video that `job` returns for it, with a progress bar on a terminal.
pub(crate) fn make(
    local: &LocalBackend,
    job: impl FnOnce(&ModelInfo) -> Result<(VideoSpec, VideoOutput)>,
) -> Result<(std::sync::Arc<ModelInfo>, GeneratedVideo)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let model = engine::loaded(local).await?;
        output::remark(about(&model));
        let (spec, output) = job(&model)?;
        let prompt = match &spec {
            VideoSpec::Scenes(_) => SCENE,
            VideoSpec::Animation(_) | VideoSpec::Clip(_) | VideoSpec::Remote(_) => "--prompt",
        };
        model.remarks_on_texts(texts(&spec)).into_iter().for_each(output::remark);
        let job = engine::hold(local, Work::Video(spec), Some(output)).await.map_err(|error| flags::not_taken(error, prompt))?;
        let (progress, cancel) = (job.progress(), job.cancel_switch());
        let mut finished = std::pin::pin!(job.finished());
        tokio::select! {
            output = &mut finished => return match Arc::unwrap_or_clone(output.map_err(|error| flags::not_made(&error, prompt))?).output {
                JobOutput::Video(video) => Ok((model, video)),
                JobOutput::Images(_) => Err(anyhow!("images were made")),
            },
            never = draw(progress) => match never {},
            _ = tokio::signal::ctrl_c() => {}
        }
        // The job stops at its next step and removes incomplete files; a second Ctrl-C skips that wait.
        cancel.cancel();
        tokio::select! {
            _ = finished => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Err(anyhow!("interrupted"))
    })
}

/// The prompts that the model will read.
fn texts(spec: &VideoSpec) -> Vec<&str> {
    match spec {
        VideoSpec::Scenes(spec) => spec.scenes().iter().flat_map(|scene| [scene.prompt(), scene.negative_prompt()]).collect(),
        VideoSpec::Clip(spec) => spec.repaint().map(RepaintSpec::prompt).into_iter().collect(),
        VideoSpec::Animation(_) | VideoSpec::Remote(_) => Vec::new(),
    }
}

/// Draws the job's progress until it is dropped.
async fn draw(mut progress: tokio::sync::watch::Receiver<JobProgress>) -> Infallible {
    let bar = output::share_bar();
    let began = Instant::now();
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        if now.frames > 0 {
            // Generating pictures takes time in the model, and a little in the encoder.
            let share = MODEL_SHARE * now.share + (1.0 - MODEL_SHARE) * now.frame as f64 / now.frames as f64;
            bar.set_position((share * output::SHARES as f64) as u64);
            bar.set_message(progress_text(&JobProgress { share, ..now }, began.elapsed()));
        }
    }
    std::future::pending().await
}

/// `scene 2 of 3  step 12/25  frame 84/240  0:07 left`.
fn progress_text(progress: &JobProgress, elapsed: Duration) -> String {
    let JobProgress { part, parts, step, steps, frame, frames, share, .. } = *progress;
    let mut words = Vec::new();
    if parts > 1 {
        words.push(format!("scene {} of {parts}", (part + 1).min(parts)));
    }
    if steps > 0 {
        words.push(format!("step {step}/{steps}"));
    }
    words.push(format!("frame {frame}/{frames}"));
    if share > 0.0 && share < 1.0 {
        words.push(format!("{} left", output::clock(elapsed.mul_f64((1.0 - share) / share))));
    }
    words.join("  ")
}

/// Prints the result.
pub(crate) fn report(as_json: bool, video: &GeneratedVideo, settings: &Value, took: Duration) -> Result<()> {
    let shape = video.shape;
    let seconds = took.as_secs_f64();
    let truncated: Vec<String> = video.truncated.iter().map(ToString::to_string).collect();
    if !truncated.is_empty() {
        output::remark(truncated.join("; "));
    }
    if !as_json {
        let lasts = shape.frames as f64 / shape.fps.as_f64();
        output::result(format_args!(
            "{}  {}x{}, {} frames at {} in a second, {lasts:.1} s, {}, {}",
            video.path.display(),
            shape.width,
            shape.height,
            shape.frames,
            shape.fps,
            video.codec,
            output::size(video.bytes)
        ))?;
        output::remark(format_args!("{seconds:.1} s in all"));
        return Ok(());
    }
    Ok(output::json(&json!({
        "path": video.path.display().to_string(),
        "width": shape.width,
        "height": shape.height,
        "frames": shape.frames,
        "fps": shape.fps.to_string(),
        "codec": video.codec,
        "bytes": video.bytes,
        "prompt_truncated": !truncated.is_empty(),
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "settings": settings,
    }))?)
}

/// Every parameter of a video of scenes; also used to tell two videos apart.
pub(crate) fn described(spec: &ScenesSpec, model: &ModelInfo) -> Value {
    let scenes: Vec<Value> = spec
        .scenes()
        .iter()
        .map(|scene| {
            json!({
                "prompt": scene.prompt(),
                "negative_prompt": scene.negative_prompt(),
                "seed": scene.seed(),
                "frames": scene.frames(),
                "motion": scene.motion().map(described_motion),
            })
        })
        .collect();
    let joins: Vec<Value> = spec.joins().iter().map(|join| json!({ "join": join.name(), "frames": join.frames() })).collect();
    json!({
        "scenes": scenes,
        "joins": joins,
        "width": spec.width(),
        "height": spec.height(),
        "fps": spec.fps().to_string(),
        "num_inference_steps": spec.num_inference_steps(),
        "guidance_scale": spec.guidance_scale(),
        "vae": spec.vae().name(),
        "loras": spec.loras().unwrap_or(&model.defaults.loras).iter().map(adapters::described).collect::<Vec<_>>(),
        "scheduler": spec.scheduler().or(model.scheduler).map(|name| name.to_string()),
        "seed": spec.seed(),
        "model": model.name,
        "motion_model": spec.moves().then(|| model.motion.clone()),
        "device": model.device,
        "precision": model.precision,
    })
}

/// Every motion parameter.
pub(crate) fn described_motion(motion: &MotionSpec) -> Value {
    json!({
        "num_frames": motion.num_frames(),
        "num_inference_steps": motion.num_inference_steps(),
        "conditioning_fps": motion.conditioning_fps(),
        "motion_bucket_id": motion.motion_bucket_id(),
        "noise_aug_strength": motion.noise_aug_strength(),
        "min_guidance_scale": motion.min_guidance_scale(),
        "max_guidance_scale": motion.max_guidance_scale(),
        "decode_chunk_size": motion.decode_chunk_size(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        scenes: ScenesArgs,
    }

    #[test]
    fn a_seed_of_minus_one_overrides_the_files_seed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"scenes": [{"prompt": "a boat"}], "seed": 7}"#).unwrap();
        let seed = |more: &[&str]| {
            let path = file.path().to_str().unwrap();
            let flags = <Flags as clap::Parser>::parse_from([&["video", "--scenes", path], more].concat());
            scenes(&flags.scenes, Some(9)).unwrap().seed.unwrap()
        };
        assert_eq!([seed(&[]), seed(&["--seed", "8"]), seed(&["--seed", "-1"])], [7, 8, 9]);
    }

    #[test]
    fn progress_says_scene_step_frame_and_time_left() {
        let progress = JobProgress { started: true, part: 1, parts: 3, step: 12, steps: 25, frame: 84, frames: 240, share: 0.5 };
        assert_eq!(progress_text(&progress, Duration::from_secs(7)), "scene 2 of 3  step 12/25  frame 84/240  0:07 left");
        let one = JobProgress { parts: 1, part: 0, frame: 8, frames: 8, share: 1.0, steps: 0, ..progress };
        assert_eq!(progress_text(&one, Duration::from_secs(7)), "frame 8/8");
    }
}
