//! Names of models: unknown names are refused with the known ones.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::World;
use crate::task_client::clip;

#[actix_web::test]
async fn an_unknown_name_is_refused_with_the_known_ones() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let fault = |status: StatusCode, answer: &Value| {
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let fault = &answer["detail"][0];
        assert_eq!(fault["loc"], json!(["body", "model"]), "{answer}");
        fault["msg"].as_str().unwrap().to_owned()
    };
    for name in ["sora", "sora/sora-2", "bedrock/", "local/other", ""] {
        for (path, body) in [
            ("/api/v1/videos/generate", clip(json!({"model": name, "prompt": "a boat"}))),
            ("/generate-video", json!({"text": "a boat", "model": name})),
        ] {
            let (status, answer) = server.ask(Method::POST, path, Some(body)).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
            let message = answer["detail"].as_str().unwrap();
            let names = "local, local/tiny, bedrock/nova-reel, veo/veo_3_1, pika/1.5, replicate, huggingface/stabilityai/";
            assert!(message.contains(names), "{name}: {message}");
        }
    }
    // An available service knows its own models.
    let (status, answer) = server.ask(Method::POST, "/generate-video", Some(json!({"text": "a", "model": "bedrock/nova-canvas"}))).await;
    let message = fault(status, &answer);
    assert!(message.contains("nova-canvas") && message.contains("nova-reel"), "{message}");
    let (status, answer) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"service": "sora"})))).await;
    assert_eq!((status, &answer["detail"][0]["loc"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(["body", "service"])));
    assert!(world.bedrock.requests().is_empty());
}
