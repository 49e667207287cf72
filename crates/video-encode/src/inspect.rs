//! Examines a finished MP4 file from elsewhere, and decodes one.
//!
//! The file is untrusted: FFmpeg may read it as MP4 only, and opens no other file or address that it names. The invariants: a file that
//! passes is complete (every frame of its index is there) and its first frame can be decoded; decoding keeps one frame in memory.

use std::{fs::File, io::Read as _, ops::ControlFlow, path::Path};

use ffmpeg_next::{
    self as ffmpeg, Dictionary, Packet, codec,
    decoder::Video,
    error::EAGAIN,
    format::{self, Pixel, context::Input},
    frame, media,
};
use image::RgbImage;

use crate::{
    Error, FrameRate, MAX_PIXELS, MAX_SIDE, Result,
    ffi::{self, Converter},
};

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
    /// Whether there is a sound track.
    pub has_sound: bool,
}

/// Reads a whole MP4 file. Blocking.
///
/// # Errors
/// [`Error::NotAVideo`] if it is not an MP4 video or is cut off; [`Error::File`] if it cannot be read.
pub fn inspect(path: &Path) -> Result<VideoFacts> {
    let Opened { mut input, mut decoder, index, listed, average, has_sound } = open(path)?;
    let wrong = |reason: &str| Error::NotAVideo { path: path.to_owned(), reason: reason.to_owned() };
    let (width, height) = (decoder.width(), decoder.height());
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
    Ok(VideoFacts { width, height, frames, frame_rate: rate(average).ok_or_else(|| wrong("it has no frame rate"))?, codec, has_sound })
}

/// Decodes an MP4 file, and hands its frames to `each` one by one, until that breaks. Blocking.
///
/// # Errors
/// [`Error::NotAVideo`] if it is not an MP4 video or a frame cannot be decoded; [`Error::File`] if it cannot be read.
pub fn decode(path: &Path, mut each: impl FnMut(RgbImage) -> ControlFlow<()>) -> Result<()> {
    let Opened { mut input, mut decoder, index, .. } = open(path)?;
    let wrong = |_: ffmpeg::Error| Error::NotAVideo { path: path.to_owned(), reason: "its frames cannot be decoded".to_owned() };
    let mut converter = None;
    let mut receive = |decoder: &mut Video| {
        let mut decoded = frame::Video::empty();
        loop {
            match decoder.receive_frame(&mut decoded) {
                Ok(()) if each(rgb(&decoded, &mut converter).map_err(wrong)?).is_break() => return Ok(ControlFlow::Break(())),
                Ok(()) => {}
                // It needs another packet first, or there is none.
                Err(ffmpeg::Error::Other { errno: EAGAIN } | ffmpeg::Error::Eof) => return Ok::<_, Error>(ControlFlow::Continue(())),
                Err(error) => return Err(wrong(error)),
            }
        }
    };
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) if packet.stream() != index => {}
            Ok(()) => {
                decoder.send_packet(&packet).map_err(wrong)?;
                if receive(&mut decoder)?.is_break() {
                    return Ok(());
                }
            }
            Err(ffmpeg::Error::Eof) => break,
            Err(error) => return Err(wrong(error)),
        }
    }
    // A decoder with lookahead returns its last frames at the end.
    decoder.send_eof().map_err(wrong)?;
    receive(&mut decoder).map(drop)
}

/// A decoded frame as RGB. The converter is made for the first frame, and made again if a frame differs.
fn rgb(decoded: &frame::Video, converter: &mut Option<(Converter, frame::Video)>) -> Result<RgbImage, ffmpeg::Error> {
    let (width, height) = (decoded.width(), decoded.height());
    let mut convert = |converter: &mut (Converter, frame::Video)| {
        let (converter, target) = converter;
        converter.run(decoded, target)
    };
    if converter.as_mut().map(&mut convert) != Some(Ok(())) {
        let mut made = (Converter::to_rgb24(width, height, decoded.format())?, ffi::new_frame(Pixel::RGB24, width, height)?);
        convert(&mut made)?;
        *converter = Some(made);
    }
    let target = converter.as_ref().map(|(_, target)| target).ok_or(ffmpeg::Error::Bug)?;
    let row = width as usize * 3;
    let pixels = target.data(0).chunks(target.stride(0).max(1)).take(height as usize).filter_map(|line| line.get(..row)).flatten();
    RgbImage::from_raw(width, height, pixels.copied().collect()).ok_or(ffmpeg::Error::InvalidData)
}

/// A file that FFmpeg reads as MP4.
struct Opened {
    input: Input,
    decoder: Video,
    /// The number of its video stream.
    index: usize,
    /// The frames that its index lists.
    listed: i64,
    average: ffmpeg::Rational,
    has_sound: bool,
}

fn open(path: &Path) -> Result<Opened> {
    ffi::start();
    ffi::forget();
    check_head(path)?;
    let text = path.to_str().ok_or_else(|| Error::NotUtf8 { path: path.to_owned() })?;
    let wrong = |reason: &str| Error::NotAVideo { path: path.to_owned(), reason: reason.to_owned() };
    let failed = |_: ffmpeg::Error| wrong("it cannot be read as MP4");
    let mut options = Dictionary::new();
    options.set("format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2");
    options.set("protocol_whitelist", "file");
    let input = format::input_with_dictionary(&format!("file:{text}"), options).map_err(failed)?;
    let stream = input.streams().best(media::Type::Video).ok_or_else(|| wrong("it holds no video"))?;
    let (index, listed, average) = (stream.index(), stream.frames(), stream.avg_frame_rate());
    let has_sound = input.streams().best(media::Type::Audio).is_some();
    let context = codec::Context::from_parameters(stream.parameters()).map_err(failed)?;
    let decoder = context.decoder().video().map_err(|_| wrong("its video cannot be decoded here"))?;
    let (width, height) = (decoder.width(), decoder.height());
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(wrong(&format!("its frames have {width} x {height} pixels")));
    }
    Ok(Opened { input, decoder, index, listed, average, has_sound })
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
