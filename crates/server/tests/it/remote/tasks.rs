//! Document 002: a picture and a prompt, a task, and its video; by `service`, by a model's name, or by the operator's routing.

use std::time::Instant;

use generation::{LocalBackend, LocalSettings};
use remote_fakes::Fault;
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::world::{VIDEO, World, fetch};
use crate::{fake::model, task_client::clip};

#[actix_web::test]
async fn an_image_is_set_in_motion_by_the_relay() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let body = json!({"image": world.image_url(), "prompt": "A serene ocean scene with gentle waves", "duration": 5, "fps": 30});
    let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(body)).await;
    assert_eq!((status, &submitted["status"]), (StatusCode::OK, &json!("pending")), "{submitted}");
    let id = submitted["task_id"].as_str().unwrap();
    assert!(id.starts_with("vid_") && id.len() == 16, "{id}");
    assert_eq!(submitted["message"], format!("Video generation task submitted. Poll /api/v1/tasks/{id} for status."));
    let task = server.ended(id).await;
    assert_eq!((&task["status"], &task["progress"]), (&json!("completed"), &json!(100)), "{task}");
    let url = task["result"]["result"]["video_url"].as_str().unwrap();
    assert_eq!(fetch(url).await, (200, VIDEO.clone()));
    let old = server.ask(Method::GET, &format!("/api/v1/videos/{id}"), None).await.1;
    assert_eq!((&old["status"], &old["error"]), (&json!("completed"), &json!(null)));

    // The relay received a form as OpenAI's clients send it.
    let start = world.relay.server.requests().into_iter().find(|request| request.method == "POST").unwrap();
    assert!(start.header("content-type").unwrap().starts_with("multipart/form-data"), "{start:?}");
    let form = String::from_utf8_lossy(&start.body).into_owned();
    assert!(form.contains("A serene ocean scene with gentle waves") && form.contains("veo_3_1"), "{form}");
}

#[actix_web::test]
async fn a_service_is_chosen_by_service_or_model() {
    let world = World::start().await;
    let server = world.serve(|settings, _| settings.services.tasks = None).await;
    for (changes, expected) in [
        (json!({"service": "veo3"}), "veo"),
        (json!({"model": "veo"}), "veo"),
        (json!({"model": "veo/veo_3_1-fast"}), "veo"),
        (json!({"service": "bedrock"}), "bedrock"),
        (json!({"model": "bedrock/nova-reel"}), "bedrock"),
        (json!({"service": "pika"}), "pika"),
        (json!({"model": format!("replicate/{}", "minimax/video-01")}), "replicate"),
        (json!({"service": "huggingface"}), "huggingface"),
        (json!({"service": "local"}), "local"),
        (json!({"model": "local/tiny"}), "local"),
        (json!({}), "local"),
    ] {
        let counts = || {
            let replicate = world.replicate.predictions();
            let veo = world.relay.server.requests().iter().filter(|request| request.method == "POST").count();
            [("veo", veo), ("bedrock", world.bedrock.begun()), ("pika", world.pika.jobs()), ("replicate", replicate)]
        };
        let hugging_face = world.hugging_face.server.requests().len();
        let before = counts();
        let mut body = clip(json!({"prompt": "the boat sails away"}));
        body.as_object_mut().unwrap().remove("seed");
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{changes}: {submitted}");
        let task = server.ended(submitted["task_id"].as_str().unwrap()).await;
        assert_eq!(task["status"], "completed", "{changes}: {task}");
        for ((name, before), (_, after)) in before.into_iter().zip(counts()) {
            assert_eq!(after - before, usize::from(name == expected), "{changes}: {name}");
        }
        assert_eq!(world.hugging_face.server.requests().len() - hugging_face, usize::from(expected == "huggingface"), "{changes}");
    }
}

#[actix_web::test]
async fn parameters_that_a_service_lacks_are_left_out_with_a_remark() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let body = json!({
        "image": world.image_url(), "prompt": "waves", "duration": 5, "fps": 30, "resolution": "1920x1080", "motion_strength": 0.6,
        "camera_motion": "pan", "seed": 7, "service": "bedrock"
    });
    let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    let remarks = submitted["remarks"].to_string();
    for word in ["fps is left out", "resolution is left out", "duration is left out", "motion_strength and camera_motion"] {
        assert!(remarks.contains(word), "{word}: {remarks}");
    }
    assert_eq!(server.ended(submitted["task_id"].as_str().unwrap()).await["status"], "completed");
    let config = world.bedrock.requests()[0].json()["modelInput"]["videoGenerationConfig"].clone();
    assert_eq!(config, json!({"durationSeconds": 6, "fps": 24, "dimension": "1280x720", "seed": 7}));
}

#[actix_web::test]
async fn each_fault_of_a_service_has_the_documented_error() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    for (operation, fault, kind, code, retryable, words) in [
        ("start", Fault::ContentFilterAtStart, "VideoGenerationError", "content_filter", false, "content_policy"),
        ("start", Fault::ContentFilterAtEnd, "VideoGenerationError", "content_filter", false, "content_policy"),
        ("start", Fault::Status(401, "invalid_api_key"), "ServiceError", "provider", false, "check the provider's key"),
        ("start", Fault::Stall, "ServiceError", "uncertain", false, "may have been paid for"),
        ("start", Fault::StatusAfter(500, "internal_error"), "ServiceError", "uncertain", false, "may have been paid for"),
        ("download", Fault::TooLarge(2 << 20), "ServiceError", "provider", false, "shorter video"),
    ] {
        world.relay.faults.push(operation, fault.clone());
        let id = server.submit(json!({"service": "veo3", "prompt": "waves"})).await;
        let task = server.ended(&id).await;
        assert_eq!(task["status"], "failed", "{fault:?}: {task}");
        let error = &task["error"];
        let found = (&error["type"], &error["code"], &error["retryable"]);
        assert_eq!(found, (&json!(kind), &json!(code), &json!(retryable)), "{fault:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{fault:?}: {error}");
        assert!(world.relay.faults.all_taken(), "{fault:?}");
    }
    // Temporary faults are retried, and a truncated file or an expired link is requested again.
    for (operation, fault) in [
        ("start", Fault::RetryAfter(429, "rate_limit", 0)),
        ("get", Fault::Status(503, "unavailable")),
        ("get", Fault::WrongWord("simmering")),
        ("download", Fault::Expired),
        ("download", Fault::CloseAfterBytes(100)),
    ] {
        world.relay.faults.push(operation, fault.clone());
        let id = server.submit(json!({"service": "veo3", "prompt": "waves"})).await;
        assert_eq!(server.ended(&id).await["status"], "completed", "{fault:?}");
        assert!(world.relay.faults.all_taken(), "{fault:?}");
    }
}

#[actix_web::test]
async fn a_cancelled_task_leaves_the_service() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    world.replicate.time_out_waits();
    world.bedrock.set_polls(u32::MAX);
    let id = server.submit(json!({"service": "bedrock", "prompt": "waves"})).await;
    let running = server.task_when(&id, |task| task["status"] == "processing").await;
    assert_eq!(running["result"], Value::Null);
    let (status, answer) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await;
    assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
    assert_eq!(server.task(&id).await["status"], "cancelled");
    server.wait_for_jobs(0).await;
    // Its price stays reserved: Bedrock jobs cannot be cancelled, and may be charged.
    let again = server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await;
    assert_eq!(again.0, StatusCode::CONFLICT, "{}", again.1);
}

#[actix_web::test]
async fn event_streams_cover_jobs_of_services() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let id = server.submit(json!({"service": "veo3", "prompt": "waves"})).await;
    let answer = reqwest::get(server.url(&format!("/api/v1/tasks/{id}/events"))).await.unwrap();
    assert!(answer.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
    let events = answer.text().await.unwrap();
    for event in ["event: queued", "event: started", "event: completed"] {
        assert!(events.contains(event), "{event} in {events}");
    }
}

#[actix_web::test]
async fn a_services_job_needs_no_model_of_this_machine() {
    let world = World::start().await;
    let (let_it_load, wait) = std::sync::mpsc::channel::<()>();
    let loading = LocalBackend::start(LocalSettings::new(Instant::now), move || {
        let _until_the_test_ends = wait.recv();
        Ok(model())
    });
    let server = world.serve_beside(loading.unwrap(), |_, _| {}).await;
    for service in ["veo3", "bedrock", "pika", "huggingface"] {
        let body = json!({"image": world.image_url(), "prompt": "waves", "service": service});
        let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{service}: {submitted}");
        assert_eq!(server.ended(submitted["task_id"].as_str().unwrap()).await["status"], "completed", "{service}");
    }
    let (status, answer) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"service": "local"})))).await;
    assert_eq!((status, &answer["detail"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("Model not loaded yet")));
    drop(let_it_load);
}
