//! `framewright serve`: it prints its address, serves, and shuts down on request.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use crate::served::{Killed, Served, exchange};

#[test]
fn it_serves_at_the_printed_address_and_exits_with_code_0() {
    let mut served = Served::start(&[]);
    let address = served.address.clone();
    let data_dir = served.data.path().to_str().unwrap().to_owned();
    let data_dir = data_dir.as_str();

    let health = String::from_utf8(exchange(&address, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).unwrap();
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"model_loaded\":true"), "{health}");
    let body = r#"{"prompt": "a red circle on a blue background", "num_inference_steps": 2, "seed": 1}"#;
    let head = "POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let answer = exchange(&address, format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(answer.windows(8).any(|bytes| bytes == b"\x89PNG\r\n\x1a\n"), "no PNG in the answer");

    // A truncated prompt is reported to the client and in the log, which has colours on terminals only.
    let body = format!(r#"{{"prompt": "{}", "num_inference_steps": 1}}"#, "boat ".repeat(76));
    let answer = exchange(&address, format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    assert!(String::from_utf8_lossy(&answer).contains("\r\nx-prompt-truncated: true\r\n"), "{}", String::from_utf8_lossy(&answer));
    let logged = served.lines.nth(1).unwrap().unwrap();
    assert!(logged.ends_with(" WARN the prompt has 76 tokens, of which the model reads the first 75"), "{logged:?}");

    // The folder is in use now, and so is the address.
    let port = address.rsplit(':').next().unwrap();
    let second = crate::program::framewright(std::path::Path::new("/"), &["serve", "--port", "0", "--data-dir", data_dir]);
    assert_eq!((second.code, second.stderr.lines().count()), (1, 1), "{second:?}");
    assert!(second.stderr.contains(data_dir) && second.stderr.contains("in use by another framewright"), "{second:?}");
    let other = tempfile::tempdir().unwrap();
    let args = ["serve", "--port", port, "--data-dir", other.path().to_str().unwrap()];
    let second = crate::program::framewright(std::path::Path::new("/"), &args);
    assert_eq!((second.code, second.stderr.lines().count()), (1, 1), "{second:?}");
    assert!(second.stderr.contains(port) && second.stderr.contains("in use"), "{second:?}");

    let killed = Command::new("kill").args(["-TERM", &served.child.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(served.child.0.wait().unwrap().code(), Some(0));
    let mut stdout = String::new();
    served.child.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout, "");
}

#[test]
fn a_public_address_needs_a_key() {
    let data = tempfile::tempdir().unwrap();
    let data_dir = data.path().to_str().unwrap();
    let serve = ["serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", data_dir];
    let refused = crate::program::framewright(std::path::Path::new("/"), &serve);
    assert_eq!((refused.code, refused.stderr.lines().count()), (2, 1), "{refused:?}");
    for way in ["FRAMEWRIGHT__ACCESS__API_KEY", "--allow-public-without-key", "access.allow_public_without_key = true"] {
        assert!(refused.stderr.contains(way), "{refused:?}");
    }

    // With a key it serves, and neither the key nor a link's signature appears in the log.
    let key = "alices-secret-key-1";
    std::fs::write(data.path().join("key"), format!("{key}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    command.args(serve).args(["--api-key-file", data.path().join("key").to_str().unwrap()]);
    command.env_clear().env("FRAMEWRIGHT__SERVER__LOG", "trace").stderr(Stdio::piped()).stdout(Stdio::null());
    let mut served = Killed(command.spawn().unwrap());
    let mut stderr = BufReader::new(served.0.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    // A browser cannot open 0.0.0.0.
    assert!(first.starts_with("serving http://127.0.0.1:"), "{first}");
    let port = first.split(':').nth(2).unwrap().split(' ').next().unwrap().to_owned();
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        rest
    });
    let address = format!("127.0.0.1:{port}");
    let get = |path: &str, line: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: mine\r\n{line}\r\n");
        String::from_utf8(exchange(&address, request.as_bytes())).unwrap()
    };
    let right = format!("Authorization: Bearer {key}\r\n");
    assert!(get("/none", "").starts_with("HTTP/1.1 401"), "{}", get("/none", ""));
    assert!(get("/none", &right).starts_with("HTTP/1.1 404"), "{}", get("/none", &right));
    assert!(get("/files/a/b?expires=1&signature=c2lnbmF0dXJl", "").starts_with("HTTP/1.1 404"));
    assert!(data.path().join("link-secret").exists());

    assert!(Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().unwrap().success());
    assert_eq!(served.0.wait().unwrap().code(), Some(0));
    let log = rest.join().unwrap();
    assert!(log.starts_with("listening on every address of this machine"), "{log}");
    assert!(log.contains("id=\"mine\" method=GET path=/files/a/b status=404"), "{log}");
    assert!(!log.contains(key) && !log.contains("c2lnbmF0dXJl"), "{log}");
}

#[test]
fn the_json_log_carries_the_request_id() {
    let mut served = Served::start(&[("FRAMEWRIGHT__SERVER__LOG", "info"), ("FRAMEWRIGHT__SERVER__LOG_FORMAT", "json")]);
    let answer = served.ask("GET /metrics", &["X-Request-Id: mine-1"], b"");
    assert!(answer.contains("\r\nx-request-id: mine-1\r\n"), "{answer}");
    let memory = answer.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
    assert!(memory.parse::<u64>().unwrap() > 10_000_000, "{memory}");
    let long = serde_json::json!({"prompt": "boat ".repeat(76), "num_inference_steps": 1, "return_base64": true});
    served.post("/generate", &long);

    // The two lines for people precede the log, which has one object per line.
    let log = served.lines.by_ref().filter_map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).ok());
    let mut log = log.take(50);
    let answered = log.find(|line| line["message"] == "answered").unwrap();
    assert_eq!((&answered["id"], &answered["path"], &answered["status"]), (&"mine-1".into(), &"/metrics".into(), &200.into()));
    assert!(answered["timestamp"].is_string() && answered["level"] == "INFO", "{answered}");
    let cut = log.find(|line| line["level"] == "WARN").unwrap();
    assert_eq!(cut["message"], "the prompt has 76 tokens, of which the model reads the first 75");
    assert_eq!(cut["spans"][0]["name"], "job", "{cut}");
}

#[test]
fn unknown_fields_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    crate::models::edited(folder.path(), &crate::models::foreign());
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    command.args(["serve", "--port", "0", "--data-dir", "data", "--model", "model"]).current_dir(folder.path());
    let mut child = Killed(command.env_clear().stderr(Stdio::piped()).spawn().unwrap());
    let lines: Vec<String> = BufReader::new(child.0.stderr.take().unwrap()).lines().take(3).map(|line| line.unwrap()).collect();
    let warnings: Vec<_> = lines.iter().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{lines:?}");
    assert!(warnings[0].ends_with("; unet/config.json: auto_map, decay"), "{lines:?}");

    let strict = ["serve", "--port", "0", "--data-dir", "data2", "--model", "model", "--unknown-fields", "refuse"];
    let refused = crate::program::framewright(folder.path(), &strict);
    assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
    assert!(refused.stderr.contains("field force_zeros_for_empty_prompt: unknown field"), "{refused:?}");
}

#[test]
fn sighup_shuts_it_down_in_order_unless_it_is_ignored() {
    let signal = |served: &Served, name: &str| {
        assert!(Command::new("kill").args([name, &served.child.0.id().to_string()]).status().unwrap().success());
    };
    let health = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // Also if the tests themselves were started by `nohup`.
    let mut served = Served::start_by("exec /usr/bin/env --default-signal=HUP \"$0\" \"$@\"", &[]);
    assert!(exchange(&served.address, health).starts_with(b"HTTP/1.1 200"));
    signal(&served, "-HUP");
    assert_eq!(served.child.0.wait().unwrap().code(), Some(0));

    // As `nohup` starts it.
    let mut served = Served::start_by("trap '' HUP; exec \"$0\" \"$@\"", &[]);
    assert!(exchange(&served.address, health).starts_with(b"HTTP/1.1 200"));
    signal(&served, "-HUP");
    assert!(exchange(&served.address, health).starts_with(b"HTTP/1.1 200"), "it goes on");
    signal(&served, "-TERM");
    assert_eq!(served.child.0.wait().unwrap().code(), Some(0));
}

#[test]
fn an_unusable_data_folder_is_refused_with_advice_and_left_unchanged() {
    let data = tempfile::tempdir().unwrap();
    let at = |name: &str| data.path().join(name);
    let refused = |parts: &[&str]| {
        let args = ["serve", "--port", "0", "--data-dir", data.path().to_str().unwrap()];
        let run = crate::program::framewright(std::path::Path::new("/"), &args);
        assert!(run.code == 1 && run.stderr.lines().count() == 1, "{run:?}");
        assert!(parts.iter().all(|parts| run.stderr.contains(parts)), "{parts:?}: {run:?}");
    };
    std::fs::create_dir_all(at("artifacts/vid_1")).unwrap();
    std::fs::write(at("artifacts/vid_1/video.mp4"), "a video").unwrap();
    refused(&["jobs.sqlite has no jobs", "vid_1", "a backup", "--data-dir"]);
    assert!(at("artifacts/vid_1/video.mp4").exists() && !at("jobs.sqlite").exists());
    std::fs::write(at("jobs.sqlite"), "no database, and longer than the head of one is: ".repeat(9)).unwrap();
    refused(&["jobs.sqlite is damaged", "file is not a database", "a backup", "--data-dir"]);
    assert!(at("artifacts/vid_1/video.mp4").exists());
    std::fs::remove_file(at("jobs.sqlite")).unwrap();
    std::fs::remove_dir_all(at("artifacts")).unwrap();
    std::fs::write(at("link-secret"), "0123").unwrap();
    refused(&["link-secret", "64 hexadecimal digits", "remove it"]);
    std::fs::remove_file(at("link-secret")).unwrap();
    std::fs::write(at("webhook-secret"), "").unwrap();
    refused(&["webhook-secret", "remove it"]);
}
