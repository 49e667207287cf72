//! A folder of PNG files, and resuming one.

use std::fs;

use video_encode::{Container, PngFolder, VideoEncoder};

use crate::{names, painted, place, settings, write};

fn read(path: &std::path::Path, frame: u64) -> Vec<u8> {
    fs::read(path.join(PngFolder::frame_name(frame))).unwrap()
}

#[test]
fn frames_are_numbered_and_lossless() {
    let (_folder, path) = place("new/frames");
    let video = write(&path, &settings(65, 48, "24", Container::PngFolder), 11);
    let expected: Vec<String> = (0..11).map(|frame| format!("frame-{frame:06}.png")).collect();
    assert_eq!(names(&path), expected);
    assert_eq!(video.bytes, (0..11).map(|frame| read(&path, frame).len() as u64).sum::<u64>());
    for frame in 0..11 {
        let found = image::open(path.join(PngFolder::frame_name(frame))).unwrap().to_rgb8();
        assert_eq!(found, painted(65, 48, frame as u32));
    }
}

#[test]
fn a_shorter_video_replaces_all_of_a_longer_one() {
    let (_folder, path) = place("frames");
    write(&path, &settings(32, 32, "24", Container::PngFolder), 9);
    fs::write(path.join("frame-list.txt"), b"a stranger's").unwrap();
    write(&path, &settings(32, 32, "24", Container::PngFolder), 2);
    assert_eq!(names(&path), ["frame-000000.png", "frame-000001.png", "frame-list.txt"]);
}

#[test]
fn another_run_resumes_after_the_last_whole_frame() {
    let (_folder, whole) = place("whole");
    write(&whole, &settings(40, 30, "24", Container::PngFolder), 8);
    let (_folder, path) = place("frames");
    assert_eq!(PngFolder::whole_frames(&path), 0);
    let mut encoder = VideoEncoder::open(&path, &settings(40, 30, "24", Container::PngFolder)).unwrap();
    for frame in 0..5 {
        encoder.push(&painted(40, 30, frame)).unwrap();
    }
    drop(encoder);
    assert_eq!(PngFolder::whole_frames(&path), 5);
    // The state after a power cut, and after a kill.
    let torn = read(&path, 4);
    fs::write(path.join(PngFolder::frame_name(4)), &torn[..torn.len() - 20]).unwrap();
    fs::write(path.join(".frame.part"), b"half").unwrap();
    fs::write(path.join(PngFolder::frame_name(6)), &torn).unwrap();
    assert_eq!(PngFolder::whole_frames(&path), 4);
    let mut folder = PngFolder::open(&path, 40, 30, 4).unwrap();
    for frame in 4..8 {
        folder.push(&painted(40, 30, frame)).unwrap();
    }
    folder.finish().unwrap();
    assert_eq!(names(&path), names(&whole));
    for frame in 0..8 {
        assert_eq!(read(&path, frame), read(&whole, frame));
    }
}

#[test]
fn any_cut_ends_the_count() {
    let (_folder, path) = place("frames");
    write(&path, &settings(24, 24, "24", Container::PngFolder), 1);
    let bytes = read(&path, 0);
    for length in 0..bytes.len() {
        fs::write(path.join(PngFolder::frame_name(0)), &bytes[..length]).unwrap();
        assert_eq!(PngFolder::whole_frames(&path), 0, "{length} of {} bytes", bytes.len());
    }
}
