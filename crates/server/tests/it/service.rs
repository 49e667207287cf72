//! `GET /`, `GET /health`, and unknown paths and methods.

use std::{sync::mpsc, time::Instant};

use actix_web::{http::StatusCode, test::TestRequest};
use generation::{LocalBackend, LocalSettings};
use serde_json::json;

use crate::fake::{Engine, Running, ask, ask_engine, model, post};

#[actix_web::test]
async fn the_root_describes_the_service_and_its_endpoints() {
    let answer = ask(TestRequest::get().uri("/")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let endpoints = json!({
        "generate_image": "/generate", "generate_video": "/generate-video", "video_info": "/generate-video/info",
        "video_status": "/video-status", "animate": "/animate", "upload_character": "/upload-character", "generations": "/generations",
        "rest_api": "/api/v1", "openai_compatible": "/v1", "health": "/health", "ready": "/ready", "metrics": "/metrics", "usage": "/api/v1/usage", "docs": "/docs",
        "redoc": "/redoc", "openapi": "/openapi.json", "/api/v1/i2v": "Sets an image in motion, and tells the callback when it is done"
    });
    let expected = json!({
        "status": "running", "device": "cpu", "model": "fake", "name": "framewright", "message": "Framewright is running",
        "description": "Pictures and videos from text, made on this machine.", "version": env!("CARGO_PKG_VERSION"), "docs": "/docs",
        "redoc": "/redoc", "endpoints": endpoints
    });
    assert_eq!(answer.json(), expected);
}

#[actix_web::test]
async fn a_browser_is_sent_to_the_page_and_a_program_gets_json() {
    let with = |accept: &'static str| ask(TestRequest::get().uri("/").insert_header(("Accept", accept)));
    let to_page = with("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8").await;
    // Relative, so that it holds behind a proxy's prefix.
    assert_eq!(
        (to_page.status, to_page.header("location"), to_page.header("vary")),
        (StatusCode::TEMPORARY_REDIRECT, Some("ui/"), Some("Accept"))
    );
    for accept in ["*/*", "application/json"] {
        let answer = with(accept).await;
        assert_eq!((&answer.json()["status"], answer.header("vary")), (&json!("running"), Some("Accept")), "{accept}");
    }
}

#[actix_web::test]
async fn health_has_the_keys_that_clients_expect() {
    let mut health = ask(TestRequest::get().uri("/health")).await.json();
    let timestamp = health["timestamp"].take();
    assert!(timestamp.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
    let expected = json!({
        "status": "healthy", "service": "framewright", "model_loaded": true, "device": "cpu", "version": env!("CARGO_PKG_VERSION"),
        "timestamp": null, "jobs": 0
    });
    assert_eq!(health, expected);
}

#[actix_web::test]
async fn while_the_model_loads_the_service_is_healthy_and_refuses_images() {
    let (go, wait) = mpsc::channel::<()>();
    let local = LocalBackend::start(LocalSettings::new(Instant::now), move || {
        let _ = wait.recv();
        Ok(model())
    });
    let engine = Engine { local: local.unwrap(), places: 4 };
    let health = ask_engine(engine.clone(), TestRequest::get().uri("/health")).await.json();
    assert_eq!((&health["status"], &health["model_loaded"], &health["device"]), (&json!("healthy"), &json!(false), &json!("not set")));
    let root = ask_engine(engine.clone(), TestRequest::get().uri("/")).await.json();
    assert_eq!((&root["device"], &root["model"]), (&json!("not set"), &json!(null)));
    let answer = ask_engine(engine, post(r#"{"prompt": "a boat"}"#)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json(), json!({"detail": "Model not loaded yet"}));
    drop(go);
}

#[actix_web::test]
async fn health_answers_while_an_image_is_made() {
    let server = Running::start(1).await;
    let _slow = server.request("slow").await;
    server.wait_for_jobs(1).await;
    let health: serde_json::Value = reqwest::get(server.url("/health")).await.unwrap().json().await.unwrap();
    // The slow picture never finishes, so this answer came before its end.
    assert_eq!((&health["status"], &health["jobs"]), (&json!("healthy"), &json!(1)));
}

#[actix_web::test]
async fn unknown_paths_and_methods_are_refused_in_json() {
    let answer = ask(TestRequest::get().uri("/none")).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::NOT_FOUND, json!({"detail": "Not Found"})));
    for (request, allow) in
        [(TestRequest::get().uri("/generate"), "POST, OPTIONS"), (TestRequest::delete().uri("/health"), "GET, HEAD, OPTIONS")]
    {
        let answer = ask(request).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::METHOD_NOT_ALLOWED, json!({"detail": "Method Not Allowed"})));
        assert_eq!(answer.header("allow"), Some(allow));
    }
}
