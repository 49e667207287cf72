//! Videos of scenes over HTTP: the timeline of what will be made, and the parts that were.

use std::time::Instant;

use diffusion_core::{
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{LoadedModel, LocalBackend, LocalSettings};
use reqwest::Response;
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Engine, Running, ask, engine, post_to},
};

/// A server of the embedded models, for two keys.
async fn serving() -> Running {
    let load = || LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None);
    let local = LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap();
    local.loaded().await.unwrap();
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, Engine { local, places: 4 }).await
}

fn body(second: &str) -> Value {
    json!({
        "scenes": ["a boat", {"prompt": second, "transition_frames": 3}, {"prompt": "a sun", "join": "cut"}, "a moon"],
        "num_inference_steps": 2, "duration_per_scene": 0.5, "fps": 8, "width": 64, "height": 64, "transition_frames": 2, "seed": 40
    })
}

async fn post(server: &Running, key: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
    let mut request = reqwest::Client::new().post(server.url(path)).bearer_auth(key).json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
    answer
}

/// Which entries of a timeline are cached.
async fn cached(server: &Running, key: &str, body: &Value) -> Vec<bool> {
    let info: Value = post(server, key, "/generate-video/info", body, &[]).await.json().await.unwrap();
    info["timeline"].as_array().unwrap().iter().map(|part| part["cached"].as_bool().unwrap()).collect()
}

/// The video of a waiting request, and how many parts were made and reused.
async fn video(server: &Running, key: &str, body: &Value) -> (Vec<u8>, [String; 2]) {
    let answer = post(server, key, "/generate-video", body, &[]).await;
    let counts = ["x-parts-made", "x-parts-reused"].map(|name| answer.headers()[name].to_str().unwrap().to_owned());
    (answer.bytes().await.unwrap().to_vec(), counts)
}

/// The finished task of a request that does not wait, and the data of its events of a kind.
async fn task(server: &Running, key: &str, body: &Value, kind: &str) -> (Value, Vec<Value>) {
    let accepted = post(server, key, "/generate-video", body, &[("Prefer", "respond-async")]).await;
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    let get = |path: String| reqwest::Client::new().get(server.url(&path)).bearer_auth(key).send();
    // The stream closes when the task has ended.
    let events = get(format!("{location}/events")).await.unwrap().text().await.unwrap();
    let data = |block: &str| {
        let (head, data) = block.split_once("\ndata: ")?;
        head.ends_with(&format!("event: {kind}")).then(|| serde_json::from_str(data).unwrap())
    };
    let task: Value = get(location).await.unwrap().json().await.unwrap();
    assert_eq!(task["status"], "completed", "{task}");
    (task, events.split("\n\n").filter_map(data).collect())
}

#[actix_web::test]
async fn the_timeline_has_every_scene_and_join() {
    let server = serving().await;
    let info: Value = post(&server, ALICES_KEY, "/generate-video/info", &body("a star"), &[]).await.json().await.unwrap();
    let expected = json!([
        {"kind": "scene", "scene": 0, "start_frame": 0, "frames": 4, "start_seconds": 0.0, "seconds": 0.5, "seed": 40, "cached": false},
        {"kind": "join", "scene": 0, "start_frame": 4, "frames": 2, "start_seconds": 0.5, "seconds": 0.25, "join": "crossfade", "cached": false},
        {"kind": "scene", "scene": 1, "start_frame": 6, "frames": 4, "start_seconds": 0.75, "seconds": 0.5, "seed": 41, "cached": false},
        {"kind": "join", "scene": 1, "start_frame": 10, "frames": 3, "start_seconds": 1.25, "seconds": 0.375, "join": "crossfade", "cached": false},
        {"kind": "scene", "scene": 2, "start_frame": 13, "frames": 4, "start_seconds": 1.625, "seconds": 0.5, "seed": 42, "cached": false},
        {"kind": "join", "scene": 2, "start_frame": 17, "frames": 0, "start_seconds": 2.125, "seconds": 0.0, "join": "cut", "cached": true},
        {"kind": "scene", "scene": 3, "start_frame": 17, "frames": 4, "start_seconds": 2.125, "seconds": 0.5, "seed": 43, "cached": false},
    ]);
    assert_eq!(info["timeline"], expected);
    assert_eq!((&info["total_frames"], &info["scenes_count"]), (&json!(21), &json!(4)));
}

#[actix_web::test]
async fn a_changed_scene_and_its_joins_are_made_and_the_rest_is_reused() {
    let server = serving().await;
    let (first, counts) = video(&server, ALICES_KEY, &body("a star")).await;
    assert_eq!(counts, ["6", "0"]);
    assert_eq!(cached(&server, ALICES_KEY, &body("a star")).await, [true; 7]);
    let changed = [true, false, false, false, true, true, true];
    assert_eq!(cached(&server, ALICES_KEY, &body("a tree")).await, changed);
    // Another key has parts of its own.
    assert_eq!(cached(&server, BOBS_KEY, &body("a star")).await, [false, false, false, false, false, true, false]);

    let (task, parts) = task(&server, ALICES_KEY, &body("a tree"), "part").await;
    assert_eq!(task["result"]["result"]["parts"], json!({"made": 3, "reused": 3}));
    let told: Vec<Value> = parts.iter().map(|part| json!([part["part"], part["kind"], part["scene"], part["reused"]])).collect();
    let expected = [
        json!([0, "scene", 0, true]),
        json!([1, "join", 0, false]),
        json!([2, "scene", 1, false]),
        json!([3, "join", 1, false]),
        json!([4, "scene", 2, true]),
        json!([6, "scene", 3, true]),
    ];
    assert_eq!(told, expected);
    for part in &parts {
        let still = part["still_url"].as_str();
        assert_eq!(still.is_some(), part["kind"] == "scene", "{part}");
        assert!(still.is_none_or(|still| still.starts_with("data:image/jpeg;base64,/9j/")));
        assert_eq!((&part["task_id"], &part["status"]), (&task["task_id"], &json!("processing")));
    }
    // The bytes are those of a video made from nothing, which Bob's is.
    let url = task["result"]["result"]["video_url"].as_str().unwrap();
    let edited = reqwest::get(url).await.unwrap().bytes().await.unwrap().to_vec();
    let (whole, counts) = video(&server, BOBS_KEY, &body("a tree")).await;
    assert!(edited == whole && edited != first && counts == ["6", "0"]);
    assert_eq!(video(&server, ALICES_KEY, &body("a star")).await, (first, ["0".to_owned(), "6".to_owned()]));
}

#[actix_web::test]
async fn other_videos_have_no_parts_and_an_unknown_model_keeps_none() {
    // The fake model does not say what its results depend on.
    let server = Running::with(engine(4).await).await;
    for _ in 0..2 {
        let answer = reqwest::Client::new().post(server.url("/generate-video")).json(&body("a star")).send().await.unwrap();
        assert_eq!((answer.headers()["x-parts-made"].as_bytes(), answer.headers()["x-parts-reused"].as_bytes()), (&b"6"[..], &b"0"[..]));
    }
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC";
    let answer = ask(post_to("/animate", json!({"image": image}).to_string())).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-parts-made")), (200, None));
}

#[actix_web::test]
async fn a_parts_event_matches_its_schema() {
    let server = serving().await;
    let spec: Value = reqwest::get(server.url("/openapi.json")).await.unwrap().json().await.unwrap();
    let known = &spec["components"]["schemas"]["ScenePartData"]["properties"];
    let (_, parts) = task(&server, ALICES_KEY, &body("a star"), "part").await;
    // Those of every event of a running task.
    let of_all = ["task_id", "status", "at", "progress", "step", "steps", "frame", "frames"];
    for key in parts.iter().flat_map(|part| part.as_object().unwrap().keys()) {
        assert!(of_all.contains(&key.as_str()) || known.get(key).is_some(), "{key}");
    }
    assert_eq!(parts.len(), 6);
}
