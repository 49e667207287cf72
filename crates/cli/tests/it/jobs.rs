//! `framewright jobs` against a running server, and against one whose connections break.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
};

use serde_json::{Value, json};

use crate::{
    program::{Run, framewright, run},
    served::Served,
};

/// Runs `framewright jobs ..` against this server, with more environment variables.
fn jobs_with(served: &Served, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    command.arg("jobs").args(args).args(["--server", &served.url()]);
    run(command.env_clear().envs(variables.iter().copied()).current_dir("/"))
}

fn jobs(served: &Served, args: &[&str]) -> Run {
    jobs_with(served, args, &[])
}

/// Uploads a picture and requests one second of video of it; returns the job's id.
fn character(served: &Served) -> String {
    let mut image = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 64, image::Rgb([20, 60, 200])).write_to(&mut image, image::ImageFormat::Png).unwrap();
    let head = b"--x\r\nContent-Disposition: form-data; name=\"character\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n";
    let body = [head.as_slice(), &image.into_inner(), b"\r\n--x--\r\n"].concat();
    let answer = served.ask("POST /upload-character", &["Content-Type: multipart/form-data; boundary=x"], &body);
    let uploaded: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let body = json!({"characterImageUrl": uploaded["imageUrl"], "script": "a blue circle", "duration": 1, "quality": "256"});
    served.post("/generate-video", &body)["id"].as_str().unwrap().to_owned()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn jobs_are_listed_shown_watched_and_cancelled() {
    let served = Served::start(&[]);
    let none = jobs(&served, &["list"]);
    assert_eq!((none.code, none.stdout.as_str(), none.stderr.as_str()), (0, "", "no jobs\n"));
    // The server's address is accepted before the subcommand as well as after it.
    let before = framewright(Path::new("/"), &["jobs", "--server", &served.url(), "list"]);
    assert_eq!((before.code, before.stderr.as_str()), (0, "no jobs\n"));
    let json = framewright(Path::new("/"), &["jobs", "--json", "list", "--server", &served.url()]);
    assert_eq!((json.code, json.stdout.as_str()), (0, "[]\n"));

    let id = character(&served);
    let watched = jobs(&served, &["watch", &id]);
    assert_eq!((watched.code, watched.stderr.as_str()), (0, ""), "{watched:?}");
    let output = lines(&watched.stdout);
    assert_eq!(output[..2], ["queued", "started"], "{output:?}");
    assert!(output.iter().any(|line| line.starts_with("progress  ") && line.ends_with(" %")), "{output:?}");
    assert_eq!(*output.last().unwrap(), format!("completed  {}/files/{id}/video.mp4", served.url()));
    // A late watcher receives all events again.
    let again = jobs(&served, &["watch", &id, "--json"]);
    let events: Vec<Value> = again.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((again.code, &events[0]["event"], &events.last().unwrap()["event"]), (0, &json!("queued"), &json!("completed")));

    let shown = jobs(&served, &["show", &id]);
    let expected = [format!("job      {id}"), "status   completed".into(), "done     100 %".into()];
    assert_eq!(lines(&shown.stdout)[..3], expected, "{shown:?}");
    assert!(shown.stdout.contains("\nmade     256x256, 24 frames at 24 a second\n"), "{}", shown.stdout);
    let whole: Value = serde_json::from_str(&jobs(&served, &["show", &id, "--json"]).stdout).unwrap();
    assert_eq!((&whole["task_id"], &whole["status"]), (&json!(id), &json!("completed")));

    let long = served.post("/generate-video", &json!({"text": "a boat at sunset"}))["job_id"].as_str().unwrap().to_owned();
    let cancelled = jobs(&served, &["cancel", &long]);
    assert_eq!((cancelled.code, cancelled.stdout), (0, format!("{long}  cancelled\n")));
    let again = jobs(&served, &["cancel", &long]);
    assert_eq!((again.code, again.stdout, again.stderr), (1, String::new(), format!("error: Task {long} has been cancelled already\n")));
    let watched = jobs(&served, &["watch", &long]);
    assert_eq!((watched.code, watched.stderr), (1, format!("error: job {long} is cancelled\n")));

    let listed = jobs(&served, &["list"]);
    let rows = lines(&listed.stdout);
    assert_eq!((listed.code, rows.len()), (0, 3), "{listed:?}");
    assert!(rows[0].starts_with("JOB ") && rows[1].starts_with(&long) && rows[2].starts_with(&id), "{rows:?}");
    assert!(rows[1].contains("  cancelled  ") && rows[2].contains("  completed  "), "{rows:?}");
    assert_eq!(lines(&jobs(&served, &["list", "--status", "completed"]).stdout).len(), 2);
    let newest: Value = serde_json::from_str(&jobs(&served, &["list", "--limit", "1", "--json"]).stdout).unwrap();
    assert_eq!((newest.as_array().unwrap().len(), &newest[0]["task_id"]), (1, &json!(long)));
}

#[test]
fn an_error_is_one_line() {
    let served = Served::start(&[("FRAMEWRIGHT__ACCESS__API_KEY", "a-key-of-16-chars")]);
    let key = [("FRAMEWRIGHT__CLIENT__API_KEY", "a-key-of-16-chars")];
    let server = served.url();
    for (args, variables, code, expected) in [
        (&["list"] as &[&str], &[] as &[(&str, &str)], 1, "client.api_key"),
        (&["list", "--status", "lost"], &key, 2, "'pending', 'processing', 'completed', 'failed' or 'cancelled'"),
        (&["list", "--limit", "0"], &key, 2, "greater than or equal to 1"),
        (&["show", "vid_1"], &key, 1, "error: Task not found: vid_1\n"),
        (&["watch", "vid_1"], &key, 1, "error: Task not found: vid_1\n"),
        (&["cancel", "vid_1"], &key, 1, "error: Task not found: vid_1\n"),
        (&["show", "../x"], &key, 2, "error: \"../x\" is no job's id\n"),
        (&["cancel", "a b"], &key, 2, "error: \"a b\" is no job's id\n"),
    ] {
        let output = jobs_with(&served, args, variables);
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.lines().count()), (code, "", 1), "{args:?} {output:?}");
        assert!(output.stderr.starts_with("error: ") && output.stderr.contains(expected), "{args:?}: {}", output.stderr);
        assert!(!output.stderr.contains("a-key-of-16-chars"), "{}", output.stderr);
    }
    let listed = jobs_with(&served, &["list"], &key);
    assert_eq!((listed.code, listed.stderr.as_str()), (0, "no jobs\n"));
    drop(served);
    let gone = framewright(Path::new("/"), &["jobs", "list", "--server", &server]);
    assert_eq!((gone.code, gone.stderr.lines().count()), (1, 1));
    assert!(gone.stderr.starts_with(&format!("error: cannot reach {server} (--server, client.server): ")), "{}", gone.stderr);
    let wrong = framewright(Path::new("/"), &["jobs", "list", "--server", "localhost"]);
    let expected = "error: setting client.server: \"localhost\" is not an http:// or https:// address (from --server)\n";
    assert_eq!((wrong.code, wrong.stderr.as_str()), (2, expected));
}

/// Reads a request's head, in lower case.
fn head(stream: &TcpStream) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    head.to_ascii_lowercase()
}

#[test]
fn watching_resumes_after_the_last_whole_event_when_a_connection_breaks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let requests = thread::spawn(move || {
        let stream_head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let event = |id: u32, kind: &str, data: Value| format!("id: {id}\nevent: {kind}\ndata: {data}\n\n");
        let job = json!({"task_id": "a", "status": "completed", "progress": 100, "result": {"result": {"video_url": "http://b/v.mp4"}}});
        let job = job.to_string();
        let answers = [
            // The third event is cut off.
            format!(
                "{stream_head}retry: 10\n\n{}{}id: 3\nevent: progress\ndata: {{\"pro",
                event(1, "queued", json!({})),
                event(2, "progress", json!({"progress": 10}))
            ),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            format!("{stream_head}{}{}", event(3, "progress", json!({"progress": 60})), event(4, "completed", json!({"progress": 100}))),
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{job}", job.len()),
        ];
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            heads.push(head(&stream));
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heads
    });
    let watched = framewright(Path::new("/"), &["jobs", "watch", "a", "--server", &server]);
    let expected = ["queued", "progress  10 %", "progress  60 %", "completed  http://b/v.mp4"];
    assert_eq!((watched.code, lines(&watched.stdout)), (0, expected.to_vec()), "{watched:?}");
    let heads = requests.join().unwrap();
    let after: Vec<_> = heads.iter().map(|head| head.lines().find(|line| line.starts_with("last-event-id"))).collect();
    assert_eq!(after, [None, Some("last-event-id: 2"), Some("last-event-id: 2"), None]);
    assert!(heads[3].starts_with("get /api/v1/tasks/a http/1.1"), "{}", heads[3]);
}
