//! `framewright video` and `framewright frames`: every output format, errors, a full disk, and a killed run.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::program::{Run, framewright, run};

/// Two scenes that take little time.
const SMALL: [&str; 16] = [
    "--scene",
    "a red circle on a blue background",
    "--scene",
    "a green star on a white background",
    "--steps",
    "2",
    "--duration",
    "0.25",
    "--width",
    "64",
    "--height",
    "64",
    "--seed",
    "1",
    "--transition-frames",
    "4",
];

fn video(folder: &Path, more: &[&str]) -> Run {
    framewright(folder, &[&["video"], &SMALL[..], more].concat())
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_extension_selects_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for (out, head) in
        [("a.mp4", &b"ftyp"[..]), ("a.webm", b"\x1a\x45\xdf\xa3"), ("a.gif", b"GIF89a"), ("a.webp", b"RIFF"), ("a.png", b"\x89PNG")]
    {
        let output = video(folder.path(), &["--out", out]);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stdout.starts_with(&format!("{out}  64x64, 16 frames at 24 in a second, 0.7 s, ")), "{output:?}");
        let bytes = fs::read(folder.path().join(out)).unwrap();
        assert!(bytes.windows(head.len()).take(8).any(|start| start == head), "{out}");
    }
    let output = video(folder.path(), &["--out", "shots/", "--poster", "poster.png", "--contact-sheet", "sheet.jpg"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(files(&folder.path().join("shots")).len(), 16);
    assert_eq!(image::open(folder.path().join("poster.png")).unwrap().to_rgb8().dimensions(), (64, 64));
    assert!(image::open(folder.path().join("sheet.jpg")).is_ok());
    assert_eq!(files(folder.path()), ["a.gif", "a.mp4", "a.png", "a.webm", "a.webp", "poster.png", "sheet.jpg", "shots"]);
}

#[test]
fn flags_override_the_scenes_file() {
    let folder = tempfile::tempdir().unwrap();
    let scenes = r#"{"scenes": ["a red circle", {"prompt": "a green star", "duration": 0.5, "seed": 9}], "num_inference_steps": 2,
                     "hero_description": "a small", "duration_per_scene": 0.25, "width": 64, "height": 48, "fps": 12, "seed": 4}"#;
    fs::write(folder.path().join("scenes.json"), scenes).unwrap();
    let flags = ["--scenes", "scenes.json", "--join", "slerp", "--transition-frames", "2", "--seed", "5", "--out", "a.mp4", "--json"];
    let output = framewright(folder.path(), &[&["video"], &flags[..]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (&report["frames"], &report["width"], &report["height"], &report["fps"]),
        (&11.into(), &64.into(), &48.into(), &"12".into())
    );
    let scenes = &report["settings"]["scenes"];
    assert_eq!((&scenes[0]["prompt"], &scenes[0]["seed"], &scenes[1]["seed"]), (&"a small, a red circle".into(), &5.into(), &9.into()));
    assert_eq!(report["settings"]["joins"][0]["join"], "slerp");
}

#[test]
fn a_scenes_file_is_parsed_like_a_request_body() {
    let folder = tempfile::tempdir().unwrap();
    let scenes =
        r#"{"scenes": [{"text": "a red circle", "sede": 1}, "b"], "steps": 1, "seconds": 0.25, "size": "64x48", "seed": -1, "model": "x"}"#;
    fs::write(folder.path().join("scenes.json"), scenes).unwrap();
    let output = framewright(folder.path(), &["video", "--scenes", "scenes.json", "--out", "a.mp4", "--json"]);
    assert_eq!(output.code, 0, "{output:?}");
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&report["width"], &report["settings"]["num_inference_steps"]), (&64.into(), &1.into()));
    for remark in [
        "the field model names a model of a server, so it is ignored; --model chooses the command's",
        "there is no field scenes.0.sede, so it is ignored; did you mean seed?",
    ] {
        assert!(output.stderr.lines().any(|line| line == format!("--scenes scenes.json: {remark}")), "{output:?}");
    }
}

#[test]
fn bad_input_is_refused_with_flag_value_and_limit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.json"), r#"{"scenes": ["a", 5], "fps": "fast", "width": "wide"}"#).unwrap();
    fs::write(folder.path().join("broken.json"), "{").unwrap();
    fs::write(folder.path().join("twice.json"), r#"{"scenes": ["a"], "steps": 1, "num_inference_steps": 2}"#).unwrap();
    let two = &SMALL[..4];
    let table: [(&[&str], &[&str]); 19] = [
        (&["--fps", "0"], &["--fps", "1"]),
        (&["--fps", "500"], &["--fps 500", "120"]),
        (&["--fps", "soon"], &["--fps soon", "30000/1001"]),
        (&["--width", "8"], &["--width 8", "16"]),
        (&["--steps", "151"], &["--steps 151", "150"]),
        (&["--join", "wipe"], &["--join wipe", "cut", "crossfade", "slerp"]),
        (&["--transition-frames", "-1"], &["--transition-frames -1", "0"]),
        (&["--duration", "601"], &["--duration 601", "600"]),
        (&["--scheduler", "best"], &["--scheduler best", "euler-ancestral"]),
        (&["--codec", "best"], &["--codec best", "libx264", "mpeg4"]),
        (&["--out", "a.avi"], &["a.avi", ".mp4", ".webm", ".gif", ".webp"]),
        (&["--out", "a.webm", "--codec", "libx264"], &["webm", "libx264"]),
        (&["--width", "65", "--refuse-odd"], &["65x512", "even"]),
        (&["--model", "best"], &["\"best\"", "owner/name", "nano-sd"]),
        (&["--out", "bad.json/a.mp4"], &["--out bad.json/a.mp4: nothing can be written to bad.json: it is no folder"]),
        (&["--out", "bad.json/frames/"], &["--out", "nothing can be written to bad.json: it is no folder"]),
        (&["--poster", "bad.json/a.png"], &["--poster bad.json/a.png: nothing can be written"]),
        (&["--contact-sheet", "bad.json/a.png"], &["--contact-sheet bad.json/a.png: nothing can be written"]),
        (&["--motion-bucket-id", "0"], &["--motion-bucket-id 0"]),
    ];
    let refuse = |args: &[&str], parts: &[&str]| {
        let mut args = [&["video"], args].concat();
        if !args.contains(&"--out") {
            args.extend_from_slice(&["--out", "a.mp4"]);
        }
        let refused = framewright(folder.path(), &args);
        assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (2, "", 1), "{args:?}: {refused:?}");
        for part in parts {
            assert!(refused.stderr.contains(part), "{part} is not said for {args:?}: {refused:?}");
        }
    };
    for (more, parts) in table {
        refuse(&[two, more].concat(), parts);
    }
    refuse(&["--scene", ""], &["--scene", "(scene 1)", "at least 1 character"]);
    refuse(&[], &["--scenes"]);
    refuse(&["--scenes", "bad.json"], &["bad.json", "scenes.1", "width"]);
    refuse(&["--scenes", "broken.json"], &["broken.json", "Malformed JSON"]);
    refuse(&["--scenes", "absent.json"], &["--scenes absent.json: No such file"]);
    refuse(&["--scenes", "twice.json"], &["--scenes twice.json: ", "steps and num_inference_steps are names of one field"]);
    assert_eq!(files(folder.path()), ["bad.json", "broken.json", "twice.json"]);
}

#[test]
fn a_full_disk_is_an_error_leaves_nothing_and_a_retry_works() {
    let folder = tempfile::tempdir().unwrap();
    // Noise does not compress: the file needs some hundred kilobytes, and the limit allows eight.
    let args = ["video", "--scene", "a", "--scene", "b", "--steps", "1", "--seed", "1", "--join", "slerp", "--crf", "1", "--out", "a.mp4"];
    let program = env!("CARGO_BIN_EXE_framewright");
    let limited = |blocks: &str| {
        let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        run(Command::new("bash").args(["-c", &script, program]).args(args).current_dir(folder.path()).env_clear())
    };
    let full = limited("8");
    assert_eq!((full.code, full.stdout.as_str()), (1, ""), "{full:?}");
    let last = full.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.contains("a.mp4") && last.contains("File too large"), "{full:?}");
    assert_eq!(files(folder.path()), [""; 0]);
    let output = limited("unlimited");
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(files(folder.path()), ["a.mp4"]);
}

fn frames(folder: &Path, more: &[&str]) -> Run {
    framewright(folder, &[&["frames"], &SMALL[..], &["--join", "slerp"], more].concat())
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    files(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn a_killed_run_of_frames_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = frames(folder.path(), &["--out", "whole"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    let whole = contents(&folder.path().join("whole"));
    assert_eq!(whole.len(), 17, "16 frames, and what they are frames of");

    // Killed repeatedly, each time after a few more frames.
    let out = folder.path().join("killed");
    for wanted in [1, 5, 9] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_framewright"))
            .args([&["frames"], &SMALL[..], &["--join", "slerp", "--out", "killed"]].concat())
            .current_dir(folder.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while !out.join(format!("frame-{wanted:06}.png")).exists() && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(1));
        }
        // SIGKILL.
        let _ended_already = child.kill();
        child.wait().unwrap();
    }
    let ended = frames(folder.path(), &["--out", "killed"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("frames are there already"), "{ended:?}");
    assert_eq!(contents(&out), whole);
}

#[test]
fn an_unwritable_frames_folder_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let refused = frames(folder.path(), &["--out", "file"]);
    let line = "error: --out file: nothing can be written to file: it is no folder\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (2, line));
}

#[test]
fn frames_of_two_videos_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(frames(folder.path(), &["--out", "a"]).code, 0);
    let whole = contents(&folder.path().join("a"));
    let other = frames(folder.path(), &["--out", "a", "--guidance", "3"]);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(other.stderr.contains("guidance_scale was 7.5 and is 3.0") && other.stderr.contains("--restart"), "{other:?}");
    assert_eq!(contents(&folder.path().join("a")), whole);
    assert_eq!(frames(folder.path(), &["--out", "a", "--guidance", "3", "--restart"]).code, 0);
    assert_ne!(contents(&folder.path().join("a")), whole);

    // Without --seed, a resumed run keeps the seed that it began with.
    let args = ["frames", "--scene", "a", "--steps", "1", "--duration", "0.1", "--width", "64", "--height", "64", "--out", "b"];
    assert_eq!(framewright(folder.path(), &args).code, 0);
    let before = contents(&folder.path().join("b"));
    let again = framewright(folder.path(), &args);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(contents(&folder.path().join("b")), before);

    fs::remove_file(folder.path().join("b/frames.json")).unwrap();
    let strange = framewright(folder.path(), &args);
    assert_eq!(strange.code, 2, "{strange:?}");
    assert!(strange.stderr.contains("did not begin"), "{strange:?}");
    // Frames after a gap count too: a restart removes all of them.
    fs::remove_file(folder.path().join("b/frame-000000.png")).unwrap();
    assert_eq!(framewright(folder.path(), &args).code, 2);
    assert_eq!(frames(folder.path(), &["--out", "b", "--restart"]).code, 0);
    assert_eq!(contents(&folder.path().join("b")).len(), 17);
    let over = framewright(folder.path(), &["video", "--scene", "a", "--out", "b/"]);
    assert_eq!(over.code, 2, "{over:?}");
    assert!(over.stderr.contains("has begun"), "{over:?}");
}
