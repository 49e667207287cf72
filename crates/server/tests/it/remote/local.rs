//! The flows of the four documents without any key: this machine makes everything, and no service gets a request.

use reqwest::{Method, StatusCode};
use serde_json::json;
use server::Services;

use super::{
    i2v::{callbacks, post},
    world::{World, fetch, video_status},
};
use crate::task_client::clip;

#[actix_web::test]
async fn every_flow_is_served_by_this_machine() {
    let world = World::start().await;
    let server = world.serve(|settings, _| {
        let callback = settings.services.callback.take();
        settings.services = Services { callback, ..Services::default() };
    });
    let server = server.await;
    let text = server.ask(Method::POST, "/generate-video", Some(json!({"text": "a boat"}))).await.1;
    let done = video_status(&server, text["job_id"].as_str().unwrap(), "completed").await;
    assert_eq!(fetch(done["video_url"].as_str().unwrap()).await.0, 200);

    let id = server.submit(json!({"prompt": "the boat sails away"})).await;
    let task = server.ended(&id).await;
    assert_eq!(fetch(task["result"]["result"]["video_url"].as_str().unwrap()).await.0, 200);

    post(&server, Some("req-1"), &json!({"image_id": world.image_url()})).await;
    let message = callbacks(&world, 1).await.remove(0).json();
    assert_eq!((&message["data"]["status"], &message["data"]["output"]["title"]), (&json!("COMPLETED"), &json!("Generated Video")));
    assert_eq!(fetch(message["data"]["output"]["url"].as_str().unwrap()).await.0, 200);

    // If the named service is not set up, this machine makes the video, and the answer says so.
    let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"service": "veo3"})))).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    assert!(submitted["remarks"].to_string().contains("veo3 is not set up here"), "{submitted}");
    assert_eq!(server.ended(submitted["task_id"].as_str().unwrap()).await["status"], "completed");
    assert!(world.bedrock.requests().is_empty() && world.relay.server.requests().is_empty());
    assert!(
        world.pika.server.requests().is_empty()
            && world.replicate.server.requests().is_empty()
            && world.hugging_face.server.requests().is_empty()
    );
}
