//! Document 000: a text, an ARN, and the state of the video.

use std::time::Duration;

use remote_fakes::Fault;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{VIDEO, World, fetch, video_status};
use crate::fake::Running;

async fn generate(server: &Running, body: Value) -> (StatusCode, Value) {
    server.ask(Method::POST, "/generate-video", Some(body)).await
}

#[actix_web::test]
async fn bedrock_makes_a_text_video_that_is_polled_by_its_arn() {
    let world = World::start().await;
    world.bedrock.set_polls(3);
    let server = world.serve(|_, _| {}).await;
    let (status, submitted) =
        generate(&server, json!({"text": "A beautiful sunset over the ocean with waves crashing on the shore"})).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    let arn = submitted["job_id"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:bedrock:us-east-1:123456789012:async-invoke/"), "{arn}");
    let found = [&submitted["status"], &submitted["message"], &submitted["video_url"]];
    assert_eq!(found, [&json!("processing"), &json!("Video generation started successfully"), &json!(null)]);

    // The request to Bedrock is the documented one.
    let start = world.bedrock.requests().into_iter().find(|request| request.method == "POST").unwrap();
    let request = start.json();
    assert_eq!(request["modelId"], "amazon.nova-reel-v1:1");
    assert_eq!(request["modelInput"]["textToVideoParams"]["text"], "A beautiful sunset over the ocean with waves crashing on the shore");
    let config = json!({"durationSeconds": 6, "fps": 24, "dimension": "1280x720", "seed": 42});
    assert_eq!(request["modelInput"]["videoGenerationConfig"], config);

    let running = server.ask(Method::GET, &format!("/video-status?job_id={arn}"), None).await.1;
    if running["status"] == "inprogress" {
        assert_eq!((&running["message"], &running["video_url"]), (&json!("Video generation inprogress"), &json!(null)));
    }
    let done = video_status(&server, arn, "completed").await;
    assert_eq!((&done["job_id"], &done["message"]), (&json!(arn), &json!("Video generation completed successfully")));
    let url = done["video_url"].as_str().unwrap();
    assert!(url.starts_with(&world.s3.url()) && url.contains("X-Amz-Expires=3600"), "{url}");
    assert_eq!(fetch(url).await, (200, VIDEO.clone()));
    // Each answer has a fresh link, and the video is stored here too, whatever happens to the bucket.
    world.s3.clock.advance(Duration::from_secs(2));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let again = video_status(&server, arn, "completed").await;
    assert_ne!(again["video_url"], done["video_url"]);
    assert_eq!(world.bedrock.begun(), 1);
}

#[actix_web::test]
async fn the_servers_own_id_and_a_percent_encoded_arn_are_the_same_job() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let arn = generate(&server, json!({"text": "a boat"})).await.1["job_id"].as_str().unwrap().to_owned();
    video_status(&server, &arn, "completed").await;
    let encoded = arn.replace(':', "%3A").replace('/', "%2F");
    assert_eq!(video_status(&server, &encoded, "completed").await["job_id"], arn);
    let page = generation::jobs::Page { limit: 10, newest_first: true, ..generation::jobs::Page::default() };
    let jobs = server.jobs.list("", page).await.unwrap();
    let own = server.ask(Method::GET, &format!("/video-status?job_id={}", jobs[0].id), None).await.1;
    assert_eq!((&own["job_id"], &own["status"]), (&json!(jobs[0].id), &json!("completed")));
    // The job is a task too, and its file is stored here.
    let task = server.task(&jobs[0].id).await;
    let url = task["result"]["result"]["video_url"].as_str().unwrap();
    assert!(url.starts_with(&server.url("/")), "{url}");
    assert_eq!(fetch(url).await, (200, VIDEO.clone()));
}

#[actix_web::test]
async fn a_failure_has_amazons_reason() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    world.bedrock.faults.push("start", Fault::ContentFilterAtEnd);
    let arn = generate(&server, json!({"text": "a boat"})).await.1["job_id"].as_str().unwrap().to_owned();
    let failed = video_status(&server, &arn, "failed").await;
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("The generated video has been blocked by our content filters."), "{message}");
    assert!(message.contains("change the prompt"), "{message}");
    assert_eq!(failed["video_url"], json!(null));
}

#[actix_web::test]
async fn refusals_of_amazon_at_the_start_are_answered_at_once() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    for (fault, status, reason) in [
        (Fault::ContentFilterAtStart, 400, "content filters"),
        (Fault::Status(403, "AccessDeniedException"), 502, "AccessDeniedException"),
        (Fault::Status(400, "ServiceQuotaExceededException"), 502, "ServiceQuotaExceededException"),
    ] {
        world.bedrock.faults.push("start", fault.clone());
        let (answered, body) = generate(&server, json!({"text": "a boat"})).await;
        let detail = body["detail"].as_str().unwrap();
        assert_eq!(answered.as_u16(), status, "{fault:?}: {body}");
        assert!(detail.starts_with("Failed to start video generation: ") && detail.contains(reason), "{fault:?}: {detail}");
    }
    assert!(world.bedrock.faults.all_taken());
    assert_eq!(world.bedrock.begun(), 0);
    // Temporary faults are retried.
    world.bedrock.faults.push("start", Fault::Status(429, "ThrottlingException"));
    let (status, submitted) = generate(&server, json!({"text": "a boat"})).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    video_status(&server, submitted["job_id"].as_str().unwrap(), "completed").await;
    assert_eq!(world.bedrock.begun(), 1);
}

#[actix_web::test]
async fn invalid_bodies_and_foreign_arns_are_refused_without_a_request() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    for body in [json!({"text": ""}), json!({"text": "x".repeat(513)}), json!({"text": "a", "seed": 2_147_483_647_i64}), json!({})] {
        assert_eq!(generate(&server, body.clone()).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let arn = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghijkl";
    let (status, answer) = server.ask(Method::GET, &format!("/video-status?job_id={arn}"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    assert!(world.bedrock.requests().is_empty());
}
