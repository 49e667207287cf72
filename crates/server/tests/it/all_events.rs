//! `GET /api/v1/events`: the events of all of a caller's tasks, and resuming.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use server::{ServerSettings, TasksSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{PATIENCE, Running, engine},
    task_client::{clip, settings, start},
};

/// An event of the stream.
#[derive(Clone, Debug)]
struct Event {
    id: Option<i64>,
    kind: String,
    data: Value,
}

impl Event {
    fn task(&self) -> &str {
        self.data["task_id"].as_str().unwrap_or_default()
    }
}

/// A stream that is read as it arrives.
struct Stream {
    answer: Response,
    text: String,
}

impl Stream {
    async fn open(server: &Running, query: &str, last: Option<i64>, key: Option<&str>) -> Self {
        let mut request = reqwest::Client::new().get(server.url(&format!("/api/v1/events{query}")));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
        Self { answer, text: String::new() }
    }

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

    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if let (Some(kind), Some(data)) = (line("event: "), line("data: ")) {
                return Some(Event { id: line("id: ").map(|id| id.parse().unwrap()), kind, data: serde_json::from_str(&data).unwrap() });
            }
        }
    }

    /// The events up to one that satisfies the condition.
    async fn until(&mut self, is_so: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await.expect("the stream continues");
            let is_last = is_so(&event);
            events.push(event);
            if is_last {
                return events;
            }
        }
    }
}

fn ends(id: &str) -> impl Fn(&Event) -> bool {
    move |event: &Event| event.task() == id && event.data.get("task").is_some()
}

#[actix_web::test]
async fn one_stream_has_the_events_of_all_tasks_from_now_on() {
    let server = start().await;
    let earlier = server.submit(json!({})).await;
    server.ended(&earlier).await;
    let mut stream = Stream::open(&server, "", None, None).await;
    let hello = stream.event().await.unwrap();
    assert_eq!((hello.kind.as_str(), hello.id), ("hello", hello.data["last_event_id"].as_i64()));
    let (first, second) = (server.submit(json!({})).await, server.submit(json!({"prompt": "broken"})).await);
    let mut events = stream.until(|event| ends(&first)(event) || ends(&second)(event)).await;
    let other = if ends(&second)(events.last().unwrap()) { &first } else { &second };
    events.extend(stream.until(ends(other)).await);
    assert!(events.iter().all(|event| event.task() == first || event.task() == second), "{events:?}");
    assert!(events.iter().is_sorted_by(|one, other| one.id < other.id) && events[0].id > hello.id, "{events:?}");
    for (id, end, status) in [(&first, "completed", "completed"), (&second, "failed", "failed")] {
        let of: Vec<&Event> = events.iter().filter(|event| event.task() == id).collect();
        assert_eq!((of[0].kind.as_str(), of[0].data["status"].as_str()), ("queued", Some("pending")));
        let last = of.last().unwrap();
        assert_eq!((last.kind.as_str(), last.data["status"].as_str()), (end, Some(status)));
        assert_eq!(last.data["task"], server.task(id).await);
    }
    // A client that reconnects gets the events that it missed, and no greeting.
    let behind = events[1].id.unwrap();
    let mut again = Stream::open(&server, "", Some(behind), None).await;
    let missed = again.until(ends(other)).await;
    assert_eq!(missed.iter().map(|event| event.id).collect::<Vec<_>>(), events[2..].iter().map(|event| event.id).collect::<Vec<_>>());
    let mut by_query = Stream::open(&server, &format!("?last_event_id={behind}"), None, None).await;
    assert_eq!(by_query.event().await.unwrap().id, events[2].id);
    // A number that this server has not reached is another store's: the stream begins anew.
    let mut beyond = Stream::open(&server, "", Some(1 << 40), None).await;
    assert_eq!(beyond.event().await.unwrap().kind, "hello");
}

#[actix_web::test]
async fn events_resume_over_a_reopened_store() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServerSettings { shutdown_limit: Duration::ZERO, ..settings() };
    let first = Running::in_folder(folder.path(), settings.clone(), engine(4).await).await;
    let mut stream = Stream::open(&first, "", None, None).await;
    let (slow, waiting) = (first.submit(json!({"prompt": "slow"})).await, first.submit(json!({})).await);
    let seen = stream.until(|event| event.kind == "progress").await;
    let last = seen.last().unwrap().id.unwrap();
    // The stream closes with the server.
    let rest = async { while stream.event().await.is_some() {} };
    tokio::join!(rest, first.end());
    let second = Running::in_folder(folder.path(), settings, engine(4).await).await;
    let mut stream = Stream::open(&second, "", Some(last), None).await;
    let events = stream.until(|event| event.kind == "started" && event.task() == slow).await;
    assert!(events.iter().all(|event| event.id > Some(last)), "{events:?}");
    assert!(events.iter().any(|event| event.kind == "requeued" && event.task() == slow), "{events:?}");
    assert_eq!(second.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}"), None).await.0.as_u16(), 200);
    let events = stream.until(ends(&waiting)).await;
    assert!(events.iter().any(ends(&slow)), "{events:?}");
}

#[actix_web::test]
async fn events_of_others_are_never_sent() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..settings() }, engine(4).await).await;
    let client = reqwest::Client::new();
    let submit = async |key: &str| -> String {
        let answer = client.post(server.url("/api/v1/videos/generate")).bearer_auth(key).json(&clip(json!({}))).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned()
    };
    let mut stream = Stream::open(&server, "?previews=true", None, Some(BOBS_KEY)).await;
    let hello = stream.event().await.unwrap();
    let alices = submit(ALICES_KEY).await;
    let mut hers = Stream::open(&server, "", hello.id, Some(ALICES_KEY)).await;
    hers.until(ends(&alices)).await;
    let forgotten = client.delete(server.url(&format!("/api/v1/tasks/{alices}?forget=true"))).bearer_auth(ALICES_KEY).send().await.unwrap();
    assert_eq!(forgotten.status().as_u16(), 200);
    let bobs = submit(BOBS_KEY).await;
    let events = stream.until(ends(&bobs)).await;
    assert!(events.iter().all(|event| event.task() == bobs), "{events:?}");
    // Nor to one who resumes.
    let mut stream = Stream::open(&server, "", hello.id, Some(BOBS_KEY)).await;
    assert!(stream.until(ends(&bobs)).await.iter().all(|event| event.task() == bobs));
    let nobody = client.get(server.url("/api/v1/events")).send().await.unwrap();
    assert_eq!(nobody.status().as_u16(), 401);
}

#[actix_web::test]
async fn previews_waiting_requests_and_deletions_have_no_number() {
    let server = start().await;
    let mut stream = Stream::open(&server, "?previews=true", None, None).await;
    let request = server.request("slow").await;
    // A request that waits for its picture is a task while it runs.
    let events = stream.until(|event| event.kind == "preview").await;
    let id = events.last().unwrap().task().to_owned();
    assert!(id.starts_with("img_"), "{events:?}");
    assert!(events.iter().filter(|event| event.kind != "hello").all(|event| event.id.is_none() && event.task() == id), "{events:?}");
    drop(request);
    stream.until(|event| event.kind == "cancelled").await;
    let video = server.submit(json!({})).await;
    let events = stream.until(ends(&video)).await;
    assert!(events.iter().filter(|event| event.kind != "preview" && event.task() == video).all(|event| event.id.is_some()), "{events:?}");
    let (status, _) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{video}?forget=true"), None).await;
    assert_eq!(status.as_u16(), 200);
    let gone = stream.until(|event| event.kind == "forgotten").await;
    let gone = gone.last().unwrap();
    assert_eq!((gone.id, &gone.data), (None, &json!({"task_id": video})));
}

#[actix_web::test]
async fn a_quiet_stream_of_all_tasks_has_heartbeats_and_a_limit() {
    let tasks = TasksSettings { heartbeat: Duration::from_millis(30), streams_per_owner: 1, ..settings().tasks };
    let server = Running::with_settings(ServerSettings { tasks, ..settings() }, engine(4).await).await;
    let mut stream = Stream::open(&server, "", None, None).await;
    let mut alive = 0;
    while alive < 3 {
        alive += usize::from(stream.block().await.unwrap().starts_with(": "));
    }
    let (status, answer) = server.ask(Method::GET, "/api/v1/events", None).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (429, &json!("RATE_LIMIT_EXCEEDED")));
    drop(stream);
    let (status, answer) = server.ask(Method::GET, "/api/v1/events?last_event_id=x", None).await;
    assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["query", "last_event_id"])));
}
