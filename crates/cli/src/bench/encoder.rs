//! How fast this machine writes frames into an MP4.
//!
//! The frames are painted beforehand: a slow pattern over the whole frame and a disc that crosses it, so that the encoder finds movement
//! and detail as in model output. The invariant: each run opens a file, writes every frame and finishes the file.

use anyhow::{Context as _, Result};
use image::{Rgb, RgbImage};
use video_encode::{Container, EncoderSettings, FrameRate, VideoEncoder};

use super::{Size, timing::Timing};

/// Number of painted frames; the animation loops, so the first follows the last.
const PAINTED: u32 = 24;
/// Frames written per run.
const FRAMES: u32 = 96;

/// Times the default encoder for a video of this size.
///
/// # Errors
/// If this machine has no encoder, or no file can be written.
pub(super) fn time(size: Size, repeat: u32) -> Result<Timing> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let path = folder.path().join("bench.mp4");
    let rate: FrameRate = "24".parse()?;
    let settings = EncoderSettings::new(size.width, size.height, rate, Container::Mp4);
    let frames = (0..PAINTED).map(|moment| frame(size, moment)).collect::<Vec<RgbImage>>();
    let mut codec = "";
    let timing = Timing::of("video encoder", size, repeat, || {
        let mut encoder = VideoEncoder::open(&path, &settings)?;
        for frame in frames.iter().cycle().take(FRAMES as usize) {
            encoder.push(frame)?;
        }
        codec = encoder.finish()?.codec;
        Ok(())
    })?;
    Ok(Timing { by: Some(codec.into()), ..timing.with_frames(FRAMES as usize) })
}

/// The painted frame at `moment`.
pub(super) fn frame(size: Size, moment: u32) -> RgbImage {
    let turn = std::f32::consts::TAU * (moment % PAINTED) as f32 / PAINTED as f32;
    let (width, height) = (size.width as f32, size.height as f32);
    let (centre_x, centre_y, radius) = (width * (0.5 + 0.3 * turn.sin()), height * (0.5 + 0.2 * turn.cos()), height.min(width) / 6.0);
    RgbImage::from_fn(size.width, size.height, |x, y| {
        let (x, y) = (x as f32, y as f32);
        if (x - centre_x).hypot(y - centre_y) < radius {
            return Rgb([230, 60, 40]);
        }
        let wave = |scale: f32, phase: f32| ((x + 0.6 * y) / scale + phase).sin() + ((y - 0.4 * x) / (0.7 * scale)).cos();
        let level = |scale: f32| (128.0 + 50.0 * wave(scale, turn) + 10.0 * wave(3.0, -turn)) as u8;
        Rgb([level(41.0), level(59.0), level(83.0)])
    })
}
