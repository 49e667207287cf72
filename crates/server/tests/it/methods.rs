//! HEAD on every path that has GET, OPTIONS and `Allow` on every path: the paths come from /openapi.json, so none can be missed.

use reqwest::{Client, Method, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use server::{ServerSettings, TasksSettings, access::AccessSettings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, Raw, exchange, keys, request},
    fake::{PATIENCE, Running, engine},
    task_client::{png, settings, start},
};

/// Paths with GET that are not in /openapi.json, with their methods.
const UNDOCUMENTED: [(&str, &[&str]); 8] = [
    ("/openapi.json", &["get"]),
    ("/docs", &["get"]),
    ("/docs/", &["get"]),
    ("/docs/swagger-ui.css", &["get"]),
    ("/redoc", &["get"]),
    ("/redoc/", &["get"]),
    ("/api/v1/tasks/", &["get"]),
    ("/v1/videos/", &["get", "post"]),
];

/// The paths of /openapi.json, with their methods.
async fn documented(server: &Running) -> Vec<(String, Vec<String>)> {
    let api: Value = reqwest::get(server.url("/openapi.json")).await.unwrap().json().await.unwrap();
    let paths = api["paths"].as_object().unwrap();
    paths.iter().map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().cloned().collect())).collect()
}

/// The status and the headers, except those that differ between any two answers.
fn head_of(answer: &Response) -> (StatusCode, HeaderMap) {
    let mut head = answer.headers().clone();
    for name in ["date", "x-request-id"] {
        assert!(head.remove(name).is_some(), "{name}");
    }
    head.remove("x-process-time");
    (answer.status(), head)
}

fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn upload(server: &Running) -> String {
    let edge = "----edge";
    let file = [
        format!("--{edge}\r\nContent-Disposition: form-data; name=\"character\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n")
            .as_bytes(),
        &png(),
        format!("\r\n--{edge}--\r\n").as_bytes(),
    ]
    .concat();
    let post = client().post(server.url("/upload-character")).body(file);
    let sent = post.header("content-type", format!("multipart/form-data; boundary={edge}")).send().await.unwrap();
    let answer: Value = sent.json().await.unwrap();
    answer["imageUrl"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[actix_web::test]
async fn head_has_the_headers_of_get_on_every_path() {
    let server = start().await;
    let id = server.submit(json!({})).await;
    server.ended(&id).await;
    let text: Value =
        client().post(server.url("/generate-video")).json(&json!({"text": "a boat"})).send().await.unwrap().json().await.unwrap();
    let text = text["job_id"].as_str().unwrap().to_owned();
    server.jobs.finished("", &text).await.unwrap();
    let upload = upload(&server).await;
    let models: Value = reqwest::get(server.url("/v1/models")).await.unwrap().json().await.unwrap();
    let model = models["data"][0]["id"].as_str().unwrap().to_owned();
    let video = server.ask(Method::POST, "/v1/videos", Some(json!({"prompt": "a boat", "size": "64x48", "seconds": 1, "fps": 8}))).await.1;
    let video = video["id"].as_str().unwrap_or_else(|| panic!("{video}")).to_owned();
    server.jobs.finished("", &video).await.unwrap();
    let mut paths: Vec<String> = UNDOCUMENTED.map(|(path, _)| path.to_owned()).to_vec();
    for (path, methods) in documented(&server).await {
        if !methods.iter().any(|method| method == "get") {
            continue;
        }
        // Each of these needs something to show; add what a new path needs here.
        paths.push(match path.as_str() {
            "/uploads/{name}" => upload.clone(),
            "/videos/{name}" => format!("/videos/video_{text}.mp4"),
            "/files/{job}/{name}" => format!("/files/{id}/video.mp4"),
            "/video-status" => format!("{path}?job_id={text}"),
            "/generation/{id}" => "/generation/none".into(),
            "/v1/models/{model}" => path.replace("{model}", &model),
            "/v1/videos/characters/{id}" => "/v1/videos/characters/none".into(),
            path if path.starts_with("/v1/videos/") => path.replace("{id}", &video),
            "/api/v1/bundle" => format!("{path}?ids={id}"),
            path if path.starts_with("/api/v1/tasks/{id}") => path.replace("{id}", &id),
            path if path.ends_with("/{id}") => path.replace("{id}", &id),
            path => path.to_owned(),
        });
    }
    assert!(paths.len() > 20 && !paths.iter().any(|path| path.contains('{')), "{paths:?}");
    for path in &paths {
        let ask = |method: Method| client().request(method, server.url(path)).send();
        let got = ask(Method::GET).await.unwrap();
        let headed = ask(Method::HEAD).await.unwrap();
        let (mut of_get, mut of_head) = (head_of(&got), head_of(&headed));
        if path.starts_with("/api/v1/bundle") {
            // The file's name has the time.
            assert!(of_get.1.remove("content-disposition").is_some() && of_head.1.remove("content-disposition").is_some());
        }
        if path == "/metrics" || path == "/health" || path == "/api/v1/machine" {
            // /metrics counts the previous request, and the others contain times.
            assert!(of_get.1.remove("content-length").is_some() && of_head.1.remove("content-length").is_some());
        }
        assert_eq!(of_head, of_get, "{path}");
        let expected = match path.as_str() {
            "/generation/none" | "/v1/videos/characters/none" => 404,
            "/docs/" | "/redoc/" => 307,
            _ => 200,
        };
        assert_eq!(of_head.0.as_u16(), expected, "{path}");
        assert_eq!(headed.bytes().await.unwrap().len(), 0, "{path}");
        // A bundle's size is known when it ends.
        if !path.ends_with("/events") && !path.starts_with("/api/v1/bundle") {
            let length: usize = got.headers()["content-length"].to_str().unwrap().parse().unwrap();
            assert_eq!(got.bytes().await.unwrap().len(), length, "{path}");
        }
    }
}

#[actix_web::test]
async fn every_path_lists_its_methods() {
    let server = start().await;
    let mut paths = documented(&server).await;
    paths.extend(UNDOCUMENTED.map(|(path, methods)| (path.to_owned(), methods.iter().map(|method| (*method).to_owned()).collect())));
    for (path, methods) in paths {
        let has = |method: &str| methods.iter().any(|found| found == method);
        let named = [("get", "GET, HEAD"), ("post", "POST"), ("patch", "PATCH"), ("delete", "DELETE")];
        let mut allow: Vec<&str> = named.into_iter().filter(|(method, _)| has(method)).map(|(_, allow)| allow).collect();
        assert_eq!(allow.len(), methods.len(), "{path} has {methods:?}");
        allow.push("OPTIONS");
        let ask = |method: &'static str| client().request(method.parse().unwrap(), server.url(&path.replace(['{', '}'], ""))).send();
        let allowed = |answer: &Response| answer.headers()["allow"].to_str().unwrap().to_owned();
        let options = ask("OPTIONS").await.unwrap();
        assert_eq!((options.status().as_u16(), allowed(&options)), (204, allow.join(", ")), "{path}");
        for method in ["PUT", "PATCH", "TRACE", "BREW", "POST", "GET", "HEAD", "DELETE"] {
            let group = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
            if !has(&group) {
                let refused = ask(method).await.unwrap();
                assert_eq!((refused.status().as_u16(), allowed(&refused)), (405, allow.join(", ")), "{method} {path}");
            }
        }
    }
    assert_eq!(server.jobs.active(), 0);
}

#[actix_web::test]
async fn head_reveals_no_more_than_get() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(4).await).await;
    let body = json!({"text": "a boat"});
    let made = client().post(server.url("/generate-video")).bearer_auth(ALICES_KEY).json(&body).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    let id = made["job_id"].as_str().unwrap();
    server.jobs.finished("alice", id).await.unwrap();
    let status = client().get(server.url(&format!("/video-status?job_id={id}"))).bearer_auth(ALICES_KEY).send().await.unwrap();
    let status: Value = status.json().await.unwrap();
    let link = status["video_url"].as_str().unwrap().to_owned();
    let (file, _) = link.split_once('?').unwrap();
    let task = server.url(&format!("/api/v1/tasks/{id}"));
    let events = format!("{task}/events");
    for (url, key, expected) in [
        (link.as_str(), None, 200),
        (&link.replace("expires=", "expires=1"), None, 404),
        (file, None, 401),
        (file, Some(ALICES_KEY), 200),
        (file, Some(BOBS_KEY), 404),
        (&task, None, 401),
        (&task, Some(BOBS_KEY), 404),
        (&task, Some(ALICES_KEY), 200),
        (&events, None, 401),
        (&events, Some(BOBS_KEY), 404),
        (&events, Some(ALICES_KEY), 200),
        (&server.url("/metrics"), None, 401),
        (&server.url("/none"), None, 401),
    ] {
        let ask = |method: Method| {
            let request = client().request(method, url);
            key.map_or(request.try_clone().unwrap(), |key| request.bearer_auth(key)).send()
        };
        let (headed, got) = (ask(Method::HEAD).await.unwrap(), ask(Method::GET).await.unwrap());
        assert_eq!(headed.status().as_u16(), expected, "{url} {key:?}");
        assert_eq!(head_of(&headed), head_of(&got), "{url} {key:?}");
    }
}

#[actix_web::test]
async fn head_starts_nothing_and_holds_nothing() {
    let tasks = TasksSettings { streams_per_owner: 1, ..settings().tasks };
    let server = Running::with_settings(ServerSettings { tasks, ..settings() }, engine(4).await).await;
    let id = server.submit(json!({"prompt": "slow"})).await;
    let events = format!("/api/v1/tasks/{id}/events");
    // The task never finishes, and neither would a stream.
    for _ in 0..5 {
        let headed = tokio::time::timeout(PATIENCE, client().head(server.url(&events)).send()).await.expect("an answer").unwrap();
        assert_eq!(
            (headed.status().as_u16(), &headed.headers()["content-type"]),
            (200, &"text/event-stream; charset=utf-8".parse().unwrap())
        );
    }
    let mut stream = client().get(server.url(&events)).send().await.unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    assert!(stream.chunk().await.unwrap().unwrap().starts_with(b"retry: "));
    let full = client().head(server.url(&events)).send().await.unwrap();
    assert_eq!(full.status().as_u16(), 429, "as for GET");
    drop(stream);

    let (before, length) = (server.jobs.active(), "Content-Length: 18");
    let head = exchange(server.address, request("HEAD /generate", &["Host: localhost", length], r#"{"prompt": "boat"}"#)).await;
    assert_eq!((head.status(), head.body()), (405, ""));
    assert_eq!(server.jobs.active(), before);

    // No byte of a body is between two answers on a connection.
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let ask = |first: &str| format!("{first} HTTP/1.1\r\nHost: localhost\r\n");
    let both = ask("HEAD /docs/swagger-ui.css") + "\r\n" + &ask("HEAD /none") + "\r\n" + &ask("GET /health") + "Connection: close\r\n\r\n";
    connection.write_all(both.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, connection.read_to_string(&mut text)).await.expect("an end").unwrap();
    let statuses: Vec<_> = text.split("\r\n\r\n").map(|head| Raw(head.to_owned()).status()).collect();
    assert_eq!(statuses, [200, 404, 200, 0], "{text}");
}
