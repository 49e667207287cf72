//! Wrong commands: one line that names what is wrong, and exit code 2.

use std::{fs, process::Command};

use diffusion_core::schedulers::SchedulerKind;
use generation::{Limits, limits::SHARE};

use crate::program::{framewright, run};

#[test]
fn a_wrong_command_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let table: [(&[&str], &str); 10] = [
        (&["picture"], "error: unrecognized subcommand 'picture'"),
        (&["image", "--out", "a.png"], "error: the following required arguments were not provided: <PROMPT>"),
        (
            &["image", "a", "--out", "a.png", "--step", "3"],
            "error: unexpected argument '--step' found; tip: a similar argument exists: '--steps'",
        ),
        (
            &["image", "a", "--out", "a.png", "--steps", "few"],
            "error: invalid value 'few' for '--steps <N>': invalid digit found in string",
        ),
        (&["image", "a", "--out", "a.png", "--threads", "0"], "error: setting compute.threads: 0 is outside 1..=1024 (from --threads)"),
        (
            &["image", "a", "--out", "a.png", "--device", "gpu"],
            "error: setting compute.device: device: \"gpu\" is none of auto, cpu, cuda, metal (from --device)",
        ),
        (
            &["bench", "--cpu-level", "sse"],
            "error: setting compute.cpu_level: \"sse\" is none of auto, portable, avx2, avx512, avx512bf16, amx (from --cpu-level)",
        ),
        (
            &["image", "a", "--out", "a.png", "--vae", "absent"],
            "error: vae absent: does not exist; use full, tiny, or the folder or file of a VAE",
        ),
        (&["serve", "--port", "70000"], "error: setting server.port: 70000 is outside 0..=65535 (from --port)"),
        (&["serve", "--config", "absent.toml"], "error: settings file absent.toml: No such file or directory (os error 2)"),
    ];
    for (args, line) in table {
        let run = framewright(folder.path(), args);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (2, "", format!("{line}\n").as_str()), "{args:?}");
    }
}

#[test]
fn help_is_help() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["--help"] as &[&str],
        &["image", "--help"],
        &["serve", "--help"],
        &["models", "--help"],
        &["bench", "--help"],
        &["jobs", "--help"],
        &["jobs", "watch", "--help"],
        &["video", "--help"],
        &["animate", "--help"],
        &["frames", "--help"],
    ] {
        let run = framewright(folder.path(), args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
        assert!(run.stdout.contains("Usage: framewright"), "{args:?}");
    }
    let version = framewright(folder.path(), &["--version"]);
    assert_eq!(version.stdout, format!("framewright {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_names_the_limits_that_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::DEFAULT;
    for (command, flag, (min, max)) in [
        ("image", "--steps", limits.steps),
        ("image", "--count", limits.count),
        ("image", "--clip-skip", limits.clip_skip),
        ("image", "--eta", (SHARE.0 as u32, SHARE.1 as u32)),
        ("image", "--strength", (SHARE.0 as u32, SHARE.1 as u32)),
        ("video", "--steps", limits.steps),
        ("video", "--transition-frames", limits.video.transition_frames),
        ("animate", "--steps", limits.steps),
    ] {
        let help = framewright(folder.path(), &[command, "--help"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, about) = help.split_once(&format!(" {flag} <")).unwrap();
        let about = about.split(" --").next().unwrap();
        assert!(about.contains(&format!("{min} to {max}")), "{command} {flag}: {about}");
    }
    let help = framewright(folder.path(), &["image", "--help"]).stdout;
    assert!(SchedulerKind::with_eta().iter().all(|name| help.contains(name)), "{help}");
}

#[test]
fn the_settings_file_of_the_working_directory_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("framewright.toml"), "[server]\nport = 70000\n").unwrap();
    let from_file = framewright(folder.path(), &["serve"]);
    assert_eq!(from_file.stderr, "error: setting server.port: 70000 is outside 0..=65535 (from framewright.toml)\n");
    let mut with_variable = Command::new(env!("CARGO_BIN_EXE_framewright"));
    let from_variable = run(with_variable.arg("serve").current_dir(folder.path()).env_clear().env("PORT", "x"));
    assert!(from_variable.stderr.contains("(from PORT)"), "{}", from_variable.stderr);
}
