//! `framewright image`: one request on the same walk as the server's, and its pictures in files.
//!
//! The invariant: what can be refused is refused before a model is loaded, and a file exists only once it is whole.

use std::{
    collections::hash_map::RandomState,
    convert::Infallible,
    hash::{BuildHasher as _, Hasher as _},
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use diffusion_core::{
    regular_file,
    schedulers::{SchedulerKind, SchedulerName},
};
use generation::{Engine, FieldError, GeneratedImage, ImageRequest, ImageSpec, JobProgress, Limits, ModelInfo, artifact, given_picture};
use image::{DynamicImage, ImageFormat, ImageReader};
use indicatif::ProgressBar;
use serde_json::json;

use crate::{args::ImageArgs, engine, failure::Usage, output, settings::Settings};

/// Makes the pictures and writes them.
///
/// # Errors
/// [`Usage`] for input outside its limits; otherwise if the model cannot be loaded or run, or a file cannot be read or written.
pub(crate) fn run(args: &ImageArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    let request = request(args)?;
    // The limits do not depend on the model, but for the size it stands in with; so faults show before a model of gigabytes is read.
    validate(request.clone(), &stand_in())?;
    check_out(&args.out)?;
    video_encode::sweep_staged(folder_of(&args.out));

    let engine = engine::start(settings, args.prediction_type.as_deref(), false)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (model, spec, images) = runtime.block_on(async {
        let model = engine.loaded().await.map_err(|reason| anyhow!(reason))?;
        output::remark(format_args!("{} on {}", model.name, model.device_reason));
        let spec = validate(request, &model)?;
        // Ctrl-C lets go of the job: nothing is written.
        tokio::select! {
            images = generate(&engine, spec.clone()) => Ok::<_, anyhow::Error>((model, spec, images?)),
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted; nothing was written")),
        }
    })?;

    let paths = paths(&args.out, images.len());
    for (path, image) in paths.iter().zip(&images) {
        artifact::write(path, &image.png)?;
    }
    report(args.json, &paths, &images, &spec, &model, began.elapsed())
}

fn request(args: &ImageArgs) -> Result<ImageRequest> {
    if let Some(name) = &args.scheduler {
        name.parse::<SchedulerName>().map_err(|error| Usage(format!("--scheduler {name}: {error}")))?;
    }
    let init_image = args.init_image.as_deref().map(read_image).transpose()?.map(|image| image.to_rgb8());
    let mask_image = args.mask.as_deref().map(read_image).transpose()?.map(|image| image.to_luma8());
    Ok(ImageRequest {
        prompt: Some(args.prompt.clone()),
        negative_prompt: Some(args.negative.clone()),
        num_inference_steps: args.steps.map(i128::from),
        guidance_scale: args.guidance,
        width: args.width.map(i128::from),
        height: args.height.map(i128::from),
        output_size: None,
        count: args.count.map(i128::from),
        seed: Some(args.seed.map_or_else(|| i128::from(random_seed()), i128::from)),
        scheduler: args.scheduler.clone(),
        clip_skip: args.clip_skip.map(i128::from),
        strength: args.strength,
        init_image,
        mask_image,
    })
}

/// A seed for those who name none: 32 bits, which every tool that reads it back can hold.
pub(crate) fn random_seed() -> u32 {
    // The standard library seeds its hash maps from the system's random numbers; that is random enough to draw lots.
    RandomState::new().build_hasher().finish() as u32
}

/// Reads a picture, upright as its camera meant it.
pub(crate) fn read_image(path: &Path) -> Result<DynamicImage> {
    let read = || -> Result<DynamicImage> {
        let mut reader = ImageReader::new(BufReader::new(regular_file::open(path)?));
        // Said by the bytes where they can be told, else by the ending.
        if let Ok(format) = ImageFormat::from_path(path) {
            reader.set_format(format);
        }
        Ok(given_picture::read(reader)?)
    };
    read().with_context(|| path.display().to_string())
}

fn validate(request: ImageRequest, model: &ModelInfo) -> Result<ImageSpec> {
    request.validate(&Limits::DEFAULT, model).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(with_flag).collect();
        Usage(lines.join("; ")).into()
    })
}

/// A field's fault under the name of the flag that set it.
fn with_flag(error: &FieldError) -> String {
    let flag = match error.field {
        "prompt" => "PROMPT",
        "negative_prompt" => "--negative",
        "num_inference_steps" => "--steps",
        "guidance_scale" => "--guidance",
        "width" => "--width",
        "height" => "--height",
        "count" => "--count",
        "seed" => "--seed",
        "scheduler" => "--scheduler",
        "clip_skip" => "--clip-skip",
        "strength" => "--strength",
        "init_image" => "--init-image",
        "mask_image" => "--mask",
        other => other,
    };
    let given = if error.value.is_empty() { String::new() } else { format!(" {}", error.value) };
    format!("{flag}{given}: {}", error.message)
}

/// What stands in for a model that is not loaded yet.
fn stand_in() -> ModelInfo {
    ModelInfo {
        name: String::new(),
        motion: String::new(),
        device: String::new(),
        precision: String::new(),
        device_reason: String::new(),
        default_width: 512,
        default_height: 512,
        scheduler: SchedulerKind::Ddim.into(),
        memory: generation::MemoryPlan::default(),
    }
}

/// The folder that a file lies in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn check_out(out: &Path) -> Result<()> {
    let is_png = out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if !is_png || out.file_stem().is_none() {
        return Err(Usage(format!("--out {}: pictures are written as .png", out.display())).into());
    }
    if out.is_dir() {
        return Err(Usage(format!("--out {}: is a folder", out.display())).into());
    }
    Ok(())
}

/// Runs the job to its end, with a bar on a terminal.
async fn generate(engine: &Engine, spec: ImageSpec) -> Result<Vec<GeneratedImage>> {
    let job = engine.submit(spec)?;
    let progress = job.progress();
    // The drawing ends with the job, be it done or let go, and takes its bar off the terminal before anything else is printed.
    tokio::select! {
        images = job.finished() => Ok(images?),
        never = draw(progress) => match never {},
    }
}

/// Draws the job's progress for as long as it is asked to.
async fn draw(mut progress: tokio::sync::watch::Receiver<JobProgress>) -> Infallible {
    let mut drawn: Option<(u32, ProgressBar)> = None;
    while progress.changed().await.is_ok() {
        let JobProgress { part: image, parts: images, step, steps, .. } = *progress.borrow_and_update();
        if image == images {
            // All are made, and none is left to draw.
            break;
        }
        if drawn.as_ref().is_none_or(|(number, _)| *number != image) {
            // Each picture has its own speed and time left, so a bar of its own.
            drop(drawn.take());
            let bar = output::step_bar();
            if images > 1 {
                bar.set_prefix(format!("picture {} of {images} ", image + 1));
            }
            drawn = Some((image, bar));
        }
        if let Some((_, bar)) = &drawn {
            // Whatever is set is taken for a moment of the steps' speed, so nothing is set to what it is.
            if steps > 0 && bar.length() != Some(steps as u64) {
                bar.set_length(steps as u64);
            }
            if step > 0 {
                bar.set_position(step as u64);
            }
        }
    }
    std::future::pending().await
}

/// FILE.png for one picture; FILE-0.png, FILE-1.png, .. for several.
fn paths(out: &Path, count: usize) -> Vec<PathBuf> {
    if count == 1 {
        return vec![out.to_owned()];
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().unwrap_or_default().to_string_lossy();
    (0..count).map(|index| out.with_file_name(format!("{stem}-{index}.{extension}"))).collect()
}

fn report(
    as_json: bool,
    paths: &[PathBuf],
    images: &[GeneratedImage],
    spec: &ImageSpec,
    model: &Arc<ModelInfo>,
    took: Duration,
) -> Result<()> {
    let seconds = took.as_secs_f64();
    // All pictures are made of the same texts.
    let truncated: Vec<_> = images.first().map(|image| image.truncated.iter().map(ToString::to_string).collect()).unwrap_or_default();
    if !truncated.is_empty() {
        output::remark(truncated.join("; "));
    }
    if !as_json {
        for (path, image) in paths.iter().zip(images) {
            output::result(format_args!("{}  {}x{}, seed {}", path.display(), spec.width(), spec.height(), image.seed))?;
        }
        output::remark(format_args!("{seconds:.1} s in all"));
        return Ok(());
    }
    let files: Vec<_> = paths
        .iter()
        .zip(images)
        .map(|(path, image)| json!({ "path": path.display().to_string(), "seed": image.seed, "parameters": image.parameters }))
        .collect();
    Ok(output::json(&json!({
        "files": files,
        "prompt_truncated": !truncated.is_empty(),
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "settings": {
            "prompt": spec.prompt(),
            "negative_prompt": spec.negative_prompt(),
            "num_inference_steps": spec.num_inference_steps(),
            "guidance_scale": spec.guidance_scale(),
            "width": spec.width(),
            "height": spec.height(),
            "scheduler": spec.scheduler().unwrap_or(model.scheduler).to_string(),
            "clip_skip": spec.clip_skip(),
            "strength": spec.mode().strength(),
            "model": model.name,
            "device": model.device,
            "device_reason": model.device_reason,
        },
    }))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_picture_has_the_name_given_and_several_are_counted() {
        assert_eq!(paths(Path::new("out/a.png"), 1), [PathBuf::from("out/a.png")]);
        assert_eq!(paths(Path::new("out/a.b.PNG"), 2), [PathBuf::from("out/a.b-0.PNG"), PathBuf::from("out/a.b-1.PNG")]);
    }
}
