//! Runs the program in a controlled environment.

use std::{path::Path, process::Command};

/// The result of one run.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// Runs `framewright` in `folder` with an empty environment.
pub(crate) fn framewright<S: AsRef<std::ffi::OsStr>>(folder: &Path, args: &[S]) -> Run {
    run(Command::new(env!("CARGO_BIN_EXE_framewright")).args(args).current_dir(folder).env_clear())
}

/// Runs a command until it exits.
pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
