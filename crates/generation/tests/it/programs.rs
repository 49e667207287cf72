//! Examples that tests run as processes of their own: where they are, and how they are killed.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::checked::check_killed;

/// An upper bound for one run of a program, on any machine.
pub(crate) const A_LIFE: Duration = Duration::from_secs(300);

/// The path of an example's program. Cargo builds examples with the tests, next to the tests' own folder.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let advice = "`cargo test` builds it, if it is given names of tests behind `--` only";
    assert!(path.exists(), "{} is missing; {advice}", path.display());
    path
}

/// One run of a program that prints its progress line by line.
pub(crate) struct Life {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Life {
    pub(crate) fn begin(program: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(example(program));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// Waits for a line; `None` if the program exits without it.
    pub(crate) fn wait_for(&self, wanted: &str, patience: Duration) -> Option<()> {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line == wanted => return Some(()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends SIGKILL, and checks what is left in the program's folder.
    pub(crate) fn kill(mut self, folder: &Path) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        #[cfg(unix)]
        assert!(std::os::unix::process::ExitStatusExt::signal(&status) == Some(9) || status.success(), "killed, or it had ended: {status}");
        check_killed(folder);
    }

    /// Waits until the program prints "done" and exits.
    pub(crate) fn ends(mut self) {
        assert!(self.wait_for("done", A_LIFE).is_some(), "it does all its work");
        assert!(self.process.wait().unwrap().success());
    }
}
