//! Faults on Amazon's side: each maps to its own kind with advice, and is retried if that helps.

use std::{path::Path, time::Duration};

use remote_fakes::{Fault, Reply, Server};
use remote_providers::{Bedrock, BedrockSettings, DownloadLimits, ErrorKind, Provider as _, ProviderError};
use serde_json::{Value, json};

use super::{World, checked_all, fetch, fresh, text};

/// A provider with a short timeout for a stall, so that the test is quick; with a long one for other faults, because of slow machines.
async fn meeting(world: &World, fault: &Fault) -> Bedrock {
    let timeout = if *fault == Fault::Stall { Duration::from_millis(400) } else { Duration::from_secs(60) };
    Bedrock::connect(BedrockSettings { timeout, ..world.settings() }).await.unwrap()
}

/// Asserts an error's kind, and that its message contains these words and its kind's advice.
#[track_caller]
fn assert_error(error: &ProviderError, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind, kind, "{error}");
    let shown = error.to_string();
    assert!(shown.starts_with("bedrock: ") && shown.ends_with(kind.advice()), "{shown}");
    for words in words {
        assert!(shown.contains(words), "{shown} does not say {words}");
    }
}

#[tokio::test]
async fn each_fault_of_a_start_has_its_kind() {
    let table = [
        (Fault::Status(429, "ThrottlingException"), ErrorKind::RateLimited, "ThrottlingException", false),
        (Fault::RetryAfter(429, "ThrottlingException", 7), ErrorKind::RateLimited, "Too many requests", false),
        (Fault::Status(400, "ServiceQuotaExceededException"), ErrorKind::Quota, "quota", false),
        (Fault::Status(403, "AccessDeniedException"), ErrorKind::Forbidden, "access to the model", false),
        (Fault::Status(503, "ServiceUnavailableException"), ErrorKind::Unavailable, "ServiceUnavailableException", false),
        (Fault::Status(500, "InternalServerException"), ErrorKind::Unavailable, "unexpected error", true),
        (Fault::Status(404, "ResourceNotFoundException"), ErrorKind::NotFound, "ResourceNotFoundException", false),
        (Fault::Status(424, "ModelErrorException"), ErrorKind::Failed, "ModelErrorException", false),
        (Fault::Status(418, "TeapotException"), ErrorKind::InvalidRequest, "TeapotException", false),
        (Fault::Status(599, "TeapotException"), ErrorKind::Protocol, "TeapotException", true),
        (Fault::Expired, ErrorKind::Credentials, "ExpiredTokenException", false),
        (Fault::ContentFilterAtStart, ErrorKind::ContentFilter, "adjust your text prompt", false),
        (Fault::Stall, ErrorKind::Unavailable, "no answer in time", true),
        (Fault::CloseAfterBytes(0), ErrorKind::Unavailable, "broke off", true),
        (Fault::CloseAfterBytes(9), ErrorKind::Unavailable, "broke off", true),
    ];
    for (fault, kind, words, may_have_started) in table {
        let world = World::new().await;
        let provider = meeting(&world, &fault).await;
        world.bedrock.faults.push("start", fault.clone());
        let error = checked_all(provider.start("", &text(), "job-1").await.unwrap_err());
        assert_error(&error, kind, &[words]);
        assert_eq!(error.may_have_started, may_have_started, "{fault:?}");
        assert!(world.bedrock.faults.all_taken());
        let after = matches!(fault, Fault::RetryAfter(..)).then_some(Duration::from_secs(7));
        assert_eq!(error.retry_after, after, "{fault:?}");
        // The provider sends one request: retries are the loop's task.
        assert_eq!(world.starts().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn transient_faults_are_retried_and_permanent_ones_fail_at_once() {
    let world = World::new().await;
    let provider = world.provider().await;
    for fault in [Fault::Status(429, "ThrottlingException"), Fault::Status(503, "ServiceUnavailableException")] {
        world.bedrock.faults.push("start", fault);
    }
    for fault in [Fault::Status(429, "ThrottlingException"), Fault::Status(500, "InternalServerException"), Fault::CloseAfterBytes(20)] {
        world.bedrock.faults.push("get", fault);
    }
    world.run(&provider, &text(), fresh("job-1")).await.unwrap();
    assert!(world.bedrock.faults.all_taken());
    assert_eq!((world.starts().len(), world.bedrock.begun()), (3, 1));

    // A start has three attempts.
    for _ in 0..3 {
        world.bedrock.faults.push("start", Fault::Status(429, "ThrottlingException"));
    }
    let error = world.run(&provider, &text(), fresh("job-2")).await.unwrap_err();
    assert_error(&error, ErrorKind::RateLimited, &[]);
    assert!(world.bedrock.faults.all_taken() && error.is_retryable());

    for (fault, kind) in [
        (Fault::ContentFilterAtStart, ErrorKind::ContentFilter),
        (Fault::Status(403, "AccessDeniedException"), ErrorKind::Forbidden),
        (Fault::Status(400, "ServiceQuotaExceededException"), ErrorKind::Quota),
    ] {
        let before = world.starts().len();
        world.bedrock.faults.push("start", fault);
        let error = world.run(&provider, &text(), fresh("job-3")).await.unwrap_err();
        assert_error(&error, kind, &[]);
        assert_eq!(world.starts().len(), before + 1);
    }
    assert_eq!(world.bedrock.begun(), 1);
}

#[tokio::test]
async fn the_content_filter_is_named_at_the_start_and_at_the_end() {
    let world = World::new().await;
    let provider = world.provider().await;
    let with_image = remote_providers::VideoRequest { image: Some(super::images::frame()), ..text() };
    for (request, words) in [(&text(), "text prompt"), (&with_image, "input image")] {
        world.bedrock.faults.push("start", Fault::ContentFilterAtStart);
        let error = world.run(&provider, request, fresh("job-1")).await.unwrap_err();
        assert_error(&error, ErrorKind::ContentFilter, &["blocked by our content filters", words, "change the prompt or the image"]);
    }
    assert_eq!(world.bedrock.begun(), 0);

    world.bedrock.faults.push("start", Fault::ContentFilterAtEnd);
    let error = world.run(&provider, &text(), fresh("job-2")).await.unwrap_err();
    assert_error(&error, ErrorKind::ContentFilter, &["The generated video has been blocked by our content filters."]);
    assert!(!error.is_retryable());
    assert!(world.s3.keys(super::BUCKET).is_empty());
}

#[tokio::test]
async fn an_undocumented_answer_is_named() {
    let world = World::new().await;
    let provider = world.provider().await;
    for _ in 0..4 {
        world.bedrock.faults.push("get", Fault::WrongWord("Succeeded"));
    }
    let error = world.run(&provider, &text(), fresh("job-1")).await.unwrap_err();
    assert_error(&error, ErrorKind::Protocol, &["\"Succeeded\"", "base URL"]);
    // A single unknown answer is no reason to abandon a billed job.
    world.bedrock.faults.push("get", Fault::WrongWord("Succeeded"));
    world.run(&provider, &text(), fresh("job-2")).await.unwrap();

    let arn = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghij12";
    let finished = json!({"invocationArn": arn, "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-reel-v1:1",
        "status": "Completed", "submitTime": "2026-11-29T07:15:00Z", "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://b-u-c/x"}}});
    let without = |name: &str| {
        let mut body = finished.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let elsewhere = |uri: &str| {
        let mut body = finished.clone();
        body["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"] = json!(uri);
        body
    };
    let bodies: [(Value, bool); 7] = [
        (finished.clone(), true),
        (without("status"), false),
        (without("outputDataConfig"), false),
        (elsewhere("https://example.com/x"), false),
        (elsewhere("s3:///x"), false),
        (json!([]), false),
        (json!("<html>"), false),
    ];
    for (body, is_right) in bodies {
        let answer = body.clone();
        let server = Server::start(move |_| Reply::json(200, &answer)).await.unwrap();
        let provider = Bedrock::connect(BedrockSettings { endpoint: Some(server.url()), ..world.settings() }).await.unwrap();
        match provider.poll(arn).await {
            Ok(_) => assert!(is_right, "{body}"),
            Err(error) => {
                assert!(!is_right, "{body}");
                assert_error(&checked_all(error), ErrorKind::Protocol, &[]);
            }
        }
    }
}

#[tokio::test]
async fn an_id_that_a_store_cannot_keep_is_refused() {
    let world = World::new().await;
    for (arn, words) in [(String::new(), "no id"), ("a\u{7}b".to_owned(), "control characters"), ("a".repeat(2049), "2049 bytes")] {
        let server = Server::start(move |_| Reply::json(200, &json!({"invocationArn": arn}))).await.unwrap();
        let provider = Bedrock::connect(BedrockSettings { endpoint: Some(server.url()), ..world.settings() }).await.unwrap();
        let error = checked_all(provider.start("", &text(), "job-1").await.unwrap_err());
        assert_error(&error, ErrorKind::Protocol, &[words]);
        assert!(error.may_have_started, "{words}");
    }
}

#[tokio::test]
async fn a_query_starts_nothing_and_not_found_means_the_job() {
    let world = World::new().await;
    let provider = world.provider().await;
    let unknown = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghij12";
    for error in [provider.poll(unknown).await.unwrap_err(), provider.link(unknown).await.unwrap_err()] {
        assert_error(&checked_all(error), ErrorKind::NotFound, &["the provider does not know the job any more"]);
    }
    for _ in 0..2 {
        world.bedrock.faults.push("get", Fault::Status(500, "InternalServerException"));
    }
    for error in [provider.poll(unknown).await.unwrap_err(), provider.link(unknown).await.unwrap_err()] {
        assert_error(&checked_all(error.clone()), ErrorKind::Unavailable, &[]);
        assert!(!error.may_have_started);
    }
}

#[tokio::test]
async fn an_answer_from_another_server_is_mapped_by_its_status() {
    let world = World::new().await;
    for (status, kind) in [
        (401, ErrorKind::Credentials),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (429, ErrorKind::RateLimited),
        (502, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
        (302, ErrorKind::Protocol),
    ] {
        let server = Server::start(move |_| Reply::bytes(status, "text/html", "<html>gateway</html>")).await.unwrap();
        let provider = Bedrock::connect(BedrockSettings { endpoint: Some(server.url()), ..world.settings() }).await.unwrap();
        let error = checked_all(provider.start("", &text(), "job-1").await.unwrap_err());
        assert_error(&error, kind, &[&format!("status {status}")]);
    }
    // A port without a listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let provider = Bedrock::connect(BedrockSettings { endpoint: Some(url), ..world.settings() }).await.unwrap();
    let error = checked_all(provider.start("", &text(), "job-1").await.unwrap_err());
    assert_error(&error, ErrorKind::Unavailable, &["cannot connect"]);
    assert!(!error.may_have_started);
}

#[tokio::test]
async fn each_download_fault_leaves_no_file_and_gives_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mp4");
    let small = DownloadLimits { max_bytes: 100_000, timeout: Duration::from_secs(60) };
    let table = [
        ("too large", Fault::TooLarge(100_001), ErrorKind::TooLarge, false, "100000 bytes"),
        ("truncated", Fault::CloseAfterBytes(500), ErrorKind::Result, true, "cannot be fetched"),
        ("closed", Fault::CloseAfterBytes(0), ErrorKind::Result, true, "cannot be fetched"),
        ("stalled", Fault::Stall, ErrorKind::Result, true, "cannot be fetched"),
        ("expired", Fault::Expired, ErrorKind::Result, false, "expired"),
        ("slowed down", Fault::Status(503, "SlowDown"), ErrorKind::Result, true, "503"),
        ("broken", Fault::Status(500, "InternalError"), ErrorKind::Result, true, "500"),
        ("removed", Fault::Status(404, "NoSuchKey"), ErrorKind::Result, false, "404"),
    ];
    for (name, fault, kind, retryable, words) in table {
        let world = World::new().await;
        world.bedrock.set_polls(0);
        let finished = world.run(&world.provider().await, &text(), fresh("job-1")).await.unwrap();
        let timeout = if fault == Fault::Stall { Duration::from_millis(400) } else { small.timeout };
        world.s3.faults.push("download", fault);
        let error = fetch(finished, &DownloadLimits { timeout, ..small }, &file).await.unwrap_err();
        assert_error(&error, kind, &[words]);
        assert_eq!(error.is_retryable(), retryable, "{name}: {error}");
        assert!(!file.exists() && world.s3.faults.all_taken(), "{name}");
        assert!(!error.to_string().contains(&world.s3.url()) || !error.to_string().contains('?'), "{name}: {error}");
        fetch_again(&world, &small, &file).await;
    }
}

/// After any download fault, the job's id suffices to fetch the video.
async fn fetch_again(world: &World, limits: &DownloadLimits, file: &Path) {
    let known = world.states().pop().unwrap();
    let finished = world.run(&world.provider().await, &text(), known).await.unwrap();
    assert!(fetch(finished, limits, file).await.unwrap() > 0);
    std::fs::remove_file(file).unwrap();
    assert_eq!(world.bedrock.begun(), 1);
}
