//! The order of an owner's own tasks: `priority` in bodies, and `PATCH /api/v1/tasks/{id}`.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{clip, settings},
};

async fn start(places: usize) -> Running {
    Running::with_settings(settings(), engine(places).await).await
}

/// A task's place in the queue, and its priority.
async fn place(server: &Running, id: &str) -> (Value, Value) {
    let task = server.task(id).await;
    (task["queue_position"].clone(), task["priority"].clone())
}

async fn change(server: &Running, id: &str, body: Value) -> (u16, Value) {
    let (status, answer) = server.ask(Method::PATCH, &format!("/api/v1/tasks/{id}"), Some(body)).await;
    (status.as_u16(), answer)
}

#[actix_web::test]
async fn a_waiting_task_moves_at_once_and_its_followers_are_told() {
    let server = start(8).await;
    let slow = server.submit(json!({"prompt": "slow"})).await;
    server.task_when(&slow, |task| task["status"] == "processing").await;
    let (first, second) = (server.submit(json!({})).await, server.submit(json!({})).await);
    let third = server.submit(json!({"priority": "low"})).await;
    let urgent = {
        let body = json!({"prompt": "a boat", "width": 64, "height": 64, "priority": "high"});
        let request = Client::new().post(server.url("/api/v1/images/generate")).header("Prefer", "respond-async").json(&body);
        request.send().await.unwrap().json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned()
    };
    for (id, position, priority) in [(&urgent, 0, "high"), (&first, 1, "normal"), (&second, 2, "normal"), (&third, 3, "low")] {
        assert_eq!(place(&server, id).await, (json!(position), json!(priority)));
    }
    let (status, answer) = change(&server, &third, json!({"priority": "high"})).await;
    assert_eq!(
        (status, &answer["task_id"], &answer["priority"], &answer["queue_position"]),
        (200, &json!(third), &json!("high"), &json!(0)),
        "it is older than the other urgent one"
    );
    let (status, answer) = change(&server, &first, json!({"priority": "low", "colour": 1})).await;
    assert_eq!((status, &answer["priority"], &answer["queue_position"]), (200, &json!("low"), &json!(3)));
    for (id, position) in [(&third, 0), (&urgent, 1), (&second, 2), (&first, 3)] {
        assert_eq!(place(&server, id).await.0, json!(position));
    }
    let tasks = server.ask(Method::GET, "/api/v1/tasks?status=pending", None).await.1;
    assert!(tasks.as_array().unwrap().iter().any(|task| task["task_id"] == json!(third) && task["priority"] == "high"), "{tasks}");
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}"), None).await.0.as_u16(), 200);
    let events = reqwest::get(server.url(&format!("/api/v1/tasks/{third}/events"))).await.unwrap().text().await.unwrap();
    let event = events.split("\n\n").find(|block| block.contains("event: priority")).unwrap();
    let data: Value = serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap();
    assert_eq!((&data["priority"], &data["status"], &data["task_id"]), (&json!("high"), &json!("pending"), &json!(third)));
}

#[actix_web::test]
async fn only_a_waiting_task_has_a_priority() {
    let server = start(4).await;
    let slow = server.submit(json!({"prompt": "slow"})).await;
    server.task_when(&slow, |task| task["status"] == "processing").await;
    let waits = server.submit(json!({})).await;
    let (status, answer) = change(&server, &slow, json!({"priority": "high"})).await;
    assert_eq!((status, &answer["detail"]), (409, &json!(format!("Task {slow} runs already; only a waiting task has a priority"))));
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}"), None).await.0.as_u16(), 200);
    let (status, answer) = change(&server, &slow, json!({"priority": "high"})).await;
    assert_eq!((status, &answer["detail"]), (409, &json!(format!("Task {slow} has been cancelled already"))));
    server.ended(&waits).await;
    assert_eq!(change(&server, &waits, json!({"priority": "high"})).await.0, 409);
    let (status, answer) = change(&server, "vid_000000000000", json!({"priority": "high"})).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("TASK_NOT_FOUND")));
    for (body, kind) in [
        (json!({}), "missing"),
        (json!({"priority": null}), "string_type"),
        (json!({"priority": 5}), "string_type"),
        (json!({"priority": "urgent"}), "enum"),
        (json!({"priority": "High"}), "enum"),
    ] {
        let (status, answer) = change(&server, &waits, body.clone()).await;
        let fault = &answer["detail"][0];
        assert_eq!((status, &fault["loc"], &fault["type"]), (422, &json!(["body", "priority"]), &json!(kind)), "{body}: {answer}");
    }
    for (path, body) in [
        ("/api/v1/images/generate", json!({"prompt": "a boat", "priority": "urgent"})),
        ("/api/v1/videos/generate", clip(json!({"priority": "urgent"}))),
    ] {
        let (status, answer) = server.ask(Method::POST, path, Some(body)).await;
        assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["body", "priority"])), "{path}: {answer}");
    }
    let sent = Client::new()
        .patch(server.url(&format!("/api/v1/tasks/{waits}")))
        .header("content-type", "text/plain")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 415);
}

#[actix_web::test]
async fn a_priority_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServerSettings { shutdown_limit: Duration::ZERO, ..settings() };
    let first = Running::in_folder(folder.path(), settings.clone(), engine(4).await).await;
    let slow = first.submit(json!({"prompt": "slow"})).await;
    first.task_when(&slow, |task| task["status"] == "processing").await;
    let (earlier, later) = (first.submit(json!({"prompt": "slow"})).await, first.submit(json!({"prompt": "slow"})).await);
    assert_eq!(change(&first, &later, json!({"priority": "high"})).await.0, 200);
    first.end().await;
    let second = Running::in_folder(folder.path(), settings, engine(4).await).await;
    // Either of the others may run again first.
    let later_task = second.task_when(&later, |task| task["status"] == "processing" || task["queue_position"] == json!(0)).await;
    assert_eq!(later_task["priority"], "high");
    let earlier_task = second.task_when(&earlier, |task| task["queue_position"] == json!(1)).await;
    assert_eq!((&earlier_task["status"], &earlier_task["priority"]), (&json!("pending"), &json!("normal")));
    for id in [&earlier, &slow, &later] {
        assert_eq!(second.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
    }
}

#[actix_web::test]
async fn a_priority_does_not_pass_the_tasks_of_another_key() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..settings() }, engine(8).await).await;
    let client = Client::new();
    let submit = async |key: &str, changes: Value| -> String {
        let request = client.post(server.url("/api/v1/videos/generate")).bearer_auth(key).json(&clip(changes));
        request.send().await.unwrap().json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned()
    };
    let slow = submit(ALICES_KEY, json!({"prompt": "slow"})).await;
    server.wait_for_jobs(1).await;
    let bobs = submit(BOBS_KEY, json!({})).await;
    let plain = submit(ALICES_KEY, json!({})).await;
    let urgent = submit(ALICES_KEY, json!({"priority": "high"})).await;
    let position = async |key: &str, id: &str| -> Value {
        let request = client.get(server.url(&format!("/api/v1/tasks/{id}"))).bearer_auth(key);
        request.send().await.unwrap().json::<Value>().await.unwrap()["queue_position"].clone()
    };
    assert_eq!(position(BOBS_KEY, &bobs).await, 0);
    assert_eq!((position(ALICES_KEY, &urgent).await, position(ALICES_KEY, &plain).await), (json!(1), json!(2)));
    let path = server.url(&format!("/api/v1/tasks/{bobs}"));
    let theirs = client.patch(&path).bearer_auth(ALICES_KEY).json(&json!({"priority": "low"})).send().await.unwrap();
    assert_eq!(theirs.status().as_u16(), 404);
    let cancelled = client.delete(server.url(&format!("/api/v1/tasks/{slow}"))).bearer_auth(ALICES_KEY).send().await.unwrap();
    assert_eq!(cancelled.status().as_u16(), 200);
}
