//! `GET /api/v1/tasks/{id}/events`: the events, their order, and resuming.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::RgbImage;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use server::{ServerSettings, TasksSettings};

use crate::{
    fake::{PATIENCE, Running, engine},
    task_client::{settings, start},
};

/// One event of a stream.
#[derive(Debug)]
struct Event {
    id: i64,
    kind: String,
    data: Value,
}

/// A stream that is read as it arrives.
struct Stream {
    answer: Response,
    text: String,
}

impl Stream {
    async fn open(server: &Running, id: &str, last: Option<i64>) -> Self {
        let mut request = reqwest::Client::new().get(server.url(&format!("/api/v1/tasks/{id}/events")));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(answer.headers()["cache-control"], "no-store, no-cache, no-transform");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        Self { answer, text: String::new() }
    }

    /// The next block of lines; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let piece = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("something comes").unwrap()?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The next event; comments and other blocks are skipped.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if let (Some(id), Some(kind), Some(data)) = (line("id: "), line("event: "), line("data: ")) {
                return Some(Event { id: id.parse().unwrap(), kind, data: serde_json::from_str(&data).unwrap() });
            }
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }
}

#[actix_web::test]
async fn a_stream_has_all_events_of_a_task() {
    let server = start().await;
    let id = server.submit(json!({})).await;
    let mut stream = Stream::open(&server, &id, None).await;
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");
    let events = stream.rest().await;
    assert!(events.is_sorted_by(|a, b| a.id < b.id), "{events:?}");
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!((&kinds[..2], kinds.last()), (&["queued", "started"][..], Some(&"completed")));
    let status = |kind: &str| &events.iter().find(|event| event.kind == kind).unwrap().data["status"];
    assert_eq!([status("queued"), status("started"), status("completed")], ["pending", "processing", "completed"]);
    for event in &events {
        assert_eq!(event.data["task_id"], id);
        assert!(event.data["at"].as_str().unwrap().ends_with('Z'));
    }
    // The last event has the whole task, so no further request is needed.
    let last = &events.last().unwrap().data;
    assert_eq!((&last["progress"], &last["task"]), (&json!(100), &server.task(&id).await));

    // A client that reconnects gets the new events only, and after the end a 204, which stops browsers from reconnecting.
    let seen = events[1].id;
    let behind: Vec<i64> = Stream::open(&server, &id, Some(seen)).await.rest().await.iter().map(|event| event.id).collect();
    assert_eq!(behind, events[2..].iter().map(|event| event.id).collect::<Vec<_>>());
    let end = events.last().unwrap().id;
    let answer = reqwest::get(server.url(&format!("/api/v1/tasks/{id}/events?last_event_id={end}"))).await.unwrap();
    assert_eq!(answer.status().as_u16(), 204);
}

#[actix_web::test]
async fn progress_is_streamed_as_it_happens() {
    let server = start().await;
    let id = server.submit(json!({"prompt": "slow"})).await;
    let mut stream = Stream::open(&server, &id, None).await;
    let mut progress = Vec::new();
    while progress.len() < 2 {
        let event = stream.event().await.unwrap();
        if event.kind == "progress" {
            progress.push(event.data["progress"].as_u64().unwrap());
            assert!(event.data["frame"].as_u64().is_some() && event.data["status"] == "processing", "{event:?}");
        }
    }
    assert!(progress[0] < progress[1], "{progress:?}");
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
    let rest = stream.rest().await;
    let last = rest.last().unwrap();
    assert_eq!((last.kind.as_str(), &last.data["task"]["status"]), ("cancelled", &json!("cancelled")));
}

/// The next preview of a stream.
async fn preview(stream: &mut Stream) -> Value {
    loop {
        let block = stream.block().await.expect("the stream continues");
        let Some(data) = block.strip_prefix("event: preview\ndata: ") else { continue };
        return serde_json::from_str(data).unwrap();
    }
}

/// A preview's picture, whose size must be the declared one.
fn image_of(preview: &Value) -> RgbImage {
    let png = preview["image"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let image = image::load_from_memory(&BASE64_STANDARD.decode(png).unwrap()).unwrap().to_rgb8();
    assert_eq!((&preview["width"], &preview["height"]), (&json!(image.width()), &json!(image.height())));
    image
}

#[actix_web::test]
async fn previews_of_a_video_are_streamed_on_request() {
    let server = start().await;
    let id = server.submit(json!({"prompt": "slow", "resolution": "640x480"})).await;
    let url = server.url(&format!("/api/v1/tasks/{id}/events?previews=true"));
    let mut stream = Stream { answer: reqwest::get(url).await.unwrap(), text: String::new() };
    let mut frames = Vec::new();
    while frames.len() < 2 {
        let preview = preview(&mut stream).await;
        assert_eq!(preview["task_id"], id);
        let image = image_of(&preview);
        if let Some(frame) = preview["frame"].as_u64() {
            assert_eq!(image.dimensions(), (256, 192));
            frames.push(frame);
        }
    }
    assert!(frames[0] < frames[1], "{frames:?}");
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
    assert_eq!(stream.rest().await.last().unwrap().kind, "cancelled");
}

#[actix_web::test]
async fn previews_of_an_images_steps_are_streamed_on_request_only() {
    let server = start().await;
    let body = json!({"prompt": "slow"});
    let request = server.ask(Method::POST, "/api/v1/images/generate", Some(body));
    let watch = async {
        server.wait_for_jobs(1).await;
        let tasks = server.ask(Method::GET, "/api/v1/tasks", None).await.1;
        let id = tasks[0]["task_id"].as_str().unwrap().to_owned();
        let mut others = Stream::open(&server, &id, None).await;
        let url = server.url(&format!("/api/v1/tasks/{id}/events?previews=true"));
        let mut stream = Stream { answer: reqwest::get(url).await.unwrap(), text: String::new() };
        let [first, second] = [preview(&mut stream).await, preview(&mut stream).await];
        assert!(first["step"].as_u64().unwrap() < second["step"].as_u64().unwrap());
        assert_eq!((&first["task_id"], &first["part"], first.get("frame")), (&json!(id), &json!(0), None));
        // The fake model's preview is a solid colour per step.
        let (step, seen) = (first["step"].as_u64().unwrap(), image_of(&first));
        assert_eq!((seen.dimensions(), seen.get_pixel(4, 4).0[1]), ((8, 8), (step % 256) as u8));
        assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
        assert_eq!(stream.rest().await.last().unwrap().kind, "cancelled");
        while let Some(block) = others.block().await {
            assert!(!block.contains("event: preview"), "{block}");
        }
    };
    let ((status, answer), ()) = tokio::join!(request, watch);
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (410, &json!("TASK_CANCELLED")));
}

#[actix_web::test]
async fn missed_events_are_sent_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServerSettings { shutdown_limit: Duration::ZERO, ..settings() };
    let first = Running::in_folder(folder.path(), settings.clone(), engine(4).await).await;
    let id = first.submit(json!({"prompt": "slow"})).await;
    let mut stream = Stream::open(&first, &id, None).await;
    let last = loop {
        let event = stream.event().await.unwrap();
        if event.kind == "progress" {
            break event.id;
        }
    };
    // The stream closes with the server, without a final event.
    let (rest, ()) = tokio::join!(stream.rest(), first.end());
    assert!(rest.iter().all(|event| event.kind != "cancelled" && event.kind != "failed"), "{rest:?}");
    let second = Running::in_folder(folder.path(), settings, engine(4).await).await;
    let mut stream = Stream::open(&second, &id, Some(last)).await;
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| kind == "started") {
        let event = stream.event().await.unwrap();
        assert!(event.id > last);
        kinds.push(event.kind);
    }
    assert!(kinds.iter().any(|kind| kind == "requeued"), "{kinds:?}");
    assert_eq!(second.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
    assert_eq!(stream.rest().await.last().unwrap().kind, "cancelled");
}

#[actix_web::test]
async fn a_quiet_stream_has_heartbeats() {
    let tasks = TasksSettings { heartbeat: Duration::from_millis(30), ..settings().tasks };
    let server = Running::with_settings(ServerSettings { tasks, ..settings() }, engine(4).await).await;
    // A queued task has no events.
    let slow = server.submit(json!({"prompt": "slow"})).await;
    let waiting = server.submit(json!({})).await;
    server.task_when(&slow, |task| task["progress"] == 99).await;
    let mut stream = Stream::open(&server, &waiting, None).await;
    let mut alive = 0;
    while alive < 3 {
        alive += usize::from(stream.block().await.unwrap().starts_with(": "));
    }
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}"), None).await.0.as_u16(), 200);
    assert_eq!(stream.rest().await.last().unwrap().kind, "completed");
}

#[actix_web::test]
async fn streams_are_bounded_and_closing_one_frees_its_slot() {
    let tasks = TasksSettings { streams_per_owner: 2, ..settings().tasks };
    let server = Running::with_settings(ServerSettings { tasks, ..settings() }, engine(4).await).await;
    let id = server.submit(json!({"prompt": "slow"})).await;
    let streams = [Stream::open(&server, &id, None).await, Stream::open(&server, &id, None).await];
    let events = format!("/api/v1/tasks/{id}/events");
    let answer = reqwest::get(server.url(&events)).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "RATE_LIMIT_EXCEEDED");
    drop(streams);
    let deadline = std::time::Instant::now() + PATIENCE;
    while reqwest::get(server.url(&events)).await.unwrap().status().as_u16() != 200 {
        assert!(std::time::Instant::now() < deadline, "closed streams free their slots");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (status, answer) = server.ask(Method::GET, &format!("{events}?last_event_id=x"), None).await;
    assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["query", "last_event_id"])));
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
}
