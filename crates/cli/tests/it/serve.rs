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

#[test]
fn it_is_not_served_to_others_without_a_key() {
    let data = tempfile::tempdir().unwrap();
    let data_dir = data.path().to_str().unwrap();
    let serve = ["serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", data_dir];
    let refused = crate::program::framewright(std::path::Path::new("/"), &serve);
    assert_eq!((refused.code, refused.stderr.lines().count()), (2, 1), "{refused:?}");
    for way in ["FRAMEWRIGHT__ACCESS__API_KEY", "--allow-public-without-key", "access.allow_public_without_key = true"] {
        assert!(refused.stderr.contains(way), "{refused:?}");
    }

    // With a key it is, and neither the key nor a link's signature comes into the log.
    let key = "alices-secret-key-1";
    std::fs::write(data.path().join("key"), format!("{key}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    command.args(serve).args(["--api-key-file", data.path().join("key").to_str().unwrap()]);
    command.env_clear().env("FRAMEWRIGHT__SERVER__LOG", "trace").stderr(Stdio::piped()).stdout(Stdio::null());
    let mut served = Served(command.spawn().unwrap());
    let mut stderr = BufReader::new(served.0.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    let port = first.split(':').nth(2).unwrap().split(' ').next().unwrap().to_owned();
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        rest
    });
    let address = format!("127.0.0.1:{port}");
    let get = |path: &str, line: &str| {
        let answer =
            exchange(&address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: mine\r\n{line}\r\n"));
        String::from_utf8(answer).unwrap()
    };
    let right = format!("Authorization: Bearer {key}\r\n");
    assert!(get("/none", "").starts_with("HTTP/1.1 401"), "{}", get("/none", ""));
    assert!(get("/none", &right).starts_with("HTTP/1.1 404"), "{}", get("/none", &right));
    assert!(get("/files/a/b?expires=1&signature=c2lnbmF0dXJl", "").starts_with("HTTP/1.1 404"));
    assert!(data.path().join("link-secret").exists());

    assert!(Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().unwrap().success());
    assert_eq!(served.0.wait().unwrap().code(), Some(0));
    let log = rest.join().unwrap();
    assert!(log.contains("id=\"mine\" method=GET path=/files/a/b status=404"), "{log}");
    assert!(!log.contains(key) && !log.contains("c2lnbmF0dXJl"), "{log}");
}
