//! `POST /generate-video` with each of its three bodies, and `GET /video-status`.

use std::time::{Duration, Instant};

use actix_web::{http::StatusCode, test::TestRequest};
use serde_json::{Value, json};
use server::{ServerSettings, Services};

use crate::fake::{Answer, PATIENCE, Running, ask, engine, post_to};

async fn post(body: &Value) -> Answer {
    ask(post_to("/generate-video", body.to_string())).await
}

async fn status(server: &Running, id: &str, wanted: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer: Value = reqwest::get(server.url(&format!("/video-status?job_id={id}"))).await.unwrap().json().await.unwrap();
        if answer["status"] == wanted {
            return answer;
        }
        assert!(Instant::now() < deadline && answer["status"] == "inprogress", "{wanted} wanted: {answer}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn take(server: &Running, body: &Value) -> Value {
    let answer = reqwest::Client::new().post(server.url("/generate-video")).json(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    answer.json().await.unwrap()
}

#[actix_web::test]
async fn a_body_of_no_shape_or_of_two_is_refused_with_the_three_named() {
    for body in [
        json!({}),
        json!({"prompt": "a boat"}),
        json!({"seed": 42, "quality": "768"}),
        json!({"scenes": ["a", "b"], "text": "a boat"}),
        json!({"scenes": ["a", "b"], "script": "waves"}),
        json!({"text": "a boat", "characterImageUrl": "/uploads/a.png", "script": "waves"}),
    ] {
        let answer = post(&body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let fault = &answer.json()["detail"][0];
        assert_eq!((&fault["type"], &fault["loc"]), (&json!("value_error"), &json!(["body"])), "{body}");
        let message = fault["msg"].as_str().unwrap();
        for shape in ["{\"scenes\": [..]}", "{\"characterImageUrl\": .., \"script\": ..}", "{\"text\": ..}"] {
            assert!(message.contains(shape), "{body}: {message}");
        }
    }
    let mixed = post(&json!({"scenes": ["a", "b"], "text": "a boat"})).await.json();
    assert!(mixed["detail"][0]["msg"].as_str().unwrap().starts_with("Value error, scenes and text do not go together;"), "{mixed}");
    let spelt = post(&json!({"Scenes": ["a", "b"], "TEXT": "a boat"})).await.json();
    assert!(spelt["detail"][0]["msg"].as_str().unwrap().starts_with("Value error, Scenes and TEXT do not go together;"), "{spelt}");
}

#[actix_web::test]
async fn videos_of_scenes_are_in_the_answer_itself() {
    let body = json!({"scenes": ["a boat", "a star"], "duration_per_scene": 0.2, "width": 64, "height": 64, "text": null});
    let answer = post(&body).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("video/mp4")));
    assert_eq!(&answer.body[4..8], b"ftyp");
}

#[actix_web::test]
async fn a_text_becomes_a_job_with_a_status() {
    let server = Running::start(8).await;
    let submitted = take(&server, &json!({"text": "A beautiful sunset over the ocean"})).await;
    let id = submitted["job_id"].as_str().unwrap().to_owned();
    let digits = id.strip_prefix("vid_").unwrap();
    assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!((&submitted["status"], &submitted["video_url"]), (&json!("processing"), &json!(null)));
    assert_eq!(submitted["message"], "Video generation started successfully");

    let done = status(&server, &id, "completed").await;
    assert_eq!((&done["job_id"], &done["message"]), (&json!(id), &json!("Video generation completed successfully")));
    let url = server.url(&format!("/videos/video_{id}.mp4"));
    assert_eq!((&done["video_url"], &done["progress"]), (&json!(url), &json!(100)));
    let video = reqwest::get(url).await.unwrap();
    assert_eq!((video.status().as_u16(), video.headers()["content-type"].to_str().unwrap()), (200, "video/mp4"));
    assert_eq!(&video.bytes().await.unwrap()[4..8], b"ftyp");
}

#[actix_web::test]
async fn a_text_that_fails_keeps_its_message() {
    let server = Running::start(8).await;
    let broken = take(&server, &json!({"text": "broken"})).await;
    let failed = status(&server, broken["job_id"].as_str().unwrap(), "failed").await;
    let message = failed["message"].as_str().unwrap();
    assert!(message.starts_with("Video generation failed: ") && message.ends_with("broken as told"), "{message}");
    assert_eq!(failed["video_url"], json!(null));

    let slow = take(&server, &json!({"text": "slow"})).await;
    let id = slow["job_id"].as_str().unwrap();
    let running = status(&server, id, "inprogress").await;
    assert_eq!((&running["message"], &running["video_url"]), (&json!("Video generation inprogress"), &json!(null)));
    server.jobs.cancel("", id).await.unwrap();
    assert_eq!(status(&server, id, "failed").await["message"], "Video generation failed: it was cancelled");
}

#[actix_web::test]
async fn wrong_texts_and_ids_are_reported() {
    for (body, kind, field) in [
        (json!({"text": ""}), "string_too_short", "text"),
        (json!({"text": "x".repeat(513)}), "string_too_long", "text"),
        (json!({"text": ["a"]}), "string_type", "text"),
        (json!({"text": "a", "seed": 2_147_483_647_i64}), "less_than_equal", "seed"),
        (json!({"text": "a", "seed": [1]}), "int_type", "seed"),
    ] {
        let answer = post(&body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let fault = &answer.json()["detail"][0];
        assert_eq!((&fault["type"], &fault["loc"]), (&json!(kind), &json!(["body", field])), "{body}");
    }
    let missing = ask(TestRequest::get().uri("/video-status")).await;
    let fault = json!({"type": "missing", "loc": ["query", "job_id"], "msg": "Field required", "input": null});
    assert_eq!((missing.status, missing.json()), (StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": [fault] })));
    let unknown = ask(TestRequest::get().uri("/video-status?job_id=vid_000000000000")).await;
    assert_eq!((unknown.status, unknown.json()), (StatusCode::NOT_FOUND, json!({"detail": "Job not found"})));
}

#[actix_web::test]
async fn an_unavailable_service_is_reported_and_the_other_shapes_stay_here() {
    let services = Services { text: Some("bedrock/nova-reel".into()), ..Services::default() };
    let server = Running::with_settings(ServerSettings { services, ..ServerSettings::default() }, engine(2).await).await;
    let client = reqwest::Client::new();
    let post = |body: Value| client.post(server.url("/generate-video")).json(&body).send();
    let answer = post(json!({"text": "a boat"})).await.unwrap();
    assert_eq!(answer.status().as_u16(), 422);
    let fault = answer.json::<Value>().await.unwrap()["detail"][0].clone();
    assert_eq!(fault["loc"], json!(["body", "model"]));
    assert!(fault["msg"].as_str().unwrap().contains("bedrock"), "{fault}");
    // The server only looks up jobs that it started itself, never others at Amazon.
    let arn = "/video-status?job_id=arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghijkl";
    let unknown = client.get(server.url(arn)).send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 404);
    assert!(unknown.json::<Value>().await.unwrap()["detail"].as_str().unwrap().starts_with("Job not found"));
    let wrong = post(json!({"text": ""})).await.unwrap();
    assert_eq!(wrong.status().as_u16(), 422);
    // The request's `model` takes precedence over the operator's routing.
    assert_eq!(post(json!({"text": "a boat", "model": "local"})).await.unwrap().status().as_u16(), 200);
    let scenes = json!({"scenes": ["a", "b"], "duration_per_scene": 0.1, "width": 16, "height": 16});
    assert_eq!(post(scenes).await.unwrap().status().as_u16(), 200);
    assert_eq!(server.jobs.list("", all()).await.unwrap().len(), 1);
}

fn all() -> generation::jobs::Page {
    generation::jobs::Page { limit: 10, newest_first: true, ..generation::jobs::Page::default() }
}
