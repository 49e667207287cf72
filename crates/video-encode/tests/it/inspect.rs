//! Inspection of MP4 files from elsewhere: complete ones, and invalid ones.

use std::{fs, ops::ControlFlow};

use image::RgbImage;
use video_encode::{Container, Error, FrameRate, VideoEncoder, VideoFacts, decode, inspect};

use crate::{output, place, settings, write};

/// The reason why a file is not a video.
fn refused(path: &std::path::Path) -> String {
    match inspect(path) {
        Err(Error::NotAVideo { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_file_is_described() {
    for (width, height, rate, frames) in [(64, 48, "24", 12), (128, 96, "24000/1001", 37), (64, 64, "12.5", 1)] {
        let (_folder, path) = place("a.mp4");
        write(&path, &settings(width, height, rate, Container::Mp4), frames);
        let frame_rate = rate.parse::<FrameRate>().unwrap();
        let expected = VideoFacts { width, height, frames: u64::from(frames), frame_rate, codec: "h264".into(), has_sound: false };
        assert_eq!(inspect(&path).unwrap(), expected);
    }
}

#[test]
fn another_programs_file_with_trailing_index_and_sound_is_read() {
    let (_folder, path) = place("a.mp4");
    let text = path.to_str().unwrap();
    let sources = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=1"];
    let arguments = [&["-v", "error"], &sources[..], &["-pix_fmt", "yuv420p", "-c:v", "libx264", "-c:a", "aac", text]].concat();
    output("ffmpeg", &arguments);
    let found = inspect(&path).unwrap();
    assert_eq!((found.width, found.height, found.frames, found.frame_rate), (160, 120, 25, FrameRate::whole(25)));
}

#[test]
fn frames_are_decoded_one_by_one_in_their_colours_until_enough() {
    let (_folder, path) = place("a.mp4");
    let colour = |number: u8| [40 + number * 12, 200 - number * 12, 90];
    let mut encoder = VideoEncoder::open(&path, &settings(64, 48, "24", Container::Mp4)).unwrap();
    for number in 0..12 {
        encoder.push(&RgbImage::from_pixel(64, 48, image::Rgb(colour(number)))).unwrap();
    }
    encoder.finish().unwrap();
    let mut seen = Vec::new();
    let each = |frame: RgbImage| {
        assert_eq!(frame.dimensions(), (64, 48));
        seen.push(frame.get_pixel(30, 20).0);
        ControlFlow::Continue(())
    };
    decode(&path, each).unwrap();
    assert_eq!(seen.len(), 12);
    for (number, found) in (0..).zip(&seen) {
        let off = found.iter().zip(colour(number)).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(off <= 8, "{number}: {found:?}");
    }
    let mut count = 0;
    let three = |_| {
        count += 1;
        if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    decode(&path, three).unwrap();
    assert_eq!(count, 3);
    fs::write(&path, b"no video").unwrap();
    assert!(matches!(decode(&path, |_| ControlFlow::Continue(())), Err(Error::NotAVideo { .. })));
}

#[test]
fn a_truncated_file_is_refused_wherever_the_cut_is() {
    let (_folder, path) = place("a.mp4");
    write(&path, &settings(128, 96, "24", Container::Mp4), 48);
    let whole = fs::read(&path).unwrap();
    for left in [8, 40, 400, whole.len() / 2, whole.len() - 200, whole.len() - 1] {
        fs::write(&path, &whole[..left]).unwrap();
        let reason = refused(&path);
        assert!(!reason.is_empty() && !reason.contains('\n'), "{left}: {reason}");
    }
}

#[test]
fn other_files_are_refused() {
    let (folder, path) = place("a.mp4");
    let boxes = b"\0\0\0\x18ftypisom\0\0\x02\0isommp41\0\0\0\x08free";
    let list = b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/segment.ts\n";
    for (bytes, reason) in [
        (&b""[..], "it is no MP4 file"),
        (b"<html><body>The link has expired</body></html>", "it is no MP4 file"),
        (list, "it is no MP4 file"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "it is no MP4 file"),
        (boxes, "it cannot be read as MP4"),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(refused(&path), reason, "{}", String::from_utf8_lossy(bytes));
    }
    // An MP4 with sound only.
    let sound = folder.path().join("sound.mp4");
    output("ffmpeg", &["-v", "error", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", sound.to_str().unwrap()]);
    assert_eq!(refused(&sound), "it holds no video");
    assert!(matches!(inspect(&folder.path().join("none.mp4")), Err(Error::File { .. })));
}
