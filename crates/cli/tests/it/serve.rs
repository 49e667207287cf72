//! `framewright serve`: it says where it listens, answers, and ends when told to.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// The server as a process of its own; killed if a test fails.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One HTTP/1.1 exchange; the answer whole.
fn exchange(address: &str, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_where_it_says_and_ends_with_code_0() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    let data = tempfile::tempdir().unwrap();
    let data_dir = data.path().to_str().unwrap();
    command.args(["serve", "--port", "0", "--data-dir", data_dir]).env_clear().stderr(Stdio::piped()).stdout(Stdio::piped());
    let mut served = Served(command.spawn().unwrap());
    let mut lines = BufReader::new(served.0.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.strip_prefix("serving http://").unwrap().split(' ').next().unwrap().to_owned();

    let health = String::from_utf8(exchange(&address, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).unwrap();
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"model_loaded\":true"), "{health}");
    let body = r#"{"prompt": "a red circle on a blue background", "num_inference_steps": 2, "seed": 1}"#;
    let head = "POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let answer = exchange(&address, &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(answer.windows(8).any(|bytes| bytes == b"\x89PNG\r\n\x1a\n"), "no PNG in the answer");

    // A prompt that is cut is told to the client and in the log, which has colours on terminals only.
    let body = format!(r#"{{"prompt": "{}", "num_inference_steps": 1}}"#, "boat ".repeat(76));
    let answer = exchange(&address, &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert!(String::from_utf8_lossy(&answer).contains("\r\nx-prompt-truncated: true\r\n"), "{}", String::from_utf8_lossy(&answer));
    let logged = lines.nth(1).unwrap().unwrap();
    assert!(logged.ends_with(" WARN the prompt has 76 tokens, of which the model reads the first 75"), "{logged:?}");

    // The folder is taken now, and so is the address.
    let port = address.rsplit(':').next().unwrap();
    let second = crate::program::framewright(std::path::Path::new("/"), &["serve", "--port", "0", "--data-dir", data_dir]);
    assert_eq!((second.code, second.stderr.lines().count()), (1, 1), "{second:?}");
    assert!(second.stderr.contains(data_dir) && second.stderr.contains("in use by another framewright"), "{second:?}");
    let other = tempfile::tempdir().unwrap();
    let args = ["serve", "--port", port, "--data-dir", other.path().to_str().unwrap()];
    let second = crate::program::framewright(std::path::Path::new("/"), &args);
    assert_eq!((second.code, second.stderr.lines().count()), (1, 1), "{second:?}");
    assert!(second.stderr.contains(port) && second.stderr.contains("in use"), "{second:?}");

    let ended = Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().unwrap();
    assert!(ended.success());
    assert_eq!(served.0.wait().unwrap().code(), Some(0));
    let mut stdout = String::new();
    served.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout, "");
}
