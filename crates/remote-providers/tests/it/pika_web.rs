//! Pika's web form against a strict fake.

use std::time::Duration;

use remote_fakes::{Fault, PikaWebFake, Reply, Server};
use remote_providers::{ErrorKind, Pace, PikaWeb, PikaWebSettings, Provider as _, Source, Status, VideoRequest};
use serde_json::{Value, json};

use crate::{
    drive::{KEY, check_error, checked, failure, finish, poll_error, request, request_with, start, start_error},
    flow::patience,
};

fn provider(base_url: String) -> PikaWeb {
    PikaWeb::new(PikaWebSettings { base_url, ..PikaWebSettings::new(KEY.to_owned().into()) })
}

async fn fake() -> (PikaWebFake, PikaWeb) {
    let fake = PikaWebFake::start(KEY).await.unwrap();
    let provider = provider(fake.base_url());
    (fake, provider)
}

#[tokio::test]
async fn the_flow_matches_the_document() {
    let (fake, pika) = fake().await;
    let id = start(&pika, "", &request()).await;
    let (percent, source) = finish(&pika, &id).await;
    assert_eq!(percent, [None, None]);
    let Ok(Source::Url { url, headers }) = source else { panic!("no address") };
    assert!(url.contains("seed42.mp4") && headers.is_empty(), "{url}");

    let requests = fake.server.requests();
    let asked: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(asked, ["POST /web/generate", "GET /web/jobs/job-0001", "GET /web/jobs/job-0001", "GET /web/jobs/job-0001"]);
    assert_eq!(
        requests[0].json(),
        json!({
            "promptText": "a red fox",
            "model": "1.5",
            "image": "https://example.com/fox.png?a=1&b=2",
            "options": {"frameRate": 24, "parameters": {"motion": 2, "guidanceScale": 16}},
        })
    );
    assert!(requests.iter().all(|request| request.bearer() == Some(KEY)));
}

#[test]
fn the_pace_matches_the_document() {
    let second = Duration::from_secs;
    let pace = Pace { initial_wait: second(300), interval: second(10), max_interval: second(10), deadline: second(420) };
    let pika = PikaWeb::new(PikaWebSettings::new(KEY.to_owned().into()));
    assert_eq!((pika.pace(), pika.name(), pika.honours_token()), (pace, "pika", false));
}

#[tokio::test]
async fn options_and_common_fields_fill_the_form() {
    let (fake, pika) = fake().await;
    let options = json!({"motion": 4, "guidanceScale": 7.5, "aspectRatio": "5:2", "camera": {"zoom": "in"}, "seed": 9});
    let video =
        VideoRequest { negative_prompt: Some("blur".to_owned()), seed: Some(7), fps: Some(12), image: None, ..request_with(options) };
    start(&pika, "2.0", &video).await;
    let body = fake.server.requests()[0].json();
    assert_eq!(body.get("image"), None);
    assert_eq!(body["model"], "2.0");
    let parameters = json!({"motion": 4, "guidanceScale": 7.5, "negativePrompt": "blur", "seed": 9});
    assert_eq!(body["options"], json!({"frameRate": 12, "aspectRatio": "5:2", "camera": {"zoom": "in"}, "parameters": parameters}));
}

#[test]
fn unsupported_parameters_are_refused_with_the_limit() {
    let pika = provider("https://api.test/web".to_owned());
    for (options, limit) in [
        (json!({"motion": 0}), "options.motion is 0; it has to be a whole number from 1 to 4"),
        (json!({"motion": 5}), "1 to 4"),
        (json!({"motion": 2.5}), "1 to 4"),
        (json!({"motion": "2"}), "1 to 4"),
        (json!({"guidanceScale": 4.9}), "from 5 to 25"),
        (json!({"guidanceScale": 26}), "from 5 to 25"),
        (json!({"frameRate": 25}), "1 to 24"),
        (json!({"aspectRatio": "2:1"}), "16:9, 9:16, 1:1, 5:2, 4:5, 4:3"),
        (json!({"negativePrompt": 1}), "string"),
        (json!({"seed": -1}), "whole number"),
        (json!({"Motion": 1}), "options.Motion is unknown"),
    ] {
        let error = check_error(&pika, "", &request_with(options.clone()));
        assert!(error.reason.contains(limit), "{options}: {error}");
    }
    for (video, field) in [
        (VideoRequest { size: Some((1280, 720)), ..request() }, "size"),
        (VideoRequest { seconds: Some(5), ..request() }, "seconds"),
        (VideoRequest { last_image: request().image, ..request() }, "last_image"),
        (VideoRequest { shots: vec![Default::default()], ..request() }, "shots"),
        (VideoRequest { fps: Some(30), ..request() }, "frameRate"),
        (VideoRequest::default(), "prompt"),
    ] {
        let error = check_error(&pika, "", &video);
        assert!(error.reason.contains(field), "{error}");
    }
}

#[tokio::test]
async fn status_words_of_a_job() {
    let (fake, pika) = fake().await;
    let id = start(&pika, "", &request()).await;
    for word in ["queued", "pending", "starting", "processing", "Running", "in_progress"] {
        fake.faults.push("job", Fault::WrongWord(word));
        assert!(matches!(pika.poll(&id).await.unwrap(), Status::Pending(None)), "{word}");
    }
    for word in ["failed", "error", "cancelled", "quux"] {
        fake.faults.push("job", Fault::WrongWord(word));
        let error = failure(&pika, &id).await;
        assert!(error.kind == ErrorKind::Failed && error.reason.contains(&format!("\"{word}\"")), "{error}");
    }
    for word in ["", "finished"] {
        fake.faults.push("job", Fault::WrongWord(word));
        assert_eq!(failure(&pika, &id).await.kind, ErrorKind::Protocol, "{word}: without a resultUrl");
    }
}

#[tokio::test]
async fn each_fault_of_a_start_has_its_kind() {
    let (fake, _) = fake().await;
    for (fault, kind, may_have_started, retryable) in [
        (Fault::RetryAfter(429, "slow down", 7), ErrorKind::RateLimited, false, true),
        (Fault::Status(400, "no such model"), ErrorKind::InvalidRequest, false, false),
        (Fault::Status(402, "no credit"), ErrorKind::Quota, false, false),
        (Fault::Status(403, "not your plan"), ErrorKind::Forbidden, false, false),
        (Fault::Status(500, "oops"), ErrorKind::Unavailable, true, true),
        (Fault::Status(503, "restarting"), ErrorKind::Unavailable, false, true),
        (Fault::StatusAfter(502, "bad gateway"), ErrorKind::Unavailable, true, true),
        (Fault::ContentFilterAtStart, ErrorKind::ContentFilter, false, false),
        (Fault::Stall, ErrorKind::Unavailable, true, true),
        (Fault::CloseAfterBytes(0), ErrorKind::Unavailable, true, true),
        (Fault::CloseAfterBytes(5), ErrorKind::Unavailable, true, true),
    ] {
        let timeout = patience(fault == Fault::Stall);
        let settings = PikaWebSettings { base_url: fake.base_url(), timeout, ..PikaWebSettings::new(KEY.to_owned().into()) };
        fake.faults.push("generate", fault.clone());
        let error = start_error(&PikaWeb::new(settings), "", &request()).await;
        assert_eq!((error.kind, error.may_have_started, error.is_retryable()), (kind, may_have_started, retryable), "{fault:?}: {error}");
        let waits = matches!(fault, Fault::RetryAfter(..)).then_some(Duration::from_secs(7));
        assert_eq!(error.retry_after, waits);
    }
    assert!(fake.faults.all_taken());
}

#[tokio::test]
async fn each_fault_of_a_job_has_its_kind() {
    let (fake, pika) = fake().await;
    fake.faults.push("generate", Fault::ContentFilterAtEnd);
    let id = start(&pika, "", &request()).await;
    assert_eq!(failure(&pika, &id).await.kind, ErrorKind::ContentFilter);
    fake.faults.push("generate", Fault::Failed("out of memory"));
    let id = start(&pika, "", &request()).await;
    let error = failure(&pika, &id).await;
    assert!(error.kind == ErrorKind::Failed && error.reason.contains("out of memory"), "{error}");
    for (status, kind) in [(429, ErrorKind::RateLimited), (500, ErrorKind::Unavailable), (503, ErrorKind::Unavailable)] {
        fake.faults.push("job", Fault::Status(status, "busy"));
        assert_eq!(poll_error(&pika, &id).await.kind, kind, "{status}");
    }
    assert_eq!(poll_error(&pika, "job-9999").await.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_wrong_key_and_an_unreachable_server() {
    let fake = PikaWebFake::start("another").await.unwrap();
    let error = start_error(&provider(fake.base_url()), "", &request()).await;
    assert_eq!((error.kind, error.may_have_started), (ErrorKind::Credentials, false));
    let gone = fake.base_url();
    drop(fake);
    let error = start_error(&provider(gone), "", &request()).await;
    assert_eq!((error.kind, error.may_have_started, error.is_retryable()), (ErrorKind::Unavailable, false, true), "{error}");
    let error = start_error(&provider("pika".to_owned()), "", &request()).await;
    assert_eq!(error.kind, ErrorKind::Settings);
}

/// A server with a fixed answer.
async fn saying(status: u16, body: Value) -> (Server, PikaWeb) {
    let server = Server::start(move |_| Reply::json(status, &body)).await.unwrap();
    let pika = provider(server.url());
    (server, pika)
}

#[tokio::test]
async fn incomplete_answers_have_their_kind() {
    for body in [json!({}), json!([]), json!({"job": null}), json!({"job": {"id": ""}}), json!({"job": {"id": {}}}), json!("hello")] {
        let (_server, pika) = saying(200, body.clone()).await;
        let error = start_error(&pika, "", &request()).await;
        assert_eq!((error.kind, error.may_have_started), (ErrorKind::Protocol, true), "{body}");
    }
    // An error with a success status means that nothing was started.
    for (why, kind) in [("out of credits", ErrorKind::Failed), ("blocked by moderation", ErrorKind::ContentFilter)] {
        let (_server, pika) = saying(200, json!({"success": false, "error": why})).await;
        let error = start_error(&pika, "", &request()).await;
        assert_eq!((error.kind, error.may_have_started, error.reason.as_str()), (kind, false, why));
    }
    for id in ["x".repeat(2049), "line\nbreak".to_owned()] {
        let (_server, pika) = saying(200, json!({"job": {"id": id}})).await;
        assert_eq!(start_error(&pika, "", &request()).await.kind, ErrorKind::Protocol);
    }
    for body in [json!({}), json!({"videos": []}), json!({"videos": null}), json!({"videos": {}})] {
        let (_server, pika) = saying(200, body.clone()).await;
        assert!(matches!(pika.poll("1").await, Ok(Status::Pending(None))), "{body}");
    }
    for body in [json!([]), json!("hello"), Value::Null] {
        let (_server, pika) = saying(200, body.clone()).await;
        assert_eq!(poll_error(&pika, "1").await.kind, ErrorKind::Protocol, "{body}");
    }
    let (_server, pika) = saying(302, json!({})).await;
    assert_eq!(poll_error(&pika, "1").await.kind, ErrorKind::Protocol, "redirects are not followed");
}

#[tokio::test]
async fn an_id_from_an_answer_stays_within_its_segment() {
    let (server, pika) = saying(200, json!({"job": {"id": "../../admin?x=1#y"}})).await;
    let id = start(&pika, "", &request()).await;
    pika.poll(&id).await.unwrap();
    let polled = &server.requests()[1];
    assert_eq!((polled.path.as_str(), polled.query.as_deref()), ("/jobs/..%2F..%2Fadmin%3Fx=1%23y", None));
    for id in ["..", ".", ""] {
        assert_eq!(poll_error(&pika, id).await.kind, ErrorKind::Protocol);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_error_that_repeats_the_key_is_redacted() {
    let body = json!({"error": format!("the token {KEY} may not read https://cdn.test/a.png?signature={KEY}")});
    let (_server, pika) = saying(401, body).await;
    let error = checked(pika.start("", &request(), "t").await.unwrap_err());
    assert_eq!(error.reason, "the token [key] may not read https://cdn.test/a.png?…");
    let settings = PikaWebSettings::new(KEY.to_owned().into());
    assert!(!format!("{settings:?} {pika:?}").contains(KEY));
}
