//! `Prefer: respond-async`: a request that would wait becomes a task.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    fake::{PATIENCE, Running},
    task_client::png,
};

async fn until_done(server: &Running, client: &reqwest::Client, location: &str) -> Value {
    let done = async {
        loop {
            let task: Value = client.get(server.url(location)).send().await.unwrap().json().await.unwrap();
            if task["status"] == "completed" {
                return task;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("it ends")
}

#[actix_web::test]
async fn videos_of_scenes_and_animations_can_become_tasks() {
    let (server, client) = (Running::start(8).await, reqwest::Client::new());
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC";
    let scenes = json!({"scenes": ["a boat", "a star"], "duration_per_scene": 0.5, "width": 64, "height": 64});
    for (path, body) in [("/generate-video", scenes), ("/animate", json!({"image": image}))] {
        let ask = || client.post(server.url(path)).header("Prefer", "respond-async").header("Idempotency-Key", path).json(&body).send();
        let answer = ask().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202, "{path}: {:?}", answer.text().await);
        assert_eq!(answer.headers()["preference-applied"], "respond-async");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let task: Value = answer.json().await.unwrap();
        assert_eq!(location, format!("/api/v1/tasks/{}", task["task_id"].as_str().unwrap()));
        let again = ask().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (202, &"true".parse().unwrap()));
        assert_eq!(again.json::<Value>().await.unwrap()["task_id"], task["task_id"]);
        let done = until_done(&server, &client, &location).await;
        let video = client.get(done["result"]["result"]["video_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(video.headers()["content-type"], "video/mp4");
        assert_eq!(&video.bytes().await.unwrap()[4..8], b"ftyp");
    }
    // Faults are answered at once, as without the preference.
    let few = client.post(server.url("/generate-video")).header("Prefer", "respond-async").json(&json!({"scenes": ["a boat"]}));
    assert_eq!(few.send().await.unwrap().status().as_u16(), 400);
}

#[actix_web::test]
async fn images_can_become_tasks_that_outlive_their_connection() {
    let (server, client) = (Running::start(8).await, reqwest::Client::new());
    let image = BASE64_STANDARD.encode(png());
    for (path, body) in [
        ("/api/v1/images/generate", json!({"prompt": "a boat", "width": 64, "height": 64, "seed": 7, "colour": 1})),
        ("/api/v1/images/generate-i2i", json!({"prompt": "a boat", "image": image, "width": 64, "height": 64, "seed": 7, "colour": 1})),
    ] {
        let ask = || client.post(server.url(path)).header("Prefer", "respond-async").header("Idempotency-Key", path).json(&body).send();
        let answer = ask().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202, "{path}: {:?}", answer.text().await);
        assert_eq!(answer.headers()["preference-applied"], "respond-async");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let task: Value = answer.json().await.unwrap();
        let id = task["task_id"].as_str().unwrap();
        assert_eq!(location, server.url(&format!("/api/v1/tasks/{id}")));
        assert_eq!((&task["status"], &task["seed"], &task["ignored_fields"][0]["field"]), (&json!("pending"), &json!(7), &json!("colour")));
        assert_eq!(task["message"], format!("The picture is being made. Poll /api/v1/tasks/{id} for its status."));
        let again = ask().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (202, &"true".parse().unwrap()));
        assert_eq!(again.json::<Value>().await.unwrap()["task_id"], id);
        let done = until_done(&server, &client, &format!("/api/v1/tasks/{id}")).await;
        let picture = client.get(done["result"]["result"]["image_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(picture.headers()["content-type"], "image/png");
    }
    // Hanging up does not cancel it.
    let slow = client.post(server.url("/api/v1/images/generate")).header("Prefer", "respond-async").json(&json!({"prompt": "slow"}));
    let task: Value = slow.send().await.unwrap().json().await.unwrap();
    drop(client);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let id = task["task_id"].as_str().unwrap();
    let status = server.task(id).await["status"].clone();
    assert!(["pending", "processing"].contains(&status.as_str().unwrap()), "{status}");
    assert_eq!(server.ask(reqwest::Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
    // Faults are answered at once.
    let client = reqwest::Client::new();
    let wrong = client.post(server.url("/api/v1/images/generate")).header("Prefer", "respond-async").json(&json!({"prompt": ""}));
    assert_eq!(wrong.send().await.unwrap().status().as_u16(), 422);
}
