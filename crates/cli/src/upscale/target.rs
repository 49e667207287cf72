//! Where enlarged pictures go: files, a folder, or a video.
//!
//! The invariant: a file appears when it is complete, and is signed if there is a seal.

use std::path::PathBuf;

use anyhow::{Result, bail};
use generation::{
    ImageFormat, artifact,
    backend::seal::{self, Seal},
};
use image::DynamicImage;
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

use super::input::{Input, Place, ending};
use crate::{args::UpscaleArgs, failure::Usage, image::folder_of, output, output_check, settings::Settings, signing};

/// The quality of a JPEG.
const QUALITY: u8 = 95;
/// Frames per second of a video of pictures.
const FPS: FrameRate = FrameRate::whole(24);

/// Where the results go.
pub(super) enum Target {
    File(PathBuf, ImageFormat),
    Folder(PathBuf),
    Video(PathBuf, Container, FrameRate),
}

impl Target {
    /// The files of the argument OUT.
    ///
    /// # Errors
    /// If its ending is that of no file that these pictures become, it cannot be written, or a flag does not belong to it.
    pub(super) fn of(args: &UpscaleArgs, input: &Input) -> Result<Self, Usage> {
        let path = args.output.clone();
        let refused = |reason: &str| Usage(format!("OUT {}: {reason}", path.display()));
        if let Some(quality) = args.quality.filter(|quality| !(1..=100).contains(quality)) {
            return Err(Usage(format!("--quality {quality}: a number from 1 to 100")));
        }
        let fps = args.fps.as_ref().map(|fps| fps.parse::<FrameRate>().map_err(|error| Usage(format!("--fps {fps}: {error}"))));
        let fps = fps.transpose()?;
        let quality = args.quality.unwrap_or(QUALITY);
        let container = Container::from_path(&path);
        let target = match (input, ending(&path).as_deref()) {
            (Input::Picture(_), Some("png")) => Self::File(path.clone(), ImageFormat::Png),
            (Input::Picture(_), Some("jpg" | "jpeg")) => Self::File(path.clone(), ImageFormat::Jpeg { quality }),
            (Input::Picture(_), Some("webp")) => Self::File(path.clone(), ImageFormat::WebP),
            (Input::Picture(_), Some(_) | None) => return Err(refused("a picture is written as .png, .jpg, .jpeg or .webp")),
            (Input::Folder(_), _) => match container {
                Ok(Container::PngFolder) => Self::Folder(path.clone()),
                Ok(container) => Self::Video(path.clone(), container, fps.unwrap_or(FPS)),
                Err(error) => return Err(refused(&format!("is no folder, and no video ({error})"))),
            },
            (Input::Video(_, facts), _) => match container {
                Ok(container) => Self::Video(path.clone(), container, fps.unwrap_or(facts.frame_rate)),
                Err(error) => return Err(refused(&format!("is no folder, and no video ({error})"))),
            },
        };
        let is_jpeg = matches!(&target, Self::File(_, ImageFormat::Jpeg { .. }));
        if args.quality.is_some() && !is_jpeg {
            return Err(Usage("--quality: is for a .jpg only; the other formats are lossless".into()));
        }
        if fps.is_some() && !matches!(target, Self::Video(..)) {
            return Err(Usage("--fps: is for a video only".into()));
        }
        match &target {
            Self::File(path, _) => output_check::check_file("OUT", path)?,
            Self::Video(path, container, _) if *container != Container::PngFolder => {
                output_check::check_file("OUT", path)?;
            }
            Self::Folder(path) | Self::Video(path, ..) => {
                if path == &args.input {
                    return Err(refused("is the folder of the pictures: name another one, so that they are kept"));
                }
                output_check::check_folder("OUT", path)?;
            }
        }
        Ok(target)
    }

    /// Says what is lost on the way.
    pub(super) fn remark(&self, settings: &Settings, input: &Input) {
        if let Self::Video(_, container, _) = self {
            signing::remark_on_frames(settings, *container);
        }
        if let Input::Video(_, facts) = input
            && facts.has_sound
        {
            output::remark(
                "the video's sound is not carried over: add it with ffmpeg (-i OUT -i IN -map 0:v -map 1:a -c copy WITH_SOUND.mp4)",
            );
        }
    }

    /// Writes the files, each signed if there is a seal.
    pub(super) fn writer(self, seal: Option<Seal>) -> Writer {
        video_encode::sweep_staged(match &self {
            Self::Video(path, Container::PngFolder, _) | Self::Folder(path) => path,
            Self::File(path, _) | Self::Video(path, ..) => folder_of(path),
        });
        Writer { target: self, seal, video: None }
    }
}

/// Writes pictures where a target says.
pub(super) struct Writer {
    target: Target,
    seal: Option<Seal>,
    video: Option<(VideoEncoder, (u32, u32))>,
}

impl Writer {
    /// Writes a picture, or adds it to the video; returns its file if it has one of its own.
    pub(super) fn write(&mut self, place: Place<'_>, image: &DynamicImage, parameters: &str) -> Result<Option<PathBuf>> {
        let (path, format) = match &self.target {
            Target::File(path, format) => (path.clone(), *format),
            Target::Folder(folder) => {
                let stem = place.path.file_stem().unwrap_or_default();
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
                    let shown = place.path.display().to_string();
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

    /// Puts the video in place, if the target is one.
    pub(super) fn finish(self) -> Result<Option<video_encode::VideoFile>> {
        let Some((encoder, _)) = self.video else { return Ok(None) };
        let Target::Video(path, container, _) = &self.target else { bail!("a video was opened for files") };
        let format = seal::format_of(*container);
        Ok(Some(encoder.finish_sealed(|staged| self.seal.as_ref().map_or(Ok(None), |seal| seal.file(format, staged, path)))?))
    }
}
