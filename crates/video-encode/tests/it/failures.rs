//! When a video cannot be written, there is an error, no file, and the next video works.

use std::{fs, path::Path};

use image::RgbImage;
use video_encode::{Codec, Container, EncoderSettings, Error, FrameRate, VideoEncoder};

use crate::{
    isolation::{in_own_process, is_child},
    names, noise, painted, place, probe, settings, write,
};

const MOVIES: [Container; 5] = [Container::Mp4, Container::WebM, Container::Gif, Container::WebP, Container::Apng];

#[test]
fn dropping_leaves_nothing_and_keeps_the_existing_file() {
    for container in MOVIES {
        let (folder, path) = place(&format!("a.{container}"));
        fs::write(&path, b"before").unwrap();
        let mut encoder = VideoEncoder::open(&path, &settings(64, 64, "24", container)).unwrap();
        assert_eq!(names(folder.path()).len(), 2, "a staged file beside it");
        for frame in 0..5 {
            encoder.push(&painted(64, 64, frame)).unwrap();
        }
        drop(encoder);
        assert_eq!(names(folder.path()), [format!("a.{container}")]);
        assert_eq!(fs::read(&path).unwrap(), b"before");
        // The same for an encoder that took no frame.
        drop(VideoEncoder::open(&path, &settings(64, 64, "24", container)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"before");
        write(&path, &settings(64, 64, "24", container), 3);
        assert_eq!(names(folder.path()), [format!("a.{container}")]);
        assert_ne!(fs::read(&path).unwrap(), b"before");
    }
}

#[test]
fn a_frame_of_another_size_ends_the_video() {
    for container in Container::ALL {
        let (folder, path) = place("a.mp4");
        let mut encoder = VideoEncoder::open(&path, &settings(64, 48, "24", container)).unwrap();
        let error = encoder.push(&RgbImage::new(48, 64)).unwrap_err();
        assert!(matches!(error, Error::FrameSize { expected: (64, 48), found: (48, 64) }), "{error}");
        assert!(matches!(encoder.push(&RgbImage::new(64, 48)), Err(Error::Abandoned { .. })));
        assert!(matches!(encoder.finish(), Err(Error::Abandoned { .. })));
        assert!(container == Container::PngFolder || names(folder.path()).is_empty());
    }
}

#[test]
fn a_video_without_frames_is_an_error() {
    for container in MOVIES {
        let (folder, path) = place(&format!("a.{container}"));
        let encoder = VideoEncoder::open(&path, &settings(64, 48, "24", container)).unwrap();
        assert!(matches!(encoder.finish(), Err(Error::Empty { .. })));
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn invalid_sizes_are_refused_before_anything_is_created() {
    let (folder, path) = place("new/a.mp4");
    for (width, height) in [(0, 64), (64, 0), (100_000, 64), (u32::MAX, u32::MAX), (10_000, 10_000)] {
        let error = VideoEncoder::open(&path, &settings(width, height, "24", Container::Mp4)).unwrap_err();
        assert!(matches!(error, Error::Size { .. }), "{error}");
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_unwritable_folder_is_detected_at_once() {
    let (_folder, file) = place("file");
    fs::write(&file, b"").unwrap();
    for container in Container::ALL {
        // Even root cannot create a file below a file.
        let error = VideoEncoder::open(&file.join("a"), &settings(64, 64, "24", container)).unwrap_err();
        assert!(matches!(error, Error::File { .. }) && error.to_string().contains("file"), "{error}");
    }
    // Nor replace a folder with a file.
    let error = VideoEncoder::open(file.parent().unwrap(), &settings(64, 64, "24", Container::Mp4)).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
}

#[test]
fn a_missing_encoder_is_detected_at_once() {
    // The test machines lack this encoder: it is part of macOS.
    let missing = EncoderSettings { codec: Codec::VideoToolbox, ..settings(64, 64, "24", Container::Mp4) };
    let (folder, path) = place("a.mp4");
    let error = VideoEncoder::open(&path, &missing).unwrap_err();
    assert!(matches!(error, Error::NoEncoder { .. }) && error.to_string().contains("h264_videotoolbox ("), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_encoders_refusal_keeps_its_reason() {
    // MPEG-4 part 2 stores its clock in 16 bits.
    let rate = FrameRate { numerator: 999_983, denominator: 40_009 };
    let fine = EncoderSettings { codec: Codec::Mpeg4, frame_rate: rate, ..settings(64, 64, "24", Container::Mp4) };
    let (folder, path) = place("a.mp4");
    let error = VideoEncoder::open(&path, &fine).unwrap_err().to_string();
    assert!(error.contains("65535"), "{error}");
    assert!(names(folder.path()).is_empty());
}

/// Pushes noise until it fails or all frames are pushed; returns the error.
fn overfill(path: &Path, container: Container, frames: u32) -> Error {
    let mut encoder = VideoEncoder::open(path, &settings(160, 120, "24", container)).unwrap();
    for frame in 0..frames {
        if let Err(error) = encoder.push(&noise(160, 120, frame)) {
            assert!(matches!(encoder.push(&noise(160, 120, frame)), Err(Error::Abandoned { .. })));
            assert!(matches!(encoder.finish(), Err(Error::Abandoned { .. })));
            return error;
        }
    }
    encoder.finish().unwrap_err()
}

#[test]
fn a_full_disk_midway_is_an_error_without_a_file_and_the_next_video_works() {
    // The shell counts blocks of 512 bytes or 1 KiB: 100 or 200 kB. The file-size limit fails writes like a full disk, and raises a signal.
    in_own_process(&["sh", "-c", "ulimit -f 200; exec \"$@\"", "sh"], || {
        for container in MOVIES {
            // In the middle, and while the encoder's last frames or the index are written.
            for frames in [200, 12] {
                let (folder, path) = place(&format!("a.{container}"));
                let error = overfill(&path, container, frames);
                assert!(matches!(error, Error::File { .. }), "{container} {frames}: {error:?}");
                let text = error.to_string();
                assert!(text.contains("File too large") && text.contains(path.to_str().unwrap()), "{text}");
                assert!(names(folder.path()).is_empty(), "{container}: {:?}", names(folder.path()));
                write(&path, &settings(64, 64, "24", container), 5);
                // FFmpeg cannot read animated WebP; its own tests check it.
                assert!(container == Container::WebP || probe(&path)["width"] == "64");
            }
        }
        // A frame that fits, and one that does not.
        let (_folder, path) = place("frames");
        let mut encoder = VideoEncoder::open(&path, &settings(400, 400, "24", Container::PngFolder)).unwrap();
        encoder.push(&painted(400, 400, 0)).unwrap();
        let error = encoder.push(&noise(400, 400, 1)).unwrap_err().to_string();
        assert!(error.contains("frame-000001.png") && error.contains("File too large"), "{error}");
        assert_eq!(names(&path), ["frame-000000.png"]);
    });
}

/// An MP4's index moves to the front at the very end, by shifting everything else: this limit is exceeded only then.
#[test]
fn a_disk_full_when_the_index_is_written_is_an_error_too() {
    const FRAMES: u32 = 400;
    let painted_video = || settings(96, 64, "24", Container::Mp4);
    let mut launcher = vec!["prlimit".to_owned()];
    if !is_child() {
        let (_folder, path) = place("a.mp4");
        launcher.push(format!("--fsize={}", write(&path, &painted_video(), FRAMES).bytes - 2000));
    }
    let launcher: Vec<&str> = launcher.iter().map(String::as_str).collect();
    in_own_process(&launcher, || {
        let (folder, path) = place("a.mp4");
        let mut encoder = VideoEncoder::open(&path, &painted_video()).unwrap();
        for frame in 0..FRAMES {
            encoder.push(&painted(96, 64, frame)).unwrap();
        }
        let error = encoder.finish().unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
        assert!(names(folder.path()).is_empty());
    });
}
