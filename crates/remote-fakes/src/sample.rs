//! A small video, the fakes' default.
//!
//! It is a real video, which players and FFmpeg read: an MP4 file of Motion JPEG, written by hand so that the fakes need no encoder. The
//! boxes are the minimum of ISO/IEC 14496-12.

use std::{io::Cursor, sync::LazyLock};

use image::{ImageFormat, Rgb, RgbImage};

use crate::Fault;

/// Width and height in pixels.
const SIZE: (u16, u16) = (64, 48);
const FRAMES: u32 = 12;
const FRAMES_A_SECOND: u32 = 24;

/// An MP4 video of half a second, 64x48, with this many bytes of data, or as many as its frames need if that is more.
pub fn sample_video(payload: usize) -> Vec<u8> {
    static FRAME: LazyLock<Vec<u8>> = LazyLock::new(jpeg);
    let frame = FRAME.as_slice();
    let ftyp = atom(b"ftyp", &[b"isom\0\0\x02\0", b"isomiso2mp41"]);
    // The index has the same length whatever its offsets.
    let start = ftyp.len() + moov(frame.len(), 0).len() + 8;
    let mut data = frame.repeat(FRAMES as usize);
    data.resize(data.len().max(payload), 0);
    [ftyp, moov(frame.len(), start), atom(b"mdat", &[&data])].concat()
}

/// The video, changed by a fault of its bytes.
pub(crate) fn spoiled_video(video: &[u8], fault: Option<&Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::TooLarge(length)) => {
            let mut video = video.to_vec();
            video.resize(usize::try_from(*length).unwrap_or(0).max(video.len()), 0);
            video
        }
        Some(Fault::NotAVideo(bytes)) => bytes.to_vec(),
        Some(
            Fault::Status(..)
            | Fault::RetryAfter(..)
            | Fault::StatusAfter(..)
            | Fault::Stall
            | Fault::CloseAfterBytes(_)
            | Fault::WrongWord(_)
            | Fault::ContentFilterAtStart
            | Fault::ContentFilterAtEnd
            | Fault::Failed(_)
            | Fault::Expired,
        )
        | None => video.to_vec(),
    }
}

fn jpeg() -> Vec<u8> {
    let (width, height) = (u32::from(SIZE.0), u32::from(SIZE.1));
    let slope = |at: u32, side: u32| u8::try_from(at * 255 / side).unwrap_or(u8::MAX);
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([slope(x, width), slope(y, height), 128]));
    let mut bytes = Cursor::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = image.write_to(&mut bytes, ImageFormat::Jpeg);
    bytes.into_inner()
}

/// The index of frames of equal length that follow each other.
fn moov(frame: usize, start: usize) -> Vec<u8> {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    let (scale, length) = (FRAMES_A_SECOND.to_be_bytes(), FRAMES.to_be_bytes());
    let (zeros, one) = ([0; 4], 1_u32.to_be_bytes());
    let matrix = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000_u32].map(u32::to_be_bytes).concat();
    let (width, height) = (SIZE.0.to_be_bytes(), SIZE.1.to_be_bytes());

    let entry = atom(
        b"jpeg",
        &[
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &width,
            &height,
            // 72 dots per inch, no data size, one frame per sample, no compressor name, 24 bits, no colour table.
            &[0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 32],
            &[0, 24, 0xff, 0xff],
        ],
    );
    let table = atom(
        b"stbl",
        &[
            &atom(b"stsd", &[&zeros, &one, &entry]),
            &atom(b"stts", &[&zeros, &one, &length, &one]),
            &atom(b"stsc", &[&zeros, &one, &one, &length, &one]),
            &atom(b"stsz", &[&zeros, &number(frame), &length]),
            &atom(b"stco", &[&zeros, &one, &number(start)]),
        ],
    );
    // The data is in this file.
    let place = atom(b"dinf", &[&atom(b"dref", &[&zeros, &one, &atom(b"url ", &[&one])])]);
    let media = atom(b"minf", &[&atom(b"vmhd", &[&one, &[0; 8]]), &place, &table]);
    let media = atom(
        b"mdia",
        &[
            // Language undetermined.
            &atom(b"mdhd", &[&[0; 12], &scale, &length, &[0x55, 0xc4, 0, 0]]),
            &atom(b"hdlr", &[&[0; 8], b"vide", &[0; 13]]),
            &media,
        ],
    );
    let track = atom(b"tkhd", &[&[0, 0, 0, 3], &[0; 8], &one, &zeros, &length, &[0; 16], &matrix, &width, &[0; 2], &height, &[0; 2]]);
    // Speed 1, full volume; the next track would be number 2.
    let head = atom(b"mvhd", &[&[0; 12], &scale, &length, &[0, 1, 0, 0, 1, 0], &[0; 10], &matrix, &[0; 24], &[0, 0, 0, 2]]);
    atom(b"moov", &[&head, &atom(b"trak", &[&track, &media])])
}

/// A box: its length, its name and its contents.
fn atom(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len() + 8).unwrap_or(u32::MAX).to_be_bytes();
    [length.as_slice(), name, &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_points_at_the_frames() {
        let video = sample_video(0);
        let at = |name: &[u8]| video.windows(4).position(|window| window == name);
        let field = |at: usize| video.get(at..at + 4).map(|bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)));
        let (start, length) = (at(b"stco").and_then(|at| field(at + 12)), at(b"stsz").and_then(|at| field(at + 8)));
        let (Some(start), Some(length)) = (start, length) else { panic!("no tables") };
        for frame in 0..FRAMES as usize {
            let begin = start + frame * length;
            assert_eq!(video.get(begin..begin + 3), Some([0xff, 0xd8, 0xff].as_slice()), "frame {frame}");
        }
        assert_eq!(sample_video(100_000).len(), video.len() - FRAMES as usize * length + 100_000);
    }
}
