//! Document 003: an image's address, a prompt read from it, a video, and a callback.

use remote_fakes::{Fault, Recorded};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::world::{VIDEO, World, fetch, secret};
use crate::fake::{PATIENCE, Running};

/// Sends one request; returns the status, the task's id, whether it was a replay, and the JSON.
pub(super) async fn post(server: &Running, name: Option<&str>, body: &Value) -> (StatusCode, Option<String>, bool, Value) {
    let mut request = reqwest::Client::new().post(server.url("/api/v1/i2v")).json(body);
    if let Some(name) = name {
        request = request.header("x-request-id", name);
    }
    let answer = request.send().await.unwrap();
    let head = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (task, replayed) = (head("x-task-id"), head("idempotent-replayed").is_some());
    (answer.status(), task, replayed, answer.json().await.unwrap())
}

/// Waits for this number of callbacks.
pub(super) async fn callbacks(world: &World, count: usize) -> Vec<Recorded> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let received = world.game.requests();
        if received.len() >= count {
            return received;
        }
        assert!(std::time::Instant::now() < until, "{count} callbacks expected, there are {received:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[actix_web::test]
async fn an_image_is_captioned_animated_and_called_back() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let (status, task, replayed, answer) = post(&server, Some("req-1"), &json!({"image_id": world.image_url()})).await;
    assert_eq!((status, replayed), (StatusCode::OK, false), "{answer}");
    let expected = json!({"message": "Video generation pipeline initialized | ETA: 5-7 minutes", "request_id": "req-1"});
    assert_eq!(answer, expected);

    let callback = callbacks(&world, 1).await.remove(0);
    assert_eq!((callback.method.as_str(), callback.path.as_str()), ("POST", "/requests/req-1/callback"));
    assert_eq!(callback.header("x-api-key"), Some(secret("the callback's key").as_str()));
    assert_eq!(callback.media_type(), "application/json");
    let message = callback.json();
    let url = message["data"]["output"]["url"].as_str().unwrap().to_owned();
    let output = json!({"title": "A red fox in the snow", "type": "MEDIA", "category": "MARKETING_VIDEO", "url": url});
    assert_eq!(message, json!({"data": {"addToInventory": true, "status": "COMPLETED", "output": output}}));
    assert_eq!(fetch(&url).await, (200, VIDEO.clone()));

    // CLIP Interrogator read the prompt, and Pika got it with the image's own address.
    let interrogated = world.replicate.server.requests()[0].json();
    let input = json!({"image": world.image_url(), "clip_model_name": "ViT-L-14/openai", "mode": "best"});
    assert_eq!(interrogated["input"], input);
    let request = world.pika.server.requests()[0].json();
    let prompt = "a red fox in the snow, a photorealistic painting, trending on artstation";
    assert_eq!((&request["promptText"], &request["model"], &request["image"]), (&json!(prompt), &json!("1.5"), &json!(world.image_url())));
    assert_eq!(request["options"], json!({"frameRate": 24, "parameters": {"motion": 2, "guidanceScale": 16}}));
    // The job can be polled too.
    assert_eq!(server.ended(&task.unwrap()).await["status"], "completed");
}

#[actix_web::test]
async fn an_address_too_long_for_a_service_is_sent_as_a_file() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let (status, _, _, answer) =
        post(&server, Some("req-1"), &json!({"image_id": format!("{}?{}", world.image_url(), "a".repeat(3000))})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    callbacks(&world, 1).await;
    let images = [&world.replicate.server.requests()[0].json()["input"]["image"], &world.pika.server.requests()[0].json()["image"]]
        .map(|image| image.as_str().unwrap_or_default().get(..22).unwrap_or_default().to_owned());
    assert_eq!(images, ["data:image/png;base64,"; 2]);
}

#[actix_web::test]
async fn a_repeated_name_gets_its_first_job() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let body = json!({"image_id": world.image_url()});
    let first = post(&server, Some("again"), &body).await;
    // Whatever has happened to its image.
    let second = post(&server, Some("again"), &json!({"image_id": "http://127.0.0.1:9/gone.png"})).await;
    assert_eq!((second.0, &second.1, second.2, &second.3), (StatusCode::OK, &first.1, true, &first.3));
    callbacks(&world, 1).await;
    server.ended(&first.1.unwrap()).await;
    assert_eq!((world.pika.jobs(), world.replicate.predictions(), world.game.requests().len()), (1, 1, 1));
}

#[actix_web::test]
async fn failures_are_called_back_too() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let failed = json!({"data": {"addToInventory": false, "status": "FAILED", "output": null}});
    let mut count = 0;
    for (name, fault) in [("filter", Fault::ContentFilterAtEnd), ("broken", Fault::Failed("the model fell over"))] {
        world.pika.faults.push("generate", fault);
        let (_, task, _, _) = post(&server, Some(name), &json!({"image_id": world.image_url()})).await;
        count += 1;
        let callback = callbacks(&world, count).await.pop().unwrap();
        assert_eq!((callback.path.clone(), callback.json()), (format!("/requests/{name}/callback"), failed.clone()));
        assert_eq!(server.ended(&task.unwrap()).await["status"], "failed");
    }
    // No prompt, no video.
    world.replicate.faults.push("create", Fault::Failed("CUDA out of memory"));
    post(&server, Some("prompt"), &json!({"image_id": world.image_url()})).await;
    let callback = callbacks(&world, count + 1).await.pop().unwrap();
    assert_eq!((callback.path.as_str(), callback.json()), ("/requests/prompt/callback", failed));
    assert_eq!(world.pika.jobs(), 2);
}

#[actix_web::test]
async fn invalid_requests_are_refused_at_once() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let (status, _, _, answer) = post(&server, None, &json!({"image_id": world.image_url()})).await;
    let fault = json!({"type": "missing", "loc": ["header", "x-request-id"], "msg": "Field required", "input": null});
    assert_eq!((status, &answer["detail"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!([fault])));
    // An address of this machine that the operator has not allowed.
    let (status, _, _, answer) = post(&server, Some("a"), &json!({"image_id": "http://127.0.0.1:9/a.png"})).await;
    assert_eq!((status, &answer["detail"][0]["loc"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(["body", "image_id"])), "{answer}");
    assert!(world.replicate.server.requests().is_empty() && world.game.requests().is_empty());
}
