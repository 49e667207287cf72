//! `Prefer: respond-async`: a held video becomes a task.

use serde_json::{Value, json};

use crate::fake::{PATIENCE, Running};

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
