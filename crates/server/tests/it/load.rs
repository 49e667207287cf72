//! A thousand requests over 64 connections while the device is busy: each is answered, or refused with `Retry-After`, and every accepted
//! job ends.
//!
//! During the first third of the requests, a picture that never finishes occupies the device, so the queue is full; then its client hangs
//! up, and jobs of some milliseconds follow each other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use generation::jobs::{JobState, Page};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    fake::{PATIENCE, Running},
    task_client::clip,
};

const REQUESTS: usize = 1_000;
const CONNECTIONS: usize = 64;
/// Far fewer than there are connections.
const PLACES: usize = 16;
/// The time that a refused client waits: much less than `Retry-After`, but not nothing.
const IMPATIENCE: Duration = Duration::from_millis(100);
/// The time limit of all requests together, on any machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// The requests, in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    /// `POST /generate`.
    Image,
    /// `POST /api/v1/videos/generate`.
    ClipTask,
    /// `POST /api/v1/images/generate`.
    ImageTask,
    /// `GET /api/v1/tasks/{id}` of the task that was accepted last.
    Task,
    /// `GET /api/v1/tasks`.
    Tasks,
    /// `GET /health`.
    Health,
}

const TURNS: [Ask; 10] =
    [Ask::Image, Ask::ClipTask, Ask::Task, Ask::Health, Ask::ImageTask, Ask::ClipTask, Ask::Task, Ask::Image, Ask::Tasks, Ask::ClipTask];

impl Ask {
    fn makes_a_job(self) -> bool {
        matches!(self, Self::Image | Self::ClipTask | Self::ImageTask)
    }

    /// Whether it makes a job that outlives its request.
    fn makes_a_task(self) -> bool {
        matches!(self, Self::ClipTask | Self::ImageTask)
    }

    fn request(self, number: usize, last_task: Option<&String>) -> (Method, String, Option<Value>) {
        let image = json!({"prompt": "unhurried", "num_inference_steps": 3});
        match self {
            Self::Image => (Method::POST, "/generate".into(), Some(image)),
            Self::ClipTask => (Method::POST, "/api/v1/videos/generate".into(), Some(clip(json!({"seed": number})))),
            Self::ImageTask => (Method::POST, "/api/v1/images/generate".into(), Some(json!({"prompt": "a boat", "seed": number}))),
            Self::Task => match last_task {
                Some(id) => (Method::GET, format!("/api/v1/tasks/{id}"), None),
                None => (Method::GET, "/api/v1/tasks/".into(), None),
            },
            Self::Tasks => (Method::GET, "/api/v1/tasks?limit=100".into(), None),
            Self::Health => (Method::GET, "/health".into(), None),
        }
    }
}

/// State shared by the connections.
struct Load {
    server: Running,
    client: reqwest::Client,
    next: AtomicUsize,
    /// Keeps the device busy with a picture until it is dropped.
    held: Mutex<Option<TcpStream>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The number of answers, by request and status.
    answers: BTreeMap<(Ask, u16), usize>,
    /// The accepted tasks.
    tasks: Vec<String>,
}

impl Load {
    async fn ask(&self, ask: Ask, number: usize) -> u16 {
        let last = self.seen.lock().unwrap().tasks.last().cloned();
        let (method, path, body) = ask.request(number, last.as_ref());
        let mut request = self.client.request(method, self.server.url(&path));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        if status == 429 {
            let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=3600).contains(&seconds), "{seconds}");
        }
        let body = answer.bytes().await.unwrap();
        assert!(!body.is_empty());
        let mut seen = self.seen.lock().unwrap();
        *seen.answers.entry((ask, status)).or_default() += 1;
        if status == 200 && ask.makes_a_task() {
            let answer: Value = serde_json::from_slice(&body).unwrap();
            seen.tasks.push(answer["task_id"].as_str().unwrap().to_owned());
        }
        status
    }

    /// The requests of one connection, one after another, until all are sent.
    async fn connection(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= REQUESTS {
                return;
            }
            let status = self.ask(TURNS[number % TURNS.len()], number).await;
            if number == REQUESTS / 3 {
                self.held.lock().unwrap().take();
            }
            if status == 429 {
                tokio::time::sleep(IMPATIENCE).await;
            }
        }
    }
}

#[actix_web::test]
async fn a_thousand_requests_are_all_answered_while_the_device_is_busy() {
    let server = Running::start(PLACES).await;
    let held = server.request("slow").await;
    server.wait_for_jobs(1).await;
    let load = Arc::new(Load {
        server,
        client: reqwest::Client::builder().pool_max_idle_per_host(CONNECTIONS).timeout(DEADLINE).build().unwrap(),
        next: AtomicUsize::new(0),
        held: Mutex::new(Some(held)),
        seen: Mutex::default(),
    });
    let connection = |load: Arc<Load>| tokio::spawn(async move { load.connection().await });
    let connections: Vec<_> = (0..CONNECTIONS).map(|_| connection(Arc::clone(&load))).collect();
    for connection in connections {
        tokio::time::timeout(DEADLINE, connection).await.expect("no request hangs").unwrap();
    }

    let Seen { answers, mut tasks } = std::mem::take(&mut *load.seen.lock().unwrap());
    for ((ask, status), count) in &answers {
        assert!(*status == 200 || *status == 429 && ask.makes_a_job(), "{count} of {ask:?} were answered {status}");
    }
    assert_eq!(answers.values().sum::<usize>(), REQUESTS);
    for ask in TURNS.into_iter().filter(|ask| ask.makes_a_job()) {
        assert!(
            answers.contains_key(&(ask, 200)) && answers.contains_key(&(ask, 429)),
            "some of {ask:?} are accepted and some are refused"
        );
    }

    let Load { server, .. } = &*load;
    for id in &tasks {
        let job = tokio::time::timeout(PATIENCE, server.jobs.finished("", id)).await.expect("it ends").unwrap().unwrap();
        assert_eq!(job.state, JobState::Completed, "{id}");
    }
    server.wait_for_jobs(0).await;
    let page = Page { limit: 2 * REQUESTS, newest_first: false, ..Page::default() };
    let mut kept: Vec<String> = server.jobs.list("", page).await.unwrap().into_iter().map(|job| job.id).collect();
    kept.sort();
    tasks.sort();
    assert_eq!(kept, tasks, "refused requests have left nothing");
}
