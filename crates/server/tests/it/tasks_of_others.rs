//! Ownership: with keys, only the owner's key reads a task's state, events and files, and links open files only.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{clip, settings},
};

struct Person<'a> {
    server: &'a Running,
    key: Option<&'static str>,
}

impl Person<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<Value>, name: Option<&str>) -> Response {
        let mut request = reqwest::Client::new().request(method, self.server.url(path));
        if let Some(key) = self.key {
            request = request.bearer_auth(key);
        }
        if let Some(name) = name {
            request = request.header("idempotency-key", name);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn json(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.send(method, path, body, None).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn ended(&self, id: &str) -> Value {
        // The stream closes when the task has ended.
        let events = self.send(Method::GET, &format!("/api/v1/tasks/{id}/events"), None, None).await;
        let _read_to_its_end = events.text().await.unwrap();
        self.json(Method::GET, &format!("/api/v1/tasks/{id}"), None).await.1
    }
}

async fn serving() -> Running {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    Running::with_settings(ServerSettings { access, ..settings() }, engine(4).await).await
}

#[actix_web::test]
async fn a_task_is_visible_to_its_owner_only() {
    let server = serving().await;
    let [alice, bob, nobody] = [Some(ALICES_KEY), Some(BOBS_KEY), None].map(|key| Person { server: &server, key });
    let (status, submitted) = alice.json(Method::POST, "/api/v1/videos/generate", Some(clip(json!({})))).await;
    assert_eq!(status, 200, "{submitted}");
    let id = submitted["task_id"].as_str().unwrap();
    let task = alice.ended(id).await;
    assert_eq!(task["status"], "completed", "{task}");

    let unknown = |id: &str| json!({"code": "TASK_NOT_FOUND", "message": format!("Task not found: {id}"), "details": {}});
    for (method, path) in [
        (Method::GET, format!("/api/v1/tasks/{id}")),
        (Method::DELETE, format!("/api/v1/tasks/{id}")),
        (Method::GET, format!("/api/v1/videos/{id}")),
        (Method::GET, format!("/api/v1/tasks/{id}/events")),
        (Method::GET, format!("/api/v1/tasks?after={id}")),
    ] {
        let (status, answer) = bob.json(method.clone(), &path, None).await;
        assert_eq!((status, &answer["error"]), (404, &unknown(id)), "{method} {path}");
        let (status, answer) = nobody.json(method.clone(), &path, None).await;
        // The gate's refusals have both formats too.
        assert_eq!((status, &answer["error"]["code"]), (401, &json!("HTTP_ERROR")), "{method} {path}");
    }
    assert_eq!(bob.json(Method::GET, "/api/v1/tasks", None).await.1, json!([]));
    assert_eq!(alice.json(Method::GET, "/api/v1/tasks", None).await.1[0]["task_id"], id);

    // The file is for its owner, and for anyone with the link.
    let path = format!("/files/{id}/video.mp4");
    assert_eq!(alice.send(Method::GET, &path, None, None).await.status().as_u16(), 200);
    assert_eq!(bob.json(Method::GET, &path, None).await.0, 404);
    assert_eq!(nobody.json(Method::GET, &path, None).await.0, 401);
    let link = task["result"]["result"]["video_url"].as_str().unwrap();
    assert!(link.contains("?expires=") && link.contains("&signature="), "{link}");
    let part = reqwest::Client::new().get(link).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.text().await.unwrap().as_str()), (206, "ftyp"));
    assert_eq!(reqwest::get(link.replace("video.mp4", "video.mp3")).await.unwrap().status().as_u16(), 404);
}

#[actix_web::test]
async fn only_its_owner_can_use_an_image_in_the_next_request() {
    let server = serving().await;
    let [alice, bob] = [ALICES_KEY, BOBS_KEY].map(|key| Person { server: &server, key: Some(key) });
    let body = json!({"prompt": "a boat", "width": 64, "height": 64});
    let image = alice.json(Method::POST, "/api/v1/images/generate", Some(body)).await.1;
    let body = clip(json!({"image": image["image_url"]}));
    assert_eq!(alice.json(Method::POST, "/api/v1/videos/generate", Some(body.clone())).await.0, 200);
    let (status, answer) = bob.json(Method::POST, "/api/v1/videos/generate", Some(body)).await;
    assert_eq!((status, &answer["detail"][0]["loc"]), (422, &json!(["body", "image"])), "{answer}");
}

#[actix_web::test]
async fn every_owner_has_their_own_idempotency_keys() {
    let server = serving().await;
    let [alice, bob] = [ALICES_KEY, BOBS_KEY].map(|key| Person { server: &server, key: Some(key) });
    let mut ids = Vec::new();
    for person in [alice, bob] {
        let answer = person.send(Method::POST, "/api/v1/videos/generate", Some(clip(json!({}))), Some("one")).await;
        assert!(!answer.headers().contains_key("idempotent-replayed"));
        ids.push(answer.json::<Value>().await.unwrap()["task_id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}
