//! Requests that wait for their image or video: repeated with an idempotency key, listed among the tasks, and cancelled by another request.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    fake::{PATIENCE, Running},
    task_client::{clip, start},
};

async fn post(url: String, key: Option<&str>, body: Value) -> Response {
    let mut request = reqwest::Client::new().post(url).json(&body).timeout(PATIENCE);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.send().await.unwrap()
}

fn head<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

/// The parts of an answer that a replay must repeat, and whether it is marked as a replay.
async fn parts(answer: Response) -> ((u16, String, Vec<u8>), bool) {
    let seed = head(&answer, "x-seed").unwrap().to_owned();
    let is_replayed = head(&answer, "idempotent-replayed") == Some("true");
    ((answer.status().as_u16(), seed, answer.bytes().await.unwrap().to_vec()), is_replayed)
}

fn image() -> Value {
    let Value::Object(mut body) = clip(json!({})) else { unreachable!() };
    json!({"image": body.remove("image")})
}

async fn tasks(server: &Running) -> Vec<Value> {
    server.ask(Method::GET, "/api/v1/tasks", None).await.1.as_array().unwrap().clone()
}

/// The only task, once it runs.
async fn running_task(server: &Running) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let tasks = tasks(server).await;
        if let [task] = tasks.as_slice()
            && task["status"] == "processing"
        {
            return task["task_id"].as_str().unwrap().to_owned();
        }
        assert!(tasks.len() < 2 && Instant::now() < deadline, "{tasks:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_web::test]
async fn repeated_requests_with_one_key_get_one_answer_and_make_one_job() {
    let server = start().await;
    // Each request draws a new seed, so equal seeds show that the result is the same.
    for (path, body) in [("/generate", json!({"prompt": "stuck"})), ("/animate", image())] {
        // Concurrently, and after the first was answered.
        let at_once = futures_util::future::join_all((0..3).map(|_| post(server.url(path), Some(path), body.clone()))).await;
        let mut seen = Vec::new();
        for answer in at_once {
            seen.push(parts(answer).await);
        }
        seen.push(parts(post(server.url(path), Some(path), body.clone()).await).await);
        assert!(seen.iter().all(|(answer, _)| *answer == seen[0].0 && answer.0 == 200 && !answer.2.is_empty()), "{path}");
        assert_eq!(seen.iter().filter(|(_, is_replayed)| !is_replayed).count(), 1, "{path}");
        assert!(seen[3].1, "{path}");
        let other = post(server.url(path), None, body).await;
        assert_ne!(head(&other, "x-seed").unwrap(), seen[0].0.1, "a request without a key is a new one");
        assert!(head(&other, "idempotent-replayed").is_none());
    }
    assert_eq!(server.jobs.metrics().completed, 4);
}

#[actix_web::test]
async fn another_request_with_the_same_key_is_refused() {
    let server = start().await;
    assert_eq!(post(server.url("/generate"), Some("one"), json!({"prompt": "a boat"})).await.status().as_u16(), 200);
    for (path, body) in [
        ("/generate", json!({"prompt": "a star"})),
        ("/animate", image()),
        ("/api/v1/images/generate", json!({"prompt": "a boat"})),
        ("/api/v1/videos/generate", clip(json!({}))),
    ] {
        let answer = post(server.url(path), Some("one"), body).await;
        assert_eq!(answer.status().as_u16(), 422, "{path}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["detail"][0]["loc"], json!(["header", "Idempotency-Key"]), "{path}");
    }
    // And the other way round.
    let stored = post(server.url("/api/v1/images/generate"), Some("two"), json!({"prompt": "a boat"})).await;
    assert_eq!(stored.status().as_u16(), 200);
    assert_eq!(post(server.url("/generate"), Some("two"), json!({"prompt": "a boat"})).await.status().as_u16(), 422);
}

#[actix_web::test]
async fn a_waiting_request_is_a_task_that_can_be_followed_and_cancelled() {
    let server = start().await;
    let waiting = tokio::spawn(post(server.url("/generate"), Some("one"), json!({"prompt": "slow"})));
    let id = running_task(&server).await;
    let task = server.task(&id).await;
    assert_eq!((&task["status"], &task["queue_position"]), (&json!("processing"), &Value::Null), "{task}");
    let url = server.url(&format!("/api/v1/tasks/{id}/events"));
    let events = tokio::spawn(async move { reqwest::get(url).await.unwrap().text().await.unwrap() });
    let (status, cancelled) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await;
    assert_eq!((status.as_u16(), &cancelled["success"]), (200, &json!(true)), "{cancelled}");

    let answer = waiting.await.unwrap();
    assert_eq!(answer.status().as_u16(), 410);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"detail": format!("Task {id} has been cancelled")}));
    let events = tokio::time::timeout(PATIENCE, events).await.expect("the stream ends").unwrap();
    let kinds: Vec<_> = events.lines().filter_map(|line| line.strip_prefix("event: ")).filter(|kind| *kind != "progress").collect();
    assert_eq!(kinds, ["queued", "started", "cancelled"], "{events}");
    assert_eq!((tasks(&server).await.len(), server.jobs.active()), (0, 0));
    assert_eq!(server.task(&id).await["status"], "cancelled", "its followers can still read it");
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 409);

    // The same for a waiting video; and the key is free for another attempt.
    let waiting = tokio::spawn(post(server.url("/generate"), Some("one"), json!({"prompt": "stuck"})));
    running_task(&server).await;
    let scenes = json!({"scenes": ["slow", "a star"]});
    let second = tokio::spawn(post(server.url("/generate-video"), None, scenes));
    server.wait_for_jobs(2).await;
    let second_id = tasks(&server).await[0]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.task(&second_id).await["queue_position"], 0);
    server.ask(Method::DELETE, &format!("/api/v1/tasks/{second_id}"), None).await;
    let answer = second.await.unwrap();
    assert_eq!(answer.status().as_u16(), 410);
    assert_eq!(waiting.await.unwrap().status().as_u16(), 200);
    assert_eq!((tasks(&server).await.len(), server.jobs.active()), (0, 0));
}
