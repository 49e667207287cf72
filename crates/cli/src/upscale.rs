//! `framewright upscale`: enlarges pictures with an upscaler, one or a folder of them, into files or a video.
//!
//! The invariant: every error that can be found without the upscaler's weights is reported before they are read, and a file exists only when
//! it is complete.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Result, bail};
use diffusion_core::{
    Error,
    adapters::UpscalerFolder,
    pipelines::upscale::{UpscaleProgress, Upscaler, upscale_bytes, upscaler_bytes},
    policy::ExecutionPolicy,
    weights::{UpscalerConfig, UpscalerFile},
};
use generation::{
    FieldError, ImageFormat, artifact,
    backend::seal::{self, Seal},
    given_image, upscale,
};
use image::DynamicImage;
use indicatif::ProgressBar;
use provenance::{Origin, Statement};
use serde_json::{Value, json};
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

use crate::{
    args::UpscaleArgs,
    engine,
    failure::Usage,
    image::{folder_of, read_image},
    output, output_check,
    settings::{Settings, UpscalersSettings},
    signing,
};

/// The quality of a JPEG.
const QUALITY: u8 = 95;
/// Frames per second of a video.
const FPS: FrameRate = FrameRate::whole(24);
/// The endings of the files of a folder that are pictures.
const PICTURES: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
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
    let pictures = Pictures::of(args)?;
    let target = Target::of(args, &pictures)?;
    let first = pictures.read(0)?;

    let policy = ExecutionPolicy::resolve(settings.compute.device, settings.compute.precision)?;
    let file = UpscalerFile::open(&path).map_err(|error| Usage(format!("--upscaler {}: {}", args.upscaler, without_path(&error))))?;
    let plan =
        Plan { config: file.config().clone(), policy: &policy, scale: args.scale, limit: engine::memory_limit(&settings.compute, &policy) };
    plan.size(&first)?;
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

    let (mut writer, mut files) = (target.writer(seal), Vec::new());
    for index in 0..pictures.paths.len() {
        let picture = if index == 0 { first.clone() } else { pictures.read(index)? };
        let to = plan.size(&picture)?;
        let enlarged = enlarged(&upscaler, &picture, to, &pictures.shown(index))?;
        let parameters = upscale::parameters(&name, (picture.width(), picture.height()), to);
        let written = writer.write(&pictures, index, &enlarged, &parameters)?;
        if let Some(path) = written {
            if !args.json {
                output::result(format_args!("{}  {}x{}", path.display(), to.0, to.1))?;
            }
            files.push(json!({ "path": path.display().to_string(), "width": to.0, "height": to.1, "parameters": parameters }));
        }
    }
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

/// An error about the upscaler's file, which the flag names.
fn without_path(error: &Error) -> String {
    diffusion_core::adapters::reason(error)
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
    fn size(&self, picture: &DynamicImage) -> Result<(u32, u32), Usage> {
        let from = (picture.width(), picture.height());
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

/// The given pictures.
struct Pictures {
    paths: Vec<PathBuf>,
    are_a_folder: bool,
}

impl Pictures {
    fn of(args: &UpscaleArgs) -> Result<Self, Usage> {
        let input = &args.input;
        let refused = |reason: &dyn std::fmt::Display| Usage(format!("IN {}: {reason}", input.display()));
        let found = fs::metadata(input).map_err(|error| refused(&error))?;
        if !found.is_dir() {
            return Ok(Self { paths: vec![input.clone()], are_a_folder: false });
        }
        let entries = fs::read_dir(input).map_err(|error| refused(&error))?;
        let is_picture = |path: &PathBuf| path.is_file() && ending(path).is_some_and(|ending| PICTURES.contains(&ending.as_str()));
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect();
        paths.sort();
        if paths.is_empty() {
            Err(refused(&"holds no picture (.png, .jpg, .jpeg or .webp)"))
        } else {
            Ok(Self { paths, are_a_folder: true })
        }
    }

    fn path(&self, index: usize) -> Result<&Path> {
        self.paths.get(index).map(PathBuf::as_path).ok_or_else(|| anyhow::anyhow!("there is no picture {index}"))
    }

    fn read(&self, index: usize) -> Result<DynamicImage> {
        let path = self.path(index)?;
        let video = ["mp4", "m4v", "mov", "mkv", "webm", "avi", "gif"];
        if ending(path).is_some_and(|ending| video.contains(&ending.as_str())) {
            let advice =
                "is a video, and videos are not read: write its frames to a folder first (ffmpeg -i IN FOLDER/%06d.png), and give that";
            return Err(Usage(format!("IN {}: {advice}", path.display())).into());
        }
        read_image(path, given_image::read)
    }

    /// The start of a progress bar.
    fn shown(&self, index: usize) -> String {
        if self.are_a_folder { format!("picture {} of {} ", index + 1, self.paths.len()) } else { String::new() }
    }
}

fn ending(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

/// Where the results go.
enum Target {
    File(PathBuf, ImageFormat),
    Folder(PathBuf),
    Video(PathBuf, Container, FrameRate),
}

impl Target {
    fn of(args: &UpscaleArgs, pictures: &Pictures) -> Result<Self, Usage> {
        let path = args.output.clone();
        let refused = |reason: &str| Usage(format!("OUT {}: {reason}", path.display()));
        if let Some(quality) = args.quality.filter(|quality| !(1..=100).contains(quality)) {
            return Err(Usage(format!("--quality {quality}: a number from 1 to 100")));
        }
        let fps = args.fps.as_ref().map(|fps| fps.parse::<FrameRate>().map_err(|error| Usage(format!("--fps {fps}: {error}"))));
        let fps = fps.transpose()?;
        let target = if pictures.are_a_folder {
            match Container::from_path(&path) {
                Ok(Container::PngFolder) => Self::Folder(path.clone()),
                Ok(container) => Self::Video(path.clone(), container, fps.unwrap_or(FPS)),
                Err(error) => return Err(refused(&format!("is no folder, and no video ({error})"))),
            }
        } else {
            let quality = args.quality.unwrap_or(QUALITY);
            match ending(&path).as_deref() {
                Some("png") => Self::File(path.clone(), ImageFormat::Png),
                Some("jpg" | "jpeg") => Self::File(path.clone(), ImageFormat::Jpeg { quality }),
                Some("webp") => Self::File(path.clone(), ImageFormat::WebP),
                Some(_) | None => return Err(refused("a picture is written as .png, .jpg, .jpeg or .webp")),
            }
        };
        let is_jpeg = matches!(&target, Self::File(_, ImageFormat::Jpeg { .. }));
        if args.quality.is_some() && !is_jpeg {
            return Err(Usage("--quality: is for a .jpg only; the other formats are lossless".into()));
        }
        if fps.is_some() && !matches!(target, Self::Video(..)) {
            return Err(Usage("--fps: is for a video only".into()));
        }
        match &target {
            Self::File(path, _) | Self::Video(path, ..) => output_check::check_file("OUT", path)?,
            Self::Folder(path) => {
                if path == &args.input {
                    return Err(refused("is the folder of the pictures: name another one, so that they are kept"));
                }
                output_check::check_folder("OUT", path)?;
            }
        }
        Ok(target)
    }

    fn writer(self, seal: Option<Seal>) -> Writer {
        video_encode::sweep_staged(match &self {
            Self::File(path, _) | Self::Video(path, ..) => folder_of(path),
            Self::Folder(path) => path,
        });
        Writer { target: self, seal, video: None }
    }
}

struct Writer {
    target: Target,
    /// Signs every file.
    seal: Option<Seal>,
    video: Option<(VideoEncoder, (u32, u32))>,
}

impl Writer {
    /// Writes a picture, or adds it to the video; returns its file if it has one of its own.
    fn write(&mut self, pictures: &Pictures, index: usize, image: &DynamicImage, parameters: &str) -> Result<Option<PathBuf>> {
        let (path, format) = match &self.target {
            Target::File(path, format) => (path.clone(), *format),
            Target::Folder(folder) => {
                let stem = pictures.path(index)?.file_stem().unwrap_or_default();
                (folder.join(stem).with_added_extension("png"), ImageFormat::Png)
            }
            Target::Video(path, container, fps) => {
                let size = (image.width(), image.height());
                if self.video.is_none() {
                    let settings = EncoderSettings::new(size.0, size.1, *fps, *container);
                    let encoder = VideoEncoder::open(path, &settings).map_err(|error| Usage(format!("OUT {}: {error}", path.display())))?;
                    self.video = Some((encoder, size));
                }
                let Some((encoder, of_video)) = &mut self.video else { bail!("the video was not opened") };
                if size != *of_video {
                    let shown = pictures.path(index)?.display().to_string();
                    let (from, first) = (format!("{}x{}", size.0, size.1), format!("{}x{}", of_video.0, of_video.1));
                    return Err(Usage(format!("IN {shown}: would be a frame of {from} in a video of {first}")).into());
                }
                encoder.push(&image.to_rgb8())?;
                return Ok(None);
            }
        };
        if image.color().has_alpha() && !format.has_transparency() {
            output::remark(format_args!("{}: a JPEG has no transparency; the colours beneath it remain", path.display()));
        }
        let file = format.encode_any(image, parameters)?;
        let signed = self.seal.as_ref().map(|seal| seal.image(format, &file, None)).transpose()?;
        artifact::write(&path, signed.as_deref().unwrap_or(&file))?;
        Ok(Some(path))
    }

    fn finish(self) -> Result<Option<video_encode::VideoFile>> {
        let Some((encoder, _)) = self.video else { return Ok(None) };
        let Target::Video(path, container, _) = &self.target else { bail!("a video was opened for files") };
        let format = seal::format_of(*container);
        Ok(Some(encoder.finish_sealed(|staged| self.seal.as_ref().map_or(Ok(None), |seal| seal.file(format, staged, path)))?))
    }
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
