//! FIFOs, devices, sockets and folders in place of models, pictures and settings are refused at once; streams from a shell are read; and
//! files left by killed runs are removed by the next run.

use std::{
    fs,
    io::{Read, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{program::Run, served::Killed};

/// Generous for any machine. A program that opens a FIFO without a writer would wait forever.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    command.args(args).current_dir(folder).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program, and kills it if it does not exit.
fn finish(command: &mut Command, input: &[u8]) -> Run {
    let mut child = Killed(command.spawn().unwrap());
    if let Some(mut stdin) = child.0.stdin.take() {
        stdin.write_all(input).unwrap();
    }
    let began = Instant::now();
    let status = loop {
        match child.0.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
        assert!(began.elapsed() < PATIENCE, "it does not end: {command:?}");
    };
    Run { code: status.code().unwrap(), stdout: text(child.0.stdout.take()), stderr: text(child.0.stderr.take()) }
}

fn text(stream: Option<impl Read>) -> String {
    let mut text = String::new();
    stream.unwrap().read_to_string(&mut text).unwrap();
    text
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_file_that_is_not_regular_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for fifo in ["fifo", "fifo.png", "fifo.safetensors", "fifo.ckpt", "fifo.json", "fifo.toml"] {
        mkfifo(&at(fifo));
    }
    let _listener = UnixListener::bind(at("socket")).unwrap();
    image::RgbImage::new(64, 64).save(at("a.png")).unwrap();
    // A model folder whose index is a FIFO.
    fs::create_dir_all(at("index")).unwrap();
    mkfifo(&at("index/model_index.json"));
    let image = ["image", "a boat", "--out", "out.png", "--steps", "2"];
    let scenes = ["video", "--out", "out.mp4", "--scenes"];
    let cases: [(Vec<&str>, &str); 18] = [
        ([&image[..], &["--init-image", "fifo.png"]].concat(), "fifo.png: is a FIFO"),
        ([&image[..], &["--init-image", "/dev/zero"]].concat(), "/dev/zero: is a device"),
        ([&image[..], &["--init-image", "socket"]].concat(), "socket: is a socket"),
        ([&image[..], &["--init-image", "."]].concat(), ".: is a folder"),
        ([&image[..], &["--init-image", "a.png", "--mask", "fifo.png"]].concat(), "fifo.png: is a FIFO"),
        ([&image[..], &["--model", "fifo.safetensors"]].concat(), "fifo.safetensors: is a FIFO"),
        ([&image[..], &["--model", "fifo.ckpt"]].concat(), "fifo.ckpt: is a FIFO"),
        ([&image[..], &["--model", "index"]].concat(), "index/model_index.json: is a FIFO"),
        (vec!["models", "inspect", "index"], "index/model_index.json: is a FIFO"),
        (vec!["animate", "fifo.png", "--out", "out.mp4"], "fifo.png: is a FIFO"),
        (vec!["upscale", "fifo.png", "out.png", "--upscaler", "a.png"], "fifo.png: is a FIFO"),
        (vec!["upscale", "a.png", "out.png", "--upscaler", "fifo.safetensors"], "is a FIFO"),
        (vec!["verify", "fifo.png"], "fifo.png: is a FIFO"),
        ([&scenes[..], &["fifo.json"]].concat(), "fifo.json: is a FIFO"),
        ([&scenes[..], &["/dev/zero"]].concat(), "/dev/zero: is a device"),
        ([&["--config", "fifo.toml"], &image[..]].concat(), "fifo.toml: is a FIFO"),
        ([&["--config", "/dev/zero"], &image[..]].concat(), "/dev/zero: is a device"),
        (vec!["serve", "--port", "0", "--data-dir", "data", "--api-key-file", "fifo"], "fifo: is a FIFO"),
    ];
    for (args, expected) in cases {
        let refused = finish(&mut command(folder.path(), &args), b"");
        assert!(refused.code != 0 && refused.stderr.contains(expected), "{args:?}: {refused:?}");
        assert_eq!(refused.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{args:?}: {refused:?}");
    }
    assert!(!at("out.png").exists() && !at("out.mp4").exists());
}

#[test]
fn streams_from_a_shell_are_read_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let scenes =
        br#"{"scenes": [{"prompt": "a boat"}, {"prompt": "a star"}], "num_inference_steps": 1, "duration_per_scene": 0.1, "seed": 1}"#;
    let args = ["video", "--out", "a.mp4", "--width", "64", "--height", "64", "--scenes", "/dev/stdin"];
    let output = finish(command(folder.path(), &args).stdin(Stdio::piped()), scenes);
    assert!(output.code == 0 && folder.path().join("a.mp4").exists(), "{output:?}");

    let program = env!("CARGO_BIN_EXE_framewright");
    let script = format!("{program} --config <(printf '[model]\\nname = \"none/such\"\\n[hub]\\noffline = true\\n') models list --json");
    let listed =
        finish(Command::new("bash").args(["-c", &script]).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()), b"");
    assert_eq!(listed.code, 0, "{listed:?}");
    let script = format!("{program} --config /dev/stdin models list < /dev/zero");
    let endless = finish(Command::new("bash").args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()), b"");
    assert!(endless.code == 2 && endless.stderr.contains("is longer than 1048576 bytes"), "{endless:?}");
}

#[test]
fn the_next_run_removes_the_files_of_a_killed_run() {
    let folder = tempfile::tempdir().unwrap();
    let staged = || {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".framewright-")).collect::<Vec<_>>()
    };
    let long = ["video", "--scene", "a", "--scene", "b", "--steps", "150", "--width", "64", "--height", "64", "--out", "a.mp4"];
    // Killed while a file is staged. The encoder check may remove its file at that moment; then another run is killed.
    while staged().is_empty() {
        let child = Killed(command(folder.path(), &long).spawn().unwrap());
        let began = Instant::now();
        while staged().is_empty() {
            assert!(began.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
        // SIGKILL.
        drop(child);
    }
    fs::write(folder.path().join(".framewright-mine.txt"), "mine").unwrap();
    // A file that is still being written stays.
    let alive = video_encode::staged_in(folder.path()).unwrap();
    let output = finish(&mut command(folder.path(), &["image", "a boat", "--steps", "1", "--out", "b.png"]), b"");
    assert_eq!(output.code, 0, "{output:?}");
    let mut left = staged();
    left.sort();
    let mut kept = [".framewright-mine.txt".to_owned(), alive.path().file_name().unwrap().to_str().unwrap().to_owned()];
    kept.sort();
    assert_eq!(left, kept);
}
