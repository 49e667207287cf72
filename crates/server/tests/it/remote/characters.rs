//! Document 001's hosted mode: a character's picture and a script, made by Hugging Face's inference.

use std::time::{Duration, Instant};

use remote_fakes::Fault;
use reqwest::{Method, StatusCode, multipart};
use serde_json::{Value, json};

use super::world::{VIDEO, World, fetch};
use crate::fake::{PATIENCE, Running};

pub(super) async fn upload(server: &Running) -> String {
    let part = multipart::Part::bytes(crate::task_client::png()).file_name("a.png").mime_str("image/png").unwrap();
    let form = multipart::Form::new().part("character", part);
    let answer = reqwest::Client::new().post(server.url("/upload-character")).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.json::<Value>().await.unwrap()["imageUrl"].as_str().unwrap().to_owned()
}

pub(super) async fn generate(server: &Running, image: &str) -> Value {
    let script = "The character waves hello and smiles at the camera";
    let body = json!({"characterImageUrl": image, "script": script, "duration": 5, "quality": "768"});
    let (status, submitted) = server.ask(Method::POST, "/generate-video", Some(body)).await;
    assert_eq!((status, &submitted["status"]), (StatusCode::OK, &json!("pending")), "{submitted}");
    submitted
}

pub(super) async fn ended(server: &Running, id: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, generation) = server.ask(Method::GET, &format!("/generation/{id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{generation}");
        if generation["status"] == "completed" || generation["status"] == "failed" {
            return generation;
        }
        assert!(Instant::now() < until, "{generation}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[actix_web::test]
async fn a_character_is_made_by_hugging_face() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let image = upload(&server).await;
    // The provider waits for a cold model.
    world.hugging_face.faults.push("infer", Fault::RetryAfter(503, "loading", 0));
    let submitted = generate(&server, &image).await;
    let id = submitted["id"].as_str().unwrap();
    let done = ended(&server, id).await;
    assert_eq!((&done["status"], &done["characterImageUrl"]), (&json!("completed"), &json!(image)), "{done}");
    let url = done["videoUrl"].as_str().unwrap();
    assert!(url.starts_with(&format!("/videos/video_{id}.mp4")), "{url}");
    assert_eq!(fetch(&server.url(url)).await, (200, VIDEO.clone()));
    // The model reads no text, and draws its own noise.
    assert_eq!((&done["scriptUsed"], &done["seed"]), (&json!(false), &json!(null)), "{done}");
    let listed = server.ask(Method::GET, "/generations", None).await.1;
    assert_eq!(listed[0]["id"], id);
    let request = world.hugging_face.server.requests().pop().unwrap();
    assert!(String::from_utf8_lossy(&request.body).contains("\"num_frames\""));
}

#[actix_web::test]
async fn failures_are_reported() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let image = upload(&server).await;
    for fault in [Fault::Failed("the worker died"), Fault::ContentFilterAtStart] {
        world.hugging_face.faults.push("infer", fault.clone());
        let id = generate(&server, &image).await["id"].as_str().unwrap().to_owned();
        let generation = ended(&server, &id).await;
        assert_eq!((&generation["status"], &generation["videoUrl"]), (&json!("failed"), &json!(null)), "{fault:?}: {generation}");
    }
    // An answer that is not a video is requested again.
    world.hugging_face.faults.push("infer", Fault::NotAVideo(b"<html>not a video</html>"));
    let id = generate(&server, &image).await["id"].as_str().unwrap().to_owned();
    assert_eq!(ended(&server, &id).await["status"], "completed");
    assert!(world.hugging_face.faults.all_taken());
}
