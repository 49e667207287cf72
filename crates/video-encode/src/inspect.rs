//! Examines a finished MP4 file from elsewhere.
//!
//! The file is untrusted: FFmpeg may read it as MP4 only, and opens no other file or address that it names. The invariant: a file that
//! passes is complete (every frame of its index is there) and its first frame can be decoded.

use std::{fs::File, io::Read as _, path::Path};

use ffmpeg_next::{self as ffmpeg, Dictionary, Packet, codec, format, frame, media};

use crate::{Error, FrameRate, MAX_PIXELS, MAX_SIDE, Result, ffi};

/// Properties of a video file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFacts {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Number of frames.
    pub frames: u64,
    /// Frames per second, on average.
    pub frame_rate: FrameRate,
    /// The codec's name: "h264".
    pub codec: String,
}

/// Reads a whole MP4 file. Blocking.
///
/// # Errors
/// [`Error::NotAVideo`] if it is not an MP4 video or is cut off; [`Error::File`] if it cannot be read.
pub fn inspect(path: &Path) -> Result<VideoFacts> {
    ffi::start();
    ffi::forget();
    check_head(path)?;
    let text = path.to_str().ok_or_else(|| Error::NotUtf8 { path: path.to_owned() })?;
    let wrong = |reason: &str| Error::NotAVideo { path: path.to_owned(), reason: reason.to_owned() };
    let failed = |_: ffmpeg::Error| wrong("it cannot be read as MP4");
    let mut options = Dictionary::new();
    options.set("format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2");
    options.set("protocol_whitelist", "file");
    let mut input = format::input_with_dictionary(&format!("file:{text}"), options).map_err(failed)?;
    let stream = input.streams().best(media::Type::Video).ok_or_else(|| wrong("it holds no video"))?;
    let (index, listed, average) = (stream.index(), stream.frames(), stream.avg_frame_rate());
    let context = codec::Context::from_parameters(stream.parameters()).map_err(failed)?;
    let mut decoder = context.decoder().video().map_err(|_| wrong("its video cannot be decoded here"))?;
    let (width, height) = (decoder.width(), decoder.height());
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(wrong(&format!("its frames have {width} x {height} pixels")));
    }
    let (mut frames, mut is_decoded) = (0_u64, false);
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) => {}
            Err(ffmpeg::Error::Eof) => break,
            Err(_) => return Err(wrong("it is cut off or damaged")),
        }
        if packet.is_corrupt() {
            return Err(wrong("it is cut off"));
        }
        if packet.stream() != index {
            continue;
        }
        frames += 1;
        if !is_decoded {
            decoder.send_packet(&packet).map_err(|_| wrong("its first frames cannot be decoded"))?;
            is_decoded = decoder.receive_frame(&mut frame::Video::empty()).is_ok();
        }
    }
    if !is_decoded {
        // A decoder with lookahead returns its frames at the end.
        let _ = decoder.send_eof();
        is_decoded = decoder.receive_frame(&mut frame::Video::empty()).is_ok();
    }
    if frames == 0 || !is_decoded {
        return Err(wrong("it has no frame that can be decoded"));
    }
    if u64::try_from(listed).is_ok_and(|listed| listed > frames) {
        return Err(wrong(&format!("it has {frames} of {listed} frames: it is cut off")));
    }
    let codec = decoder.codec().map(|codec| codec.name().to_owned()).unwrap_or_default();
    Ok(VideoFacts { width, height, frames, frame_rate: rate(average).ok_or_else(|| wrong("it has no frame rate"))?, codec })
}

/// Checks that the file starts with an `ftyp` box, as MP4 files do.
fn check_head(path: &Path) -> Result<()> {
    let unreadable = |source| Error::File { path: path.to_owned(), doing: "reading", source };
    let mut head = Vec::new();
    File::open(path).map_err(unreadable)?.take(12).read_to_end(&mut head).map_err(unreadable)?;
    let is_mp4 = head.get(4..8) == Some(b"ftyp");
    if is_mp4 { Ok(()) } else { Err(Error::NotAVideo { path: path.to_owned(), reason: "it is no MP4 file".to_owned() }) }
}

fn rate(rate: ffmpeg::Rational) -> Option<FrameRate> {
    let exact = u32::try_from(rate.numerator()).ok().zip(u32::try_from(rate.denominator()).ok());
    let exact = exact.and_then(|(numerator, denominator)| FrameRate::new(numerator, denominator).ok());
    exact.or_else(|| FrameRate::from_f64(f64::from(rate)).ok())
}
