//! Checks the files with FFmpeg's own programs, which share no code with ours, and the behaviour when a file cannot be written.
//!
//! Frames are painted here. A test that needs its own process (limits, memory, processor cores) runs this program again for that test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod colour;
mod containers;
mod failures;
mod inspect;
mod isolation;
mod mp4;
mod png;
mod stills;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use image::{Rgb, RgbImage};
use tempfile::TempDir;
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder, VideoFile};

/// A frame of a clip in which a square crosses a gradient.
pub(crate) fn painted(width: u32, height: u32, frame: u32) -> RgbImage {
    let left = frame * 3 % width.max(1);
    RgbImage::from_fn(width, height, |x, y| {
        let inside = x.wrapping_sub(left) < width / 4 && y > height / 4 && y < height / 2;
        if inside { Rgb([230, 200, 40]) } else { Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90]) }
    })
}

/// A frame that does not compress.
pub(crate) fn noise(width: u32, height: u32, frame: u32) -> RgbImage {
    let mut state = frame.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 8) as u8, (state >> 16) as u8, (state >> 24) as u8])
    })
}

pub(crate) fn settings(width: u32, height: u32, rate: &str, container: Container) -> EncoderSettings {
    EncoderSettings::new(width, height, rate.parse::<FrameRate>().unwrap(), container)
}

/// Writes a number of painted frames.
pub(crate) fn write(path: &Path, settings: &EncoderSettings, frames: u32) -> VideoFile {
    let mut encoder = VideoEncoder::open(path, settings).unwrap();
    for frame in 0..frames {
        encoder.push(&painted(settings.width, settings.height, frame)).unwrap();
    }
    let video = encoder.finish().unwrap();
    assert_eq!(video.frames, u64::from(frames));
    video
}

/// A folder for one test, and a path in it.
pub(crate) fn place(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

/// The names in a folder, hidden ones too.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A program's standard output; fails the test if the program fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}; apt-get install ffmpeg"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Everything that ffprobe reports on the video stream and the file, with `nb_read_frames` counted by decoding all of it.
pub(crate) fn probe(path: &Path) -> BTreeMap<String, String> {
    let arguments = ["-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "default=noprint_wrappers=1"];
    let mut arguments = arguments.to_vec();
    arguments.push(path.to_str().unwrap());
    let text = String::from_utf8(output("ffprobe", &arguments)).unwrap();
    // The stream's keys come first; the file's own do not replace them.
    let mut found = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        found.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    found
}

/// All frames as ffmpeg decodes them.
pub(crate) fn decoded(path: &Path, width: u32, height: u32) -> Vec<RgbImage> {
    let flags = "scale=sws_flags=accurate_rnd+full_chroma_int+full_chroma_inp";
    let bytes = output("ffmpeg", &["-v", "error", "-i", path.to_str().unwrap(), "-vf", flags, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let frame = (width * height * 3) as usize;
    assert_eq!(bytes.len() % frame, 0);
    bytes.chunks(frame).map(|bytes| RgbImage::from_raw(width, height, bytes.to_vec()).unwrap()).collect()
}

/// Peak signal-to-noise ratio in dB.
pub(crate) fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.as_raw().len() as f64 / squares).log10()
}
