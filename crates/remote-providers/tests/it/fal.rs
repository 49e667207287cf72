//! Pika through fal's queue against a strict fake.

use remote_fakes::{FalFake, Fault, Reply, Server};
use remote_providers::{ErrorKind, PikaFal, PikaFalSettings, Provider as _, Source, VideoRequest};
use serde_json::json;

use crate::drive::{KEY, check_error, failure, finish, poll_error, request, request_with, start, start_error};

fn provider(base_url: String) -> PikaFal {
    PikaFal::new(PikaFalSettings { base_url, ..PikaFalSettings::new(KEY.to_owned().into()) })
}

async fn fake() -> (FalFake, PikaFal) {
    let fake = FalFake::start(KEY).await.unwrap();
    let provider = provider(fake.server.url());
    (fake, provider)
}

fn text_request() -> VideoRequest {
    VideoRequest { image: None, ..request() }
}

#[tokio::test]
async fn submit_status_and_result() {
    let (fake, fal) = fake().await;
    let video = VideoRequest { seconds: Some(10), seed: Some(7), negative_prompt: Some("blur".to_owned()), ..request() };
    let id = start(&fal, "", &video).await;
    let (percent, source) = finish(&fal, &id).await;
    assert_eq!(percent, [None, None]);
    let Ok(Source::Url { url, headers }) = source else { panic!("no address") };
    assert!(url.contains("/files/output.mp4") && headers.is_empty(), "the file is public: {url}");

    let requests = fake.server.requests();
    let asked: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let path = "/fal-ai/pika/requests/764cabcf-b745-4b3e-ae38-0001";
    let status = format!("GET {path}/status");
    assert_eq!(asked, ["POST /fal-ai/pika/v2.2/image-to-video", &status, &status, &status, &format!("GET {path}")]);
    let image_url = "https://example.com/fox.png?a=1&b=2";
    let body = json!({"prompt": "a red fox", "image_url": image_url, "duration": 10, "seed": 7, "negative_prompt": "blur"});
    assert_eq!(requests[0].json(), body);
    let key = format!("Key {KEY}");
    assert!(requests.iter().all(|request| request.header("authorization") == Some(&key)));
}

#[tokio::test]
async fn models_and_shapes() {
    let (fake, fal) = fake().await;
    let sized = |image, size| VideoRequest { image, size: Some(size), ..request() };
    start(&fal, "", &sized(None, (720, 1280))).await;
    start(&fal, "v2.1", &sized(request().image, (1920, 1080))).await;
    start(&fal, "fal-ai/pika/turbo/image-to-video", &request()).await;
    let bodies: Vec<_> = fake.server.requests().iter().map(|request| (request.path.clone(), request.json())).collect();
    assert_eq!(bodies[0].0, "/fal-ai/pika/v2.2/text-to-video");
    assert_eq!(bodies[0].1, json!({"prompt": "a red fox", "aspect_ratio": "9:16", "resolution": "720p"}));
    assert_eq!(bodies[1].0, "/fal-ai/pika/v2.1/image-to-video");
    assert_eq!((&bodies[1].1["resolution"], bodies[1].1.get("aspect_ratio")), (&json!("1080p"), None));
    assert_eq!(bodies[2].0, "/fal-ai/pika/turbo/image-to-video");
    assert_eq!(start_error(&fal, "v9", &request()).await.kind, ErrorKind::NotFound);
}

#[test]
fn unsupported_parameters_are_refused_with_the_limit() {
    let fal = provider("https://queue.test".to_owned());
    for (video, text) in [
        (request_with(json!({"resolution": "480p"})), "720p, 1080p"),
        (request_with(json!({"duration": 7})), "5 or 10"),
        (request_with(json!({"aspect_ratio": "21:9"})), "16:9"),
        (request_with(json!({"seed": "x"})), "whole number"),
        (request_with(json!({"image_url": "https://other.test/x.png"})), "options.image_url"),
        (VideoRequest { seconds: Some(3), ..request() }, "5 or 10"),
        (VideoRequest { size: Some((640, 480)), ..request() }, "size is 640x480"),
        (VideoRequest { size: Some((1720, 720)), ..text_request() }, "16:9"),
        (VideoRequest { fps: Some(24), ..request() }, "fps"),
        (VideoRequest { last_image: request().image, ..request() }, "last_image"),
        (VideoRequest { prompt: " ".to_owned(), ..request() }, "prompt"),
    ] {
        let error = check_error(&fal, "", &video);
        assert!(error.reason.contains(text), "{error}");
    }
    for model in ["..", "fal-ai//x", "a/../b", "/v2.2"] {
        check_error(&fal, model, &request());
    }
}

#[tokio::test]
async fn the_key_goes_to_the_configured_origin_only() {
    let elsewhere = Server::start(|_| Reply::json(200, &json!({"status": "COMPLETED"}))).await.unwrap();
    let (fake, fal) = fake().await;
    fake.name_origin(&elsewhere.url());
    let id = start(&fal, "", &request()).await;
    assert!(finish(&fal, &id).await.1.is_ok());
    fal.cancel(&id).await.unwrap();
    assert_eq!(fake.server.requests().len(), 6);

    // The base URL has changed by the time of the poll.
    let moved = provider(elsewhere.url());
    let error = poll_error(&moved, &id).await;
    assert!(error.kind == ErrorKind::Settings && error.reason.contains("another base URL"), "{error}");
    assert_eq!(poll_error(&moved, "no JSON").await.kind, ErrorKind::Settings);
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_id_from_an_answer_stays_within_its_segment() {
    let server = Server::start(|_| Reply::json(200, &json!({"request_id": "../../keys?x=1", "status": "IN_QUEUE"}))).await.unwrap();
    let fal = provider(server.url());
    let id = start(&fal, "", &request()).await;
    fal.poll(&id).await.unwrap();
    let polled = &server.requests()[1];
    assert_eq!((polled.path.as_str(), polled.query.as_deref()), ("/fal-ai/pika/requests/..%2F..%2Fkeys%3Fx=1/status", Some("logs=false")));

    for body in [json!({}), json!({"request_id": ".."}), json!({"request_id": "x".repeat(3000)}), json!([])] {
        let server = Server::start(move |_| Reply::json(200, &body)).await.unwrap();
        let error = start_error(&provider(server.url()), "", &request()).await;
        assert_eq!((error.kind, error.may_have_started), (ErrorKind::Protocol, true), "{error}");
    }
}

#[tokio::test]
async fn each_failed_request_has_its_kind() {
    let (fake, fal) = fake().await;
    let image_needed = "fal-ai/pika/v2.2/image-to-video";
    let id = start(&fal, image_needed, &text_request()).await;
    let error = failure(&fal, &id).await;
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::InvalidRequest, Some("missing")));
    assert_eq!(error.reason, "image_url: Field required");

    for (fault, kind, code, retryable) in [
        (Fault::ContentFilterAtStart, ErrorKind::ContentFilter, "content_policy_violation", false),
        (Fault::ContentFilterAtEnd, ErrorKind::ContentFilter, "content_policy_violation", false),
        (Fault::Failed("Request timed out"), ErrorKind::Failed, "request_timeout", true),
    ] {
        fake.faults.push("submit", fault.clone());
        let id = start(&fal, "", &request()).await;
        let error = failure(&fal, &id).await;
        assert_eq!((error.kind, error.code.as_deref(), error.is_retryable()), (kind, Some(code), retryable), "{fault:?}");
    }

    let id = start(&fal, "", &request()).await;
    fake.faults.push("status", Fault::WrongWord("DONE"));
    let error = failure(&fal, &id).await;
    assert!(error.kind == ErrorKind::Protocol && error.reason.contains("\"DONE\""), "{error}");
    fake.faults.push("result", Fault::WrongWord(""));
    assert!(failure(&fal, &id).await.reason.contains("no video.url"));
    assert!(finish(&fal, &id).await.1.is_ok());
}

/// A model's own failure is final: it is not an outage to wait out.
#[tokio::test]
async fn a_request_that_failed_in_the_model_is_over() {
    for (why, kind) in [("Internal Server Error", ErrorKind::Failed), ("The output was flagged as sensitive", ErrorKind::ContentFilter)] {
        let server = Server::start(move |request| match request.method.as_str() {
            "POST" => Reply::json(200, &json!({"request_id": "r"})),
            _ if request.path.ends_with("/status") => Reply::json(200, &json!({"status": "COMPLETED", "error": why})),
            _ => Reply::json(500, &json!({"detail": why})),
        });
        let server = server.await.unwrap();
        let fal = provider(server.url());
        let id = start(&fal, "", &request()).await;
        let error = failure(&fal, &id).await;
        assert!(error.kind == kind && error.reason.contains(why) && !error.is_retryable(), "{error}");
        assert_eq!(server.requests()[1].query.as_deref(), Some("logs=false"));
    }
}

#[tokio::test]
async fn each_fault_of_an_answer_has_its_kind() {
    let (fake, fal) = fake().await;
    for (fault, kind, may_have_started) in [
        (Fault::RetryAfter(429, "too many concurrent requests", 3), ErrorKind::RateLimited, false),
        (Fault::Status(403, "User is locked. Reason: Exhausted balance."), ErrorKind::Quota, false),
        (Fault::Status(403, "not your app"), ErrorKind::Forbidden, false),
        (Fault::Status(422, "wrong"), ErrorKind::InvalidRequest, false),
        (Fault::StatusAfter(500, "oops"), ErrorKind::Unavailable, true),
        (Fault::Status(503, "no"), ErrorKind::Unavailable, false),
        (Fault::CloseAfterBytes(0), ErrorKind::Unavailable, true),
        (Fault::CloseAfterBytes(9), ErrorKind::Unavailable, true),
    ] {
        fake.faults.push("submit", fault.clone());
        let error = start_error(&fal, "", &request()).await;
        assert_eq!((error.kind, error.may_have_started), (kind, may_have_started), "{fault:?}: {error}");
    }
    let id = start(&fal, "", &request()).await;
    for operation in ["status", "status", "status", "result"] {
        fake.faults.push(operation, Fault::Status(502, "bad gateway"));
    }
    for _ in 0..3 {
        assert!(poll_error(&fal, &id).await.is_retryable());
    }
    // Two polls, and a third that finds it completed but its result unreachable.
    fal.poll(&id).await.unwrap();
    fal.poll(&id).await.unwrap();
    assert!(poll_error(&fal, &id).await.is_retryable());
    assert!(finish(&fal, &id).await.1.is_ok());
    assert!(fake.faults.all_taken());

    let wrong = provider(FalFake::start("another").await.unwrap().server.url());
    assert_eq!(start_error(&wrong, "", &request()).await.kind, ErrorKind::Unavailable, "the fake is gone");
    let other = FalFake::start("another").await.unwrap();
    assert_eq!(start_error(&provider(other.server.url()), "", &request()).await.kind, ErrorKind::Credentials);
}

#[tokio::test]
async fn a_request_can_be_cancelled_before_and_after_it_ends() {
    let (fake, fal) = fake().await;
    let id = start(&fal, "", &request()).await;
    fal.cancel(&id).await.unwrap();
    let cancelled = &fake.server.requests()[1];
    assert_eq!((cancelled.method.as_str(), cancelled.path.ends_with("/cancel")), ("PUT", true));
    let error = failure(&fal, &id).await;
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Failed, Some("client_cancelled")));
    // 400 ALREADY_COMPLETED, then 404 for a request that fal no longer knows.
    fal.cancel(&id).await.unwrap();
    fal.cancel(&id.replace("0001", "0009")).await.unwrap();
    fake.faults.push("cancel", Fault::Status(500, "oops"));
    assert_eq!(fal.cancel(&id).await.unwrap_err().kind, ErrorKind::Unavailable);
    assert!(!format!("{fal:?} {:?}", PikaFalSettings::new(KEY.to_owned().into())).contains(KEY));
}
