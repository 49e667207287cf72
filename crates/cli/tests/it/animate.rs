//! `framewright animate`: clips from a picture, with every clip flag.

use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::program::{Run, framewright};

fn with_image() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let image = RgbImage::from_fn(60, 40, |x, y| Rgb([(x * 4) as u8, (y * 6) as u8, 90]));
    image.save(folder.path().join("a.png")).unwrap();
    folder
}

fn animate(folder: &Path, more: &[&str]) -> Run {
    framewright(folder, &[&["animate", "a.png", "--steps", "1", "--seed", "1"], more].concat())
}

#[test]
fn a_clip_has_the_requested_length_rate_and_size() {
    let folder = with_image();
    let flags = ["--camera", "pan", "--duration", "1.5", "--fps", "24", "--resolution", "64x36", "--motion-strength", "0.5"];
    let output = animate(folder.path(), &[&flags[..], &["--out", "a.mp4", "--json"]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    let output: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (&output["width"], &output["height"], &output["frames"], &output["fps"]),
        (&64.into(), &36.into(), &36.into(), &"24".into())
    );
    let settings = &output["settings"];
    assert_eq!((&settings["camera"], &settings["motion"]["motion_bucket_id"]), (&"pan".into(), &128.into()));
    assert_eq!(settings["native"], serde_json::json!({ "width": 176, "height": 96, "frames": 12, "windows": 2 }));
    assert!(folder.path().join("a.mp4").exists());

    let painted = ["--prompt", "a boat", "--strength", "0.2", "--quality", "256", "--out", "b.mp4", "--json"];
    let output = animate(folder.path(), &painted);
    assert_eq!(output.code, 0, "{output:?}");
    let output: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&output["width"], &output["height"], &output["frames"]), (&256.into(), &170.into(), &31.into()));
    assert_eq!((&output["settings"]["repaint"]["prompt"], &output["settings"]["repaint"]["strength"]), (&"a boat".into(), &0.2.into()));
}

#[test]
fn bad_input_is_refused_with_flag_value_and_limit() {
    let folder = with_image();
    let table: [(&[&str], &[&str]); 12] = [
        (&["--resolution", "large"], &["--resolution", "large", "1280x720"]),
        (&["--resolution", "8x8"], &["--resolution", "8x8", "16 to 2048"]),
        (&["--camera", "roll"], &["--camera", "roll", "zoom"]),
        (&["--duration", "601"], &["--duration", "601", "600"]),
        (&["--duration", "80"], &["--duration", "at most 512"]),
        (&["--duration", "2", "--fps", "0.5"], &["--fps", "0.5", "1 to 120"]),
        (&["--quality", "99"], &["--quality", "99", "256 to 1024"]),
        (&["--prompt", "a boat", "--strength", "2"], &["--strength", "2", "less than or equal to 1"]),
        (&["--duration", "2", "--width", "64"], &["--width", "cannot be used with"]),
        (&["--strength", "0.5"], &["--prompt"]),
        (
            &["--prompt", "a boat", "--strength", "0.01"],
            &["--strength 0.01", "leaves no step to run", "the smallest strength that works is 0.04"],
        ),
        (&["--out", "a.png/b.mp4"], &["--out a.png/b.mp4: nothing can be written to a.png: it is no folder"]),
    ];
    for (more, parts) in table {
        let out: &[&str] = if more.contains(&"--out") { &[] } else { &["--out", "a.mp4"] };
        let refused = animate(folder.path(), &[more, out].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{more:?}: {refused:?}");
        for part in parts {
            assert!(refused.stderr.contains(part), "{part} is not said for {more:?}: {refused:?}");
        }
    }
    assert!(!folder.path().join("a.mp4").exists());
    let absent = framewright(folder.path(), &["animate", "absent.png", "--out", "a.mp4"]);
    assert_eq!((absent.code, absent.stderr.lines().count()), (2, 1), "{absent:?}");
    assert!(absent.stderr.contains("absent.png"), "{absent:?}");
}
