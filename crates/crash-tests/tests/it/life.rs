//! A program's process, from its start until it is killed or exits.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use generation_test::check_killed;

/// Longer than any program of these tests runs on any machine.
pub(crate) const A_LIFE: Duration = Duration::from_secs(300);

/// A running program, which prints a line for each event.
pub(crate) struct Life {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Life {
    /// Starts a program, by its path.
    pub(crate) fn begin(program: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
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

    /// Waits for a line; `None` if the program exits or the time is up first.
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

    /// Kills it (SIGKILL), and checks the files in its folder.
    pub(crate) fn kill(mut self, folder: &Path) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        #[cfg(unix)]
        assert!(std::os::unix::process::ExitStatusExt::signal(&status) == Some(9) || status.success(), "killed, or it had ended: {status}");
        check_killed(folder);
    }

    /// Waits until it prints `done` and exits.
    pub(crate) fn ends(mut self) {
        assert!(self.wait_for("done", A_LIFE).is_some(), "it does all its work");
        assert!(self.process.wait().unwrap().success());
    }
}
