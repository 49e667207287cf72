//! `framewright upscale`: pictures, folders and videos; names from the folder of the settings; what is refused.

use std::{fs, path::Path};

use image::{DynamicImage, ImageReader, Rgb, RgbImage, Rgba, RgbaImage};

use crate::program::{Run, framewright};

/// A compact upscaler for twice the size, in Real-ESRGAN's own kind of file.
const UPSCALER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../diffusion-core/tests/golden/upscalers/compact_x2.pth");

fn upscale(folder: &Path, args: &[&str]) -> Run {
    framewright(folder, &[&["upscale"], args, &["--precision", "f32", "--device", "cpu"]].concat())
}

fn read(path: &Path) -> DynamicImage {
    ImageReader::open(path).unwrap().with_guessed_format().unwrap().decode().unwrap()
}

fn picture(path: &Path) {
    RgbImage::from_fn(20, 12, |x, y| Rgb([(x * 12) as u8, (y * 20) as u8, 90])).save(path).unwrap();
}

#[test]
fn a_picture_is_enlarged_in_the_format_of_its_ending() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    picture(&at("a.png"));
    for (out, more, size) in
        [("b.png", &[][..], (40, 24)), ("c.jpg", &["--scale", "1.5", "--quality", "80"], (30, 18)), ("d.webp", &["--scale", "4"], (80, 48))]
    {
        let run = upscale(folder.path(), &[&["a.png", out, "--upscaler", UPSCALER], more].concat());
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.stdout, format!("{out}  {}x{}\n", size.0, size.1));
        assert!(run.stderr.starts_with("compact_x2 (Real-ESRGAN Compact, x2) on cpu"), "{run:?}");
        let made = read(&at(out));
        assert_eq!((made.width(), made.height()), size);
        assert!(!made.color().has_alpha());
    }
    let text = fs::read(at("b.png")).unwrap();
    let parameters: &[u8] = b"Postprocess upscale by: 2, Postprocess upscaler: compact_x2";
    assert!(text.windows(parameters.len()).any(|part| part == parameters));
}

#[test]
fn transparency_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    RgbaImage::from_fn(20, 12, |x, _| Rgba([200, 30, 90, if x < 10 { 0 } else { 255 }])).save(at("a.png")).unwrap();
    for (out, is_kept) in [("b.png", true), ("b.webp", true), ("b.jpg", false)] {
        let run = upscale(folder.path(), &["a.png", out, "--upscaler", UPSCALER]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(read(&at(out)).color().has_alpha(), is_kept, "{out}");
        assert_eq!(run.stderr.contains("b.jpg: a JPEG has no transparency; the colours beneath it remain"), !is_kept, "{run:?}");
    }
    let made = read(&at("b.png")).to_rgba8();
    assert_eq!(made.dimensions(), (40, 24));
}

#[test]
fn a_folder_becomes_a_folder_or_a_video() {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    fs::create_dir(&frames).unwrap();
    for name in ["2.png", "1.png", "3.jpg"] {
        picture(&frames.join(name));
    }
    fs::write(frames.join("notes.txt"), "x").unwrap();
    let run = upscale(folder.path(), &["frames", "large", "--upscaler", UPSCALER, "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let printed: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let paths: Vec<&str> = printed["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["large/1.png", "large/2.png", "large/3.png"]);
    assert_eq!(printed["settings"]["own_scale"], 2);
    assert_eq!(read(&folder.path().join("large/3.png")).width(), 40);

    let run = upscale(folder.path(), &["frames", "large.mp4", "--upscaler", UPSCALER, "--fps", "12"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "large.mp4  40x24, 3 frames\n"), "{run:?}");
    let facts = video_encode::inspect(&folder.path().join("large.mp4")).unwrap();
    assert_eq!((facts.width, facts.height, facts.frames), (40, 24, 3));

    RgbImage::new(8, 8).save(frames.join("4.png")).unwrap();
    let run = upscale(folder.path(), &["frames", "other.mp4", "--upscaler", UPSCALER]);
    assert!(run.code == 2 && run.stderr.contains("4.png: would be a frame of 16x16 in a video of 40x24"), "{run:?}");
    assert!(!folder.path().join("other.mp4").exists());
}

#[test]
fn a_video_becomes_a_video_or_a_folder_of_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("frames")).unwrap();
    for name in ["1.png", "2.png", "3.png"] {
        picture(&at("frames").join(name));
    }
    let run = upscale(folder.path(), &["frames", "given.mp4", "--upscaler", UPSCALER, "--fps", "30000/1001"]);
    assert_eq!(run.code, 0, "{run:?}");
    for (out, fps, expected) in [("large.mp4", &[][..], "30000/1001"), ("slow.mp4", &["--fps", "5"], "5")] {
        let run = upscale(folder.path(), &[&["given.mp4", out, "--upscaler", UPSCALER], fps].concat());
        assert_eq!((run.code, run.stdout), (0, format!("{out}  80x48, 3 frames\n")));
        let facts = video_encode::inspect(&at(out)).unwrap();
        assert_eq!((facts.width, facts.height, facts.frames, facts.frame_rate.to_string().as_str()), (80, 48, 3, expected));
    }
    let run = upscale(folder.path(), &["given.mp4", "large/", "--upscaler", UPSCALER]);
    assert_eq!(run.code, 0, "{run:?}");
    let mut names: Vec<_> = fs::read_dir(at("large")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 3);
    // A frame of the folder is the enlarged frame of the given video.
    let mut first = None;
    video_encode::decode(&at("given.mp4"), |frame| {
        first.get_or_insert(frame);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    first.unwrap().save(at("first.png")).unwrap();
    assert_eq!(upscale(folder.path(), &["first.png", "alone.png", "--upscaler", UPSCALER]).code, 0);
    assert_eq!(read(&names[0]).to_rgb8(), read(&at("alone.png")).to_rgb8());
    fs::write(at("cut.mp4"), &fs::read(at("given.mp4")).unwrap()[..900]).unwrap();
    let run = upscale(folder.path(), &["cut.mp4", "other.mp4", "--upscaler", UPSCALER]);
    assert!(run.code == 2 && run.stderr.starts_with("error: IN cut.mp4: "), "{run:?}");
    assert!(!at("other.mp4").exists());
}

#[test]
fn a_name_is_looked_up_in_the_folder_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    picture(&folder.path().join("a.png"));
    fs::create_dir(folder.path().join("esrgan")).unwrap();
    fs::copy(UPSCALER, folder.path().join("esrgan/2x-tiny.pth")).unwrap();
    fs::write(folder.path().join("framewright.toml"), "[upscalers]\nfolder = \"esrgan\"\n").unwrap();
    for name in ["2x-tiny", "2x-tiny.pth"] {
        let run = upscale(folder.path(), &["a.png", "b.png", "--upscaler", name]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    let run = upscale(folder.path(), &["a.png", "c.png", "--upscaler", "4x-other"]);
    assert!(run.code == 2 && run.stderr.contains("--upscaler: \"4x-other\" is none of the upscalers here: 2x-tiny"), "{run:?}");
    assert!(!folder.path().join("c.png").exists());
}

#[test]
fn faults_are_named_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    picture(&at("a.png"));
    fs::write(at("clip.mp4"), "x").unwrap();
    fs::write(at("clip.mkv"), "x").unwrap();
    fs::write(at("page.pth"), "<html>").unwrap();
    fs::create_dir(at("empty")).unwrap();
    RgbImage::new(4000, 3000).save(at("large.png")).unwrap();
    for (args, part) in [
        (
            &["a.png", "b.png", "--upscaler", "nowhere"][..],
            "--upscaler nowhere: does not exist as a file, and the setting upscalers.folder",
        ),
        (&["a.png", "b.png", "--upscaler", "no/where.pth"], "--upscaler no/where.pth: does not exist"),
        (&["a.png", "b.png", "--upscaler", "page.pth"], "--upscaler page.pth: is a web page"),
        (&["a.png", "b.gif", "--upscaler", UPSCALER], "OUT b.gif: a picture is written as .png, .jpg, .jpeg or .webp"),
        (&["a.png", "b.png", "--upscaler", UPSCALER, "--scale", "0.5"], "--scale 0.5: Input should be greater than or equal to 1"),
        (
            &["a.png", "b.png", "--upscaler", UPSCALER, "--scale", "9"],
            "--scale 9: an upscaler for 2 makes pictures at most 8 times as large",
        ),
        (&["large.png", "b.png", "--upscaler", UPSCALER, "--scale", "3"], "--scale 3: the picture would have 12000x9000 pixels"),
        (&["a.png", "b.png", "--upscaler", UPSCALER, "--quality", "80"], "--quality: is for a .jpg only"),
        (&["a.png", "b.jpg", "--upscaler", UPSCALER, "--quality", "101"], "--quality 101: a number from 1 to 100"),
        (&["a.png", "b.png", "--upscaler", UPSCALER, "--fps", "12"], "--fps: is for a video only"),
        (&["clip.mp4", "b.mp4", "--upscaler", UPSCALER], "IN clip.mp4: "),
        (&["clip.mkv", "b.mp4", "--upscaler", UPSCALER], "IN clip.mkv: is a video of a kind that is not read (MP4 and MOV are)"),
        (&["empty", "b", "--upscaler", UPSCALER], "IN empty: holds no picture"),
        (&["missing.png", "b.png", "--upscaler", UPSCALER], "IN missing.png: "),
        (&["page.pth", "b.png", "--upscaler", UPSCALER], "page.pth: the file is not a PNG, JPEG or WebP"),
    ] {
        let run = upscale(folder.path(), args);
        assert!(run.code == 2 && run.stderr.contains(part) && run.stdout.is_empty(), "{args:?}: {run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
    assert!(!at("b.png").exists() && !at("b.jpg").exists() && !at("b").exists());
}
