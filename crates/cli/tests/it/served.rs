//! `framewright serve` as a process of its own, with its folder.

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
};

/// A program; killed if a test fails.
pub(crate) struct Killed(pub(crate) Child);

/// The server.
pub(crate) struct Served {
    pub(crate) child: Killed,
    /// "127.0.0.1:PORT".
    pub(crate) address: String,
    /// What it says on standard error behind its address.
    pub(crate) lines: Lines<BufReader<ChildStderr>>,
    /// Where its jobs lie.
    pub(crate) data: tempfile::TempDir,
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    /// With these variables and nothing else of an environment.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_with(Command::new(env!("CARGO_BIN_EXE_framewright")), variables)
    }

    /// By a shell's script, whose `"$0" "$@"` is the program.
    pub(crate) fn start_by(script: &str, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_framewright")]);
        Self::start_with(shell, variables)
    }

    fn start_with(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        command.args(["serve", "--port", "0", "--data-dir", data.path().to_str().unwrap()]);
        command.env_clear().envs(variables.iter().copied()).stderr(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first.strip_prefix("serving http://").unwrap_or_else(|| panic!("{first}")).split(' ').next().unwrap().to_owned();
        Self { child: Killed(child), address, lines, data }
    }

    /// Its address, as a person writes it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One request, its first line and more lines of its head; the answer whole.
    pub(crate) fn ask(&self, first: &str, lines: &[&str], body: &[u8]) -> String {
        ask(&self.address, first, lines, body)
    }

    /// `POST` of a JSON body; the JSON that is answered.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> serde_json::Value {
        let answer = self.ask(&format!("POST {path}"), &["Content-Type: application/json"], body.to_string().as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

/// One request to an address, its first line and more lines of its head; the answer whole.
pub(crate) fn ask(address: &str, first: &str, lines: &[&str], body: &[u8]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{first} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    String::from_utf8_lossy(&exchange(address, &[head.as_bytes(), body].concat())).into_owned()
}

/// One HTTP/1.1 exchange; the answer whole.
pub(crate) fn exchange(address: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}
