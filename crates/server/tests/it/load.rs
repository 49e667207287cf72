//! A thousand requests over 64 connections while the device is busy: each is answered as it should be or told when to come again, and
//! every job that was taken ends.
//!
//! For the first third of the requests a picture holds the device that never ends by itself, so that the queue is full; then its client
//! hangs up, and jobs of a few milliseconds follow each other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use generation::{
    ImageRequest, Limits, SubmitError,
    jobs::{JobState, NewJob, Page, Priority, SubmitJobError, Work},
};
use serde_json::{Value, json};

use crate::{
    fake::{PATIENCE, Running},
    fake_model::info,
};

const REQUESTS: usize = 1_000;
const CONNECTIONS: usize = 64;
/// Far fewer than there are connections.
const PLACES: usize = 16;
/// How long a client waits that is told to come again: much less than it is told, but not nothing.
const IMPATIENCE: Duration = Duration::from_millis(100);
/// For all requests together, on any machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// What is asked, in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Picture,
    Health,
    Root,
    StoredJob,
}

const TURNS: [Ask; 8] = [Ask::Picture, Ask::Health, Ask::StoredJob, Ask::Picture, Ask::Root, Ask::StoredJob, Ask::Health, Ask::StoredJob];

#[derive(Default)]
struct Seen {
    /// How often each was answered with which status.
    answers: BTreeMap<(Ask, u16), usize>,
    /// The ids of jobs that were taken.
    taken: Vec<String>,
}

fn stored(id: String) -> NewJob {
    let request = ImageRequest { prompt: Some("unhurried".into()), num_inference_steps: Some(3), seed: Some(7), ..ImageRequest::default() };
    NewJob {
        id,
        owner: String::new(),
        priority: Priority::Normal,
        work: Work::Pictures(request.validate(&Limits::default(), &info()).unwrap()),
        note: Value::Null,
        idempotency: None,
        callback_url: None,
    }
}

/// Checks an answer to a request that may be told to come again, and returns its status.
async fn status_of(answer: reqwest::Response) -> u16 {
    let status = answer.status().as_u16();
    if status == 429 {
        let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3600).contains(&seconds), "{seconds}");
    }
    let body = answer.bytes().await.unwrap();
    assert!(!body.is_empty());
    status
}

async fn ask(server: &Running, client: &reqwest::Client, ask: Ask, number: usize, seen: &Mutex<Seen>) -> u16 {
    match ask {
        Ask::Picture => {
            let body = json!({"prompt": "unhurried", "num_inference_steps": 3});
            status_of(client.post(server.url("/generate")).json(&body).send().await.unwrap()).await
        }
        Ask::Health => status_of(client.get(server.url("/health")).send().await.unwrap()).await,
        Ask::Root => status_of(client.get(server.url("/")).send().await.unwrap()).await,
        Ask::StoredJob => match server.jobs.submit(stored(format!("img_{number}"))).await {
            Ok(taken) => {
                seen.lock().unwrap().taken.push(taken.job.id.clone());
                assert!(server.jobs.get("", &taken.job.id).await.unwrap().is_some());
                202
            }
            Err(SubmitJobError::Submit(SubmitError::QueueFull { .. })) => 429,
            Err(error) => panic!("{error}"),
        },
    }
}

#[actix_web::test]
async fn a_thousand_requests_are_all_answered_while_the_device_is_busy() {
    let server = Arc::new(Running::start(PLACES).await);
    let held = server.request("slow").await;
    server.wait_for_jobs(1).await;
    let held = Arc::new(Mutex::new(Some(held)));

    let client = reqwest::Client::builder().pool_max_idle_per_host(CONNECTIONS).timeout(DEADLINE).build().unwrap();
    let (next, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Seen::default())));
    let started = Instant::now();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (server, client, next, seen, held) =
                (Arc::clone(&server), client.clone(), Arc::clone(&next), Arc::clone(&seen), Arc::clone(&held));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= REQUESTS {
                        return;
                    }
                    let what = TURNS[number % TURNS.len()];
                    let status = ask(&server, &client, what, number, &seen).await;
                    *seen.lock().unwrap().answers.entry((what, status)).or_default() += 1;
                    if number == REQUESTS / 3 {
                        held.lock().unwrap().take();
                    }
                    if status == 429 {
                        tokio::time::sleep(IMPATIENCE).await;
                    }
                }
            })
        })
        .collect();
    for connection in connections {
        tokio::time::timeout(DEADLINE, connection).await.expect("no request hangs").unwrap();
    }
    let took = started.elapsed();

    let Seen { answers, mut taken } = std::mem::take(&mut *seen.lock().unwrap());
    println!("{REQUESTS} requests at {CONNECTIONS} connections in {took:?}: {answers:?}, {} jobs taken", taken.len());
    assert_eq!(answers.values().sum::<usize>(), REQUESTS);
    for ((what, status), count) in &answers {
        let is_right = match what {
            Ask::Picture => matches!(status, 200 | 429),
            Ask::Health | Ask::Root => *status == 200,
            Ask::StoredJob => matches!(status, 202 | 429),
        };
        assert!(is_right, "{count} of {what:?} were answered {status}");
    }
    for what in [(Ask::Picture, 200), (Ask::Picture, 429), (Ask::StoredJob, 202), (Ask::StoredJob, 429)] {
        assert!(answers.contains_key(&what), "{what:?} is among the answers: {answers:?}");
    }

    for id in &taken {
        let job = tokio::time::timeout(PATIENCE, server.jobs.finished("", id)).await.expect("it ends").unwrap().unwrap();
        assert_eq!(job.state, JobState::Completed, "{id}");
    }
    server.wait_for_jobs(0).await;
    let page = Page { beyond: None, limit: 2 * REQUESTS, state: None, newest_first: false };
    let mut kept: Vec<String> = server.jobs.list("", page).await.unwrap().into_iter().map(|job| job.id).collect();
    kept.sort();
    taken.sort();
    assert_eq!(kept, taken, "what was refused has left nothing");
}
