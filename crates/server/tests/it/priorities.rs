//! Scheduling: a key's priority and its owner apply to every route, and to held and stored jobs alike.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::jobs::Priority;
use serde_json::{Value, json};
use server::{
    ServerSettings,
    access::{AccessSettings, ApiKey},
};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY},
    fake::{PATIENCE, Running, engine},
    task_client::{clip, png, settings},
};

/// Sends a request in the background; the handle yields the answer.
fn post(server: &Running, key: &str, path: &str, body: &Value) -> tokio::task::JoinHandle<Value> {
    let request = reqwest::Client::new().post(server.url(path)).bearer_auth(key).json(body);
    tokio::spawn(async move { request.send().await.unwrap().json().await.unwrap() })
}

#[actix_web::test]
async fn jobs_of_an_urgent_key_come_first() {
    let keys = [("alice", ALICES_KEY, Priority::Low), ("bob", BOBS_KEY, Priority::High)];
    let keys = keys.map(|(name, key, priority)| ApiKey::new(name, key).unwrap().with_priority(priority)).to_vec();
    let access = AccessSettings { keys, ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..settings() }, engine(8).await).await;
    let mut waiting = vec![post(&server, ALICES_KEY, "/generate", &json!({"prompt": "slow"}))];
    server.wait_for_jobs(1).await;
    let submitted = post(&server, ALICES_KEY, "/api/v1/videos/generate", &clip(json!({}))).await.unwrap();
    let id = submitted["task_id"].as_str().unwrap();
    let mine = server.jobs.get("alice", id).await.unwrap().unwrap();
    assert_eq!((mine.priority, mine.position), (Priority::Low, Some(0)));

    let scenes = json!({"scenes": ["a boat", "a star"], "width": 64, "height": 64});
    let character = json!({"text": "a boat"});
    for (before, (path, body)) in [
        ("/generate", json!({"prompt": "a boat"})),
        ("/generate-video", scenes),
        ("/animate", json!({"image": BASE64_STANDARD.encode(png())})),
        ("/generate-video", character),
        ("/api/v1/videos/generate", clip(json!({}))),
        ("/api/v1/images/generate", json!({"prompt": "a boat", "width": 64, "height": 64})),
    ]
    .into_iter()
    .enumerate()
    {
        waiting.push(post(&server, BOBS_KEY, path, &body));
        let deadline = Instant::now() + PATIENCE;
        while server.jobs.get("alice", id).await.unwrap().unwrap().position != Some(before + 1) {
            assert!(Instant::now() < deadline, "{path} {body}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for request in waiting {
        request.abort();
    }
}
