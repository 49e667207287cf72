//! `framewright upscale`: enlarges a picture, a folder of them or a video with an upscaler.
//!
//! The invariant: every error that can be found without the upscaler's weights is reported before they are read, and a file exists only when
//! it is complete.

mod input;
mod target;

use std::{ops::ControlFlow, path::Path, time::Instant};

use anyhow::Result;
use diffusion_core::{
    Error,
    adapters::{self, UpscalerFolder},
    pipelines::upscale::{UpscaleProgress, Upscaler, upscale_bytes, upscaler_bytes},
    policy::ExecutionPolicy,
    weights::{UpscalerConfig, UpscalerFile},
};
use generation::{FieldError, artifact, upscale};
use image::DynamicImage;
use indicatif::ProgressBar;
use provenance::{Origin, Statement};
use serde_json::{Value, json};

use self::{input::Input, target::Target};
use crate::{
    args::UpscaleArgs,
    engine,
    failure::Usage,
    output,
    settings::{Settings, UpscalersSettings},
    signing,
};

/// The flag of the factor, in errors.
const SCALE: &str = "--scale";

/// Enlarges the pictures and writes them.
///
/// # Errors
/// [`Usage`] for input outside its limits; otherwise if the upscaler cannot be loaded or run, or a file cannot be read or written.
pub(crate) fn run(args: &UpscaleArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    let (name, folder) = chosen(&args.upscaler, &settings.upscalers)?;
    let path = folder.find(&name).map_err(|error| Usage(format!("--upscaler: {}", reason(error))))?;
    let input = Input::open(&args.input)?;
    let target = Target::of(args, &input)?;
    let first_size = input.first_size()?;

    let policy = ExecutionPolicy::resolve(settings.compute.device, settings.compute.precision)?;
    let file = UpscalerFile::open(&path).map_err(|error| Usage(format!("--upscaler {}: {}", args.upscaler, adapters::reason(&error))))?;
    let plan =
        Plan { config: file.config().clone(), policy: &policy, scale: args.scale, limit: engine::memory_limit(&settings.compute, &policy) };
    plan.size(first_size)?;
    let described = described(&name, &plan);
    let kept = described.to_string();
    let seal = signing::seal(
        settings,
        Statement {
            origin: Origin::Edited,
            models: vec![name.clone()],
            seed: None,
            settings_sha256: artifact::sha256(kept.as_bytes()),
            guides: Vec::new(),
        },
    )?;
    let about = format!("{name} ({}, x{}) on {}", plan.config.family(), plan.config.scale(), policy.reason);
    let upscaler = Upscaler::load(&file, &policy)?;
    drop(file);
    output::remark(about);

    target.remark(settings, &input);
    let (mut writer, mut files) = (target.writer(seal), Vec::new());
    input.each(|place, picture| {
        let from = (picture.width(), picture.height());
        let to = plan.size(from)?;
        let enlarged = enlarged(&upscaler, &picture, to, &place.shown())?;
        let parameters = upscale::parameters(&name, from, to);
        if let Some(path) = writer.write(place, &enlarged, &parameters)? {
            if !args.json {
                output::result(format_args!("{}  {}x{}", path.display(), to.0, to.1))?;
            }
            files.push(json!({ "path": path.display().to_string(), "width": to.0, "height": to.1, "parameters": parameters }));
        }
        Ok(())
    })?;
    if let Some(video) = writer.finish()? {
        if !args.json {
            output::result(format_args!("{}  {}x{}, {} frames", video.path.display(), video.width, video.height, video.frames))?;
        }
        files.push(
            json!({ "path": video.path.display().to_string(), "width": video.width, "height": video.height, "frames": video.frames }),
        );
    }
    report(args.json, &files, &described, began.elapsed().as_secs_f64())
}

fn report(as_json: bool, files: &[Value], described: &Value, seconds: f64) -> Result<()> {
    if !as_json {
        output::remark(format_args!("{seconds:.1} s in all"));
        return Ok(());
    }
    Ok(output::json(&json!({
        "files": files,
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "settings": described,
    }))?)
}

/// How the pictures are enlarged.
fn described(name: &str, plan: &Plan<'_>) -> Value {
    json!({
        "upscaler": name,
        "family": plan.config.family(),
        "own_scale": plan.config.scale(),
        "scale": plan.scale,
        "device": plan.policy.device_name(),
        "device_reason": plan.policy.reason,
    })
}

/// The name of the upscaler of a flag, and where to find it: a file, or a name in the folder of the settings.
fn chosen(text: &str, settings: &UpscalersSettings) -> Result<(String, UpscalerFolder), Usage> {
    let folder = settings.folder.as_ref().map(UpscalerFolder::open).transpose();
    let folder = folder.map_err(|error| Usage(format!("setting upscalers.folder: {error}")))?;
    let path = Path::new(text);
    if path.exists() {
        let name = path.file_stem().map_or_else(|| text.to_owned(), |stem| stem.to_string_lossy().into_owned());
        return Ok((name.clone(), folder.unwrap_or_default().with(name, path)));
    }
    if text.contains(['/', '\\']) {
        return Err(Usage(format!("--upscaler {text}: does not exist")));
    }
    let missing = "does not exist as a file, and the setting upscalers.folder names no folder to find it in";
    folder.map(|folder| (text.to_owned(), folder)).ok_or_else(|| Usage(format!("--upscaler {text}: {missing}")))
}

/// An error without the name of the field, which the message has under the user's own name for it.
fn reason(error: Error) -> String {
    if let Error::Params { reason, .. } = error { reason } else { error.to_string() }
}

/// The size of each result, within the limits.
struct Plan<'a> {
    config: UpscalerConfig,
    policy: &'a ExecutionPolicy,
    scale: Option<f64>,
    /// Bytes that the process may use.
    limit: Option<u64>,
}

impl Plan<'_> {
    fn size(&self, from: (u32, u32)) -> Result<(u32, u32), Usage> {
        let to = upscale::upscaled_size(&self.config, from, self.scale).map_err(|error| refused(&error))?;
        let needed = upscaler_bytes(&self.config, self.policy).saturating_add(upscale_bytes(&self.config, self.policy, from, to));
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        match self.limit {
            Some(limit) if needed > limit => Err(Usage(format!(
                "{SCALE}: {}x{} would need {:.1} GiB of memory, but {:.1} GiB are available; reduce it, or the picture",
                to.0,
                to.1,
                gib(needed),
                gib(limit)
            ))),
            Some(_) | None => Ok(to),
        }
    }
}

fn refused(error: &FieldError) -> Usage {
    let message = error.message.strip_prefix("Value error, ").unwrap_or(&error.message);
    Usage(format!("{SCALE} {}: {message}", error.value))
}

/// Enlarges a picture, with a progress bar on a terminal; one with transparency keeps it.
fn enlarged(upscaler: &Upscaler, picture: &DynamicImage, to: (u32, u32), shown: &str) -> Result<DynamicImage> {
    let bar: ProgressBar = output::step_bar(shown.to_owned());
    let outcome = upscaler.upscale(&picture.to_rgba8(), to, &mut |UpscaleProgress { done, total, .. }| {
        if bar.length() != Some(total as u64) {
            bar.set_length(total as u64);
        }
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let enlarged = DynamicImage::from(outcome?);
    Ok(if picture.color().has_alpha() { enlarged } else { enlarged.to_rgb8().into() })
}
