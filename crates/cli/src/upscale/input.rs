//! What is enlarged: a picture, a folder of them, or a video.
//!
//! The invariant: an error names the file; of a video one frame is in memory.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::Result;
use generation::given_image;
use image::DynamicImage;
use video_encode::VideoFacts;

use crate::{failure::Usage, image::read_image};

/// The endings of the files of a folder that are pictures.
const PICTURES: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// The endings of videos that are read, and of those that are not.
const VIDEOS: [&str; 3] = ["mp4", "m4v", "mov"];
const OTHER_VIDEOS: [&str; 4] = ["mkv", "webm", "avi", "gif"];

/// The given pictures, or the frames of a video.
pub(super) enum Input {
    Picture(PathBuf),
    /// A folder's pictures, in the order of their names.
    Folder(Vec<PathBuf>),
    Video(PathBuf, VideoFacts),
}

impl Input {
    /// The pictures of the argument IN.
    ///
    /// # Errors
    /// If there are none, or a video is of another kind or damaged.
    pub(super) fn open(path: &Path) -> Result<Self, Usage> {
        let refused = |reason: &dyn std::fmt::Display| Usage(format!("IN {}: {reason}", path.display()));
        let found = fs::metadata(path).map_err(|error| refused(&error))?;
        let is_one_of = |endings: &[&str]| ending(path).is_some_and(|ending| endings.contains(&ending.as_str()));
        if found.is_dir() {
            return Self::folder(path);
        }
        if is_one_of(&OTHER_VIDEOS) {
            let advice = "is a video of a kind that is not read (MP4 and MOV are): write its frames to a folder first \
                          (ffmpeg -i IN FOLDER/%06d.png), and give that";
            return Err(refused(&advice));
        }
        if is_one_of(&VIDEOS) {
            // FFmpeg would wait for a writer of a FIFO.
            diffusion_core::regular_file::open(path).map_err(|error| refused(&error))?;
            let facts = video_encode::inspect(path).map_err(|error| Usage(format!("IN {error}")))?;
            return Ok(Self::Video(path.to_owned(), facts));
        }
        Ok(Self::Picture(path.to_owned()))
    }

    fn folder(path: &Path) -> Result<Self, Usage> {
        let refused = |reason: &dyn std::fmt::Display| Usage(format!("IN {}: {reason}", path.display()));
        let entries = fs::read_dir(path).map_err(|error| refused(&error))?;
        let is_picture = |path: &PathBuf| path.is_file() && ending(path).is_some_and(|ending| PICTURES.contains(&ending.as_str()));
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect();
        paths.sort();
        if paths.is_empty() { Err(refused(&"holds no picture (.png, .jpg, .jpeg or .webp)")) } else { Ok(Self::Folder(paths)) }
    }

    /// (width, height) of the first picture in pixels.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn first_size(&self) -> Result<(u32, u32)> {
        let picture = match self {
            Self::Video(_, facts) => return Ok((facts.width, facts.height)),
            Self::Picture(path) => read(path)?,
            Self::Folder(paths) => match paths.first() {
                Some(path) => read(path)?,
                None => return Ok((1, 1)),
            },
        };
        Ok((picture.width(), picture.height()))
    }

    /// Hands every picture to `each`, with its place.
    ///
    /// # Errors
    /// The first one of `each`, or of a picture that cannot be read.
    pub(super) fn each(&self, mut each: impl FnMut(Place<'_>, DynamicImage) -> Result<()>) -> Result<()> {
        match self {
            Self::Picture(path) => each(Place { path, index: 0, what: None }, read(path)?),
            Self::Folder(paths) => {
                let what = Some(("picture", paths.len() as u64));
                paths.iter().enumerate().try_for_each(|(index, path)| each(Place { path, index, what }, read(path)?))
            }
            Self::Video(path, facts) => {
                let (mut index, mut failed) = (0, None);
                video_encode::decode(path, |frame| {
                    let place = Place { path, index, what: Some(("frame", facts.frames)) };
                    index += 1;
                    each(place, frame.into()).map_or_else(
                        |error| {
                            failed = Some(error);
                            ControlFlow::Break(())
                        },
                        ControlFlow::Continue,
                    )
                })?;
                failed.map_or(Ok(()), Err)
            }
        }
    }
}

/// Where a picture comes from.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Its file, or that of its video.
    pub(super) path: &'a Path,
    index: usize,
    /// What there are several of, and how many.
    what: Option<(&'static str, u64)>,
}

impl Place<'_> {
    /// The start of a progress bar.
    pub(super) fn shown(&self) -> String {
        self.what.map(|(what, all)| format!("{what} {} of {all} ", self.index + 1)).unwrap_or_default()
    }
}

fn read(path: &Path) -> Result<DynamicImage> {
    read_image(path, given_image::read)
}

/// The ending of a file's name, in lower case.
pub(super) fn ending(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}
