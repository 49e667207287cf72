//! `framewright image`: one request through the same path as the server's, and its pictures in files.
//!
//! The invariant: every error that can be found without a model is reported before one is loaded, and a file exists only when it is
//! complete.

use std::{
    collections::hash_map::RandomState,
    convert::Infallible,
    hash::{BuildHasher as _, Hasher as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use diffusion_core::{schedulers::SchedulerKind, weights::VaeChoice};
use generation::{
    GeneratedImage, ImageFormat, ImageRequest, ImageSpec, JobOutput, JobProgress, Limits, LocalBackend, ModelDefaults, ModelInfo,
    SdxlRequest, Work, artifact,
    given_image::{self, GivenImageError},
};
use indicatif::ProgressBar;
use serde_json::json;

use crate::{
    adapters::{self, Folders},
    args::ImageArgs,
    controls,
    engine::{self, Chosen, Purpose, about},
    failure::{Usage, one_line},
    flags, output, output_check,
    settings::Settings,
};

/// The name that stands for the `prompt` field in this command's errors.
const PROMPT: &str = "PROMPT";

/// Generates the pictures and writes them.
///
/// # Errors
/// [`Usage`] for input outside its limits; otherwise if the model cannot be loaded or run, or a file cannot be read or written.
pub(crate) fn run(args: &ImageArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    let request = request(args)?;
    let mask_remark = mask_remark(&request);
    // The limits depend on the model only through its default size, so most errors show before gigabytes are read.
    let folders = Folders::open(settings)?.with_controlnets(|folder| controls::folder(&args.controls, folder))?;
    let loras = validate(request.clone(), &stand_in(settings.default_model().defaults, &folders))?.loras().to_vec();
    check_out(&args.out, args.count)?;
    video_encode::sweep_staged(folder_of(&args.out));

    let purpose = if request.init_image.is_some() { Purpose::Images } else { Purpose::Prompts };
    let chosen = Chosen { loras: Some(loras), refiner: args.refiner.as_deref() };
    let engine = engine::start_adapted(settings, args.prediction_type.as_deref(), purpose, chosen, folders)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (model, spec, images, remarks) = runtime.block_on(async {
        let model = engine::loaded(&engine).await?;
        output::remark(about(&model));
        if let Some(refiner) = &args.refiner {
            let opened = engine.opened_model(Some(refiner)).await;
            opened.map_err(|refusal| Usage(format!("--refiner {refiner}: {refusal}")))?;
        }
        let spec = validate(request, &model)?;
        let remarks: Vec<String> = mask_remark.into_iter().chain(spec.remarks_on(&model)).collect();
        remarks.iter().for_each(output::remark);
        // Ctrl-C drops the job: nothing is written.
        tokio::select! {
            images = generate(&engine, spec.clone()) => Ok::<_, anyhow::Error>((model, spec, images?, remarks)),
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted; nothing was written")),
        }
    })?;

    let paths = paths(&args.out, images.len());
    for (path, image) in paths.iter().zip(&images) {
        artifact::write(path, &image.png)?;
    }
    report(args.json, &paths, &images, (&spec, &remarks), &model, began.elapsed())
}

fn request(args: &ImageArgs) -> Result<ImageRequest> {
    if let Some(name) = &args.scheduler {
        flags::scheduler(name)?;
    }
    let init_image = args.init_image.as_deref().map(|path| read_image(path, given_image::rgb)).transpose()?;
    let mask_image = args.mask.as_deref().map(|path| read_image(path, given_image::mask)).transpose()?;
    Ok(ImageRequest {
        wordless: false,
        file_format: ImageFormat::Png,
        model: None,
        prompt: Some(args.prompt.clone()),
        negative_prompt: Some(args.negative.clone()),
        prompt_syntax: args.prompt_syntax.clone(),
        // --vae sets the model's default.
        vae: None,
        sdxl: sdxl(args),
        num_inference_steps: args.steps.map(i128::from),
        guidance_scale: args.guidance,
        width: args.width.map(i128::from),
        height: args.height.map(i128::from),
        output_size: None,
        count: args.count.map(i128::from),
        seed: Some(flags::seed(args.seed).unwrap_or_else(|| random_seed().into())),
        scheduler: args.scheduler.clone(),
        eta: args.eta,
        clip_skip: args.clip_skip.map(i128::from),
        loras: adapters::of_flags(&args.adapters.lora)?,
        controlnets: controls::of_flags(&args.controls)?,
        guess_mode: args.controls.guess_mode.then_some(true),
        refiner: args.refiner.clone(),
        refiner_switch: args.refiner_switch,
        strength: args.strength,
        init_image,
        resize_mode: None,
        mask_image,
        mask: None,
        hires: None,
    })
}

/// The fields that only a Stable Diffusion XL model can follow.
fn sdxl(args: &ImageArgs) -> SdxlRequest {
    SdxlRequest {
        prompt_2: args.prompt_2.clone(),
        negative_prompt_2: args.negative_2.clone(),
        original_size: args.original_size.clone(),
        crops_coords_top_left: args.crops_coords_top_left.clone(),
        target_size: args.target_size.clone(),
        negative_original_size: args.negative_original_size.clone(),
        negative_crops_coords_top_left: args.negative_crops_coords_top_left.clone(),
        negative_target_size: args.negative_target_size.clone(),
        aesthetic_score: args.aesthetic_score,
        negative_aesthetic_score: args.negative_aesthetic_score,
    }
}

/// A default seed: 32 bits, which every tool that reads it back can hold.
pub(crate) fn random_seed() -> u32 {
    // The standard library seeds its hash maps from the system's random numbers; that is random enough here.
    RandomState::new().build_hasher().finish() as u32
}

/// Reads a picture and decodes it with `decoded`: in colour, or as a mask.
///
/// # Errors
/// [`Usage`] with the file's name if it does not exist or is not a picture.
pub(crate) fn read_image<P>(path: &Path, decoded: fn(Vec<u8>) -> Result<P, GivenImageError>) -> Result<P> {
    let read = given_image::file(path).and_then(decoded);
    read.map_err(|error| Usage(format!("{}: {}", path.display(), one_line(&error.into()))).into())
}

fn validate(request: ImageRequest, model: &ModelInfo) -> Result<ImageSpec> {
    request.validate(&Limits::DEFAULT, model).map_err(|errors| flags::refused(&errors, PROMPT).into())
}

/// A remark on a mask whose size differs from its picture's.
fn mask_remark(request: &ImageRequest) -> Option<String> {
    let (image, mask) = (request.init_image.as_ref()?.dimensions(), request.mask_image.as_ref()?.dimensions());
    let size = |(width, height)| format!("{width}x{height}");
    (image != mask).then(|| format!("--mask is {}, and --init-image {}: the mask is stretched over the picture", size(mask), size(image)))
}

/// Stands in for a model that is not loaded yet.
pub(crate) fn stand_in(defaults: ModelDefaults, folders: &Folders) -> ModelInfo {
    ModelInfo {
        name: String::new(),
        family: None,
        family_name: None,
        motion: String::new(),
        device: String::new(),
        precision: String::new(),
        device_reason: String::new(),
        default_width: 512,
        default_height: 512,
        scheduler: Some(SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        vaes: VaeChoice::ALL.to_vec(),
        other_vae: None,
        other_text_encoders: Vec::new(),
        defaults,
        adapters: folders.adapters.clone(),
        controlnets: folders.controlnets.clone(),
        upscalers: None,
        remarks: Vec::new(),
        identity: None,
    }
}

/// The folder of a file.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn check_out(out: &Path, count: Option<i64>) -> Result<()> {
    let is_png = out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if !is_png || out.file_stem().is_none() {
        return Err(Usage(format!("--out {}: pictures are written as .png", out.display())).into());
    }
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
    Ok(paths(out, count).iter().try_for_each(|path| output_check::check_file("--out", path))?)
}

/// Runs the job, with a progress bar on a terminal.
async fn generate(local: &LocalBackend, spec: ImageSpec) -> Result<Vec<GeneratedImage>> {
    let job = engine::hold(local, Work::Image(spec), None).await.map_err(|error| flags::not_taken(error, PROMPT))?;
    let progress = job.progress();
    // Drawing stops with the job, finished or dropped, and clears its bar before anything else is printed.
    tokio::select! {
        output = job.finished() => match Arc::unwrap_or_clone(output.map_err(|error| flags::not_made(&error, PROMPT))?).output {
            JobOutput::Images(images) => Ok(images),
            JobOutput::Video(_) => bail!("a video was made"),
        },
        never = draw(progress) => match never {},
    }
}

/// Draws the job's progress until it is dropped.
async fn draw(mut progress: tokio::sync::watch::Receiver<JobProgress>) -> Infallible {
    let mut drawn: Option<(u32, ProgressBar)> = None;
    while progress.changed().await.is_ok() {
        let JobProgress { part: image, parts: images, step, steps, .. } = *progress.borrow_and_update();
        if image == images {
            // All pictures are generated; there is nothing left to draw.
            break;
        }
        if drawn.as_ref().is_none_or(|(number, _)| *number != image) {
            // Each picture has its own speed and remaining time, so it gets its own bar.
            drop(drawn.take());
            let name = if images > 1 { format!("picture {} of {images} ", image + 1) } else { String::new() };
            drawn = Some((image, output::step_bar(name)));
        }
        if let Some((_, bar)) = &drawn {
            // The bar takes every update as a sample of the speed, so unchanged values are not set again.
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
    (spec, remarks): (&ImageSpec, &[String]),
    model: &Arc<ModelInfo>,
    took: Duration,
) -> Result<()> {
    let seconds = took.as_secs_f64();
    // All pictures share the same texts.
    let truncated: Vec<_> = images.first().map(|image| image.truncated.iter().map(ToString::to_string).collect()).unwrap_or_default();
    if !truncated.is_empty() {
        output::remark(truncated.join("; "));
    }
    let of_adapters: &[String] = images.first().map(|image| image.remarks.as_slice()).unwrap_or_default();
    of_adapters.iter().for_each(output::remark);
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
        "remarks": model.remarks.iter().chain(remarks).chain(of_adapters).collect::<Vec<_>>(),
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "settings": {
            "prompt": spec.prompt(),
            "negative_prompt": spec.negative_prompt(),
            "prompt_syntax": spec.prompt_syntax().name(),
            "vae": spec.vae().name(),
            "sdxl": Some(spec.sdxl()).filter(|sdxl| !sdxl.is_empty()),
            "num_inference_steps": spec.num_inference_steps(),
            "guidance_scale": spec.guidance_scale(),
            "width": spec.width(),
            "height": spec.height(),
            "scheduler": spec.scheduler().or(model.scheduler).map(|name| name.to_string()),
            "eta": spec.eta(),
            "clip_skip": spec.clip_skip(),
            "strength": spec.mode().strength(),
            "loras": spec.loras().iter().map(adapters::described).collect::<Vec<_>>(),
            "controlnets": controls::described(spec),
            "refiner": spec.refiner().map(|refiner| json!({ "model": refiner.model(), "switch": refiner.switch() })),
            "guess_mode": spec.controls().guess_mode(),
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
    fn one_image_has_the_name_given_and_several_are_counted() {
        assert_eq!(paths(Path::new("out/a.png"), 1), [PathBuf::from("out/a.png")]);
        assert_eq!(paths(Path::new("out/a.b.PNG"), 2), [PathBuf::from("out/a.b-0.PNG"), PathBuf::from("out/a.b-1.PNG")]);
    }
}
