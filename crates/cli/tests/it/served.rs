//! `framewright serve` as a child process, with its own data folder.

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
};

/// A child process that is killed on drop, as when a test fails.
pub(crate) struct Killed(pub(crate) Child);

/// A running server.
pub(crate) struct Served {
    pub(crate) child: Killed,
    /// "127.0.0.1:PORT".
    pub(crate) address: String,
    /// Its standard error after the line with the address.
    pub(crate) lines: Lines<BufReader<ChildStderr>>,
    /// Its data folder.
    pub(crate) data: tempfile::TempDir,
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    /// Starts it with only these environment variables.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_with(Command::new(env!("CARGO_BIN_EXE_framewright")), variables)
    }

    /// Starts it through a shell script, whose `"$0" "$@"` is the program.
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

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends one request, given its request line and header lines; returns the whole response.
    pub(crate) fn ask(&self, first: &str, lines: &[&str], body: &[u8]) -> String {
        ask(&self.address, first, lines, body)
    }

    /// Posts a JSON body; returns the JSON of the response.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> serde_json::Value {
        let answer = self.ask(&format!("POST {path}"), &["Content-Type: application/json"], body.to_string().as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

/// Sends one request to an address, given its request line and header lines; returns the whole response.
pub(crate) fn ask(address: &str, first: &str, lines: &[&str], body: &[u8]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{first} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    String::from_utf8_lossy(&exchange(address, &[head.as_bytes(), body].concat())).into_owned()
}

/// One HTTP/1.1 exchange; returns the whole response.
pub(crate) fn exchange(address: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}
