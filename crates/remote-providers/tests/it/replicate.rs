//! Replicate's videos and captions against a strict fake.

use std::time::Duration;

use remote_fakes::{Fault, INTERROGATOR, ReplicateFake, Reply, STABLE_VIDEO_DIFFUSION, Server};
use remote_providers::{
    ErrorKind, InputImage, Interrogator as _, Provider as _, ProviderError, Replicate, ReplicateInterrogator,
    ReplicateInterrogatorSettings, ReplicateSettings, Source, VideoRequest,
};
use serde_json::{Value, json};

use crate::drive::{KEY, check_error, checked, failure, finish, image, poll_error, request, request_with, start, start_error};

fn provider(base_url: String) -> Replicate {
    Replicate::new(ReplicateSettings { base_url, ..ReplicateSettings::new(KEY.to_owned().into()) })
}

async fn fake() -> (ReplicateFake, Replicate) {
    let fake = ReplicateFake::start(KEY).await.unwrap();
    let provider = provider(fake.server.url());
    (fake, provider)
}

fn svd() -> String {
    format!("stability-ai/stable-video-diffusion:{STABLE_VIDEO_DIFFUSION}")
}

/// A request for Stable Video Diffusion, which has no prompt.
fn svd_request() -> VideoRequest {
    let options = json!({"image_key": "input_image", "frames_per_second": 6, "motion_bucket_id": 127});
    VideoRequest { prompt: String::new(), seed: Some(7), ..request_with(options) }
}

#[tokio::test]
async fn a_video_by_version() {
    let (fake, replicate) = fake().await;
    let id = start(&replicate, &svd(), &svd_request()).await;
    let (percent, source) = finish(&replicate, &id).await;
    assert_eq!(percent, [None, Some(40)]);
    assert!(matches!(source, Ok(Source::Url { url, .. }) if url.ends_with("/out.mp4")));

    let requests = fake.server.requests();
    let asked: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let get = format!("GET /v1/predictions/{id}");
    assert_eq!(asked, ["POST /v1/predictions", &get, &get, &get]);
    let input = json!({
        "input_image": "https://example.com/fox.png?a=1&b=2",
        "seed": 7,
        "frames_per_second": 6,
        "motion_bucket_id": 127,
    });
    assert_eq!(requests[0].json(), json!({"version": STABLE_VIDEO_DIFFUSION, "input": input}));
    assert_eq!(requests[0].header("prefer"), None, "a video takes longer than an answer is held");
    assert!(requests.iter().all(|request| request.bearer() == Some(KEY)));
    // The version alone works as well.
    start(&replicate, STABLE_VIDEO_DIFFUSION, &svd_request()).await;
}

#[tokio::test]
async fn the_operator_names_the_image_input() {
    let fake = ReplicateFake::start(KEY).await.unwrap();
    let settings = ReplicateSettings { base_url: fake.server.url(), ..ReplicateSettings::new(KEY.to_owned().into()) };
    let replicate = Replicate::new(ReplicateSettings { image_key: "input_image".to_owned(), ..settings });
    let request = VideoRequest { prompt: String::new(), ..request() };
    start(&replicate, &svd(), &request).await;
    // A name in the request takes precedence.
    let other = VideoRequest { options: request_with(json!({"image_key": "first_frame_image"})).options, ..request };
    start(&replicate, "minimax/video-01", &VideoRequest { prompt: "a fox".to_owned(), ..other }).await;
    let inputs: Vec<_> = fake.server.requests().iter().map(|request| request.json()["input"].clone()).collect();
    let address = "https://example.com/fox.png?a=1&b=2";
    assert_eq!(inputs, [json!({"input_image": address}), json!({"first_frame_image": address, "prompt": "a fox"})]);
}

#[test]
fn a_models_name_is_checked_without_a_request() {
    let replicate = provider("https://example.com".to_owned());
    assert!(replicate.check_model("minimax/video-01").is_ok());
    let error = replicate.check_model("a model").unwrap_err();
    assert!(error.kind == ErrorKind::InvalidRequest && error.reason.contains("\"a model\"; it has to be owner/name"), "{error}");
}

#[tokio::test]
async fn a_video_by_an_official_models_name() {
    let (fake, replicate) = fake().await;
    let id =
        start(&replicate, "minimax/video-01", &request_with(json!({"image_key": "first_frame_image", "prompt_optimizer": false}))).await;
    assert!(matches!(finish(&replicate, &id).await.1, Ok(Source::Url { .. })), "a list of one");
    let asked = &fake.server.requests()[0];
    assert_eq!(asked.path, "/v1/models/minimax/video-01/predictions");
    let input = json!({"prompt": "a red fox", "first_frame_image": image().url(), "prompt_optimizer": false});
    assert_eq!(asked.json(), json!({"input": input}));
}

#[tokio::test]
async fn an_image_without_an_address_goes_as_a_data_url() {
    let (fake, replicate) = fake().await;
    let image = InputImage { source_url: None, ..image() };
    start(&replicate, &svd(), &VideoRequest { image: Some(image), ..svd_request() }).await;
    assert_eq!(fake.server.requests()[0].json()["input"]["input_image"], "data:image/png;base64,iVBORw0KGgo=");
}

/// A server with a fixed answer.
async fn saying(status: u16, body: Value) -> (Server, Replicate) {
    let server = Server::start(move |_| Reply::json(status, &body)).await.unwrap();
    let replicate = provider(server.url());
    (server, replicate)
}

#[tokio::test]
async fn every_form_of_an_output_is_read() {
    let url = "https://replicate.delivery/xezq/out.mp4";
    for output in [json!(url), json!([url]), json!({"video": url, "audio": "https://x.test/a.wav"}), json!({"seed": "7", "files": [url]})] {
        let (_server, replicate) = saying(200, json!({"id": "p", "status": "succeeded", "output": output})).await;
        let Ok(Source::Url { url: found, headers }) = finish(&replicate, "p").await.1 else { panic!("{output}") };
        assert!(found == url && headers.is_empty(), "the token is not for {found}");
    }
    let (_server, replicate) = saying(200, json!({"id": "p", "status": "succeeded", "output": "data:video/mp4;base64,AAAAGGZ0eXA="})).await;
    assert!(matches!(finish(&replicate, "p").await.1, Ok(Source::Bytes(bytes)) if bytes == b"\0\0\0\x18ftyp"));
    for output in
        [json!(null), json!([]), json!("a caption"), json!({"seed": 7}), json!("data:video/mp4,AAAA"), json!("file:///etc/passwd")]
    {
        let (_server, replicate) = saying(200, json!({"id": "p", "status": "succeeded", "output": output})).await;
        assert_eq!(failure(&replicate, "p").await.kind, ErrorKind::Protocol, "{output}");
    }
}

#[tokio::test]
async fn a_file_of_the_api_itself_is_fetched_with_the_token() {
    let (_fake, replicate) = fake().await;
    let id = start(&replicate, &svd(), &svd_request()).await;
    let Ok(Source::Url { headers, .. }) = finish(&replicate, &id).await.1 else { panic!("no address") };
    let bearer = headers.get("authorization").unwrap();
    assert!(bearer.is_sensitive() && bearer.to_str().unwrap() == format!("Bearer {KEY}"));
    assert!(!format!("{headers:?}").contains(KEY));
}

#[tokio::test]
async fn each_failed_prediction_has_its_kind() {
    let (fake, replicate) = fake().await;
    for (fault, kind, text) in [
        (Fault::ContentFilterAtEnd, ErrorKind::ContentFilter, "flagged as sensitive"),
        (Fault::Failed("CUDA out of memory"), ErrorKind::Failed, "CUDA out of memory"),
        (Fault::WrongWord("aborted"), ErrorKind::Failed, "aborted"),
        (Fault::WrongWord("canceled"), ErrorKind::Failed, "canceled"),
        (Fault::WrongWord("exploded"), ErrorKind::Protocol, "\"exploded\""),
    ] {
        fake.faults.push("create", fault.clone());
        let id = start(&replicate, &svd(), &svd_request()).await;
        let error = failure(&replicate, &id).await;
        assert!(error.kind == kind && error.reason.contains(text), "{fault:?}: {error}");
    }
    fake.faults.push("create", Fault::Failed("Prediction interrupted; please retry (code: PA)"));
    let id = start(&replicate, &svd(), &svd_request()).await;
    assert!(failure(&replicate, &id).await.is_retryable());
    let removed = json!({"id": "p", "status": "succeeded", "output": null, "data_removed": true});
    let error = failure(&saying(200, removed).await.1, "p").await;
    assert!(error.kind == ErrorKind::Result && !error.is_retryable() && error.reason.contains("removed"), "{error}");

    let id = start(&replicate, &svd(), &svd_request()).await;
    replicate.cancel(&id).await.unwrap();
    assert_eq!(fake.server.requests().last().unwrap().path, format!("/v1/predictions/{id}/cancel"));
    assert!(failure(&replicate, &id).await.reason.contains("canceled"));
}

#[tokio::test]
async fn each_fault_of_an_answer_has_its_kind() {
    let (fake, replicate) = fake().await;
    for (fault, kind, may_have_started) in [
        (Fault::RetryAfter(429, "Request was throttled.", 30), ErrorKind::RateLimited, false),
        (Fault::Status(402, "You have insufficient credit"), ErrorKind::Quota, false),
        (Fault::Status(403, "no"), ErrorKind::Forbidden, false),
        (Fault::StatusAfter(500, "oops"), ErrorKind::Unavailable, true),
        (Fault::StatusAfter(504, "late"), ErrorKind::Unavailable, true),
        (Fault::Status(503, "later"), ErrorKind::Unavailable, false),
        (Fault::CloseAfterBytes(0), ErrorKind::Unavailable, true),
        (Fault::CloseAfterBytes(20), ErrorKind::Unavailable, true),
    ] {
        fake.faults.push("create", fault.clone());
        let error = start_error(&replicate, &svd(), &svd_request()).await;
        assert_eq!((error.kind, error.may_have_started), (kind, may_have_started), "{fault:?}: {error}");
        assert_eq!(error.retry_after.is_some(), kind == ErrorKind::RateLimited);
    }
    let unknown = format!("a/b:{}", "0".repeat(64));
    let error = start_error(&replicate, &unknown, &svd_request()).await;
    assert!(error.kind == ErrorKind::NotFound && error.reason.contains("does not exist"), "{error}");
    let error = start_error(&replicate, &svd(), &request()).await;
    assert!(error.kind == ErrorKind::InvalidRequest && error.reason.contains("not allowed"), "{error}");
    assert_eq!(poll_error(&replicate, "nothing").await.kind, ErrorKind::NotFound);
    let other = ReplicateFake::start("another").await.unwrap();
    let error = start_error(&provider(other.server.url()), &svd(), &svd_request()).await;
    assert_eq!((error.kind, error.may_have_started), (ErrorKind::Credentials, false));
    assert!(!replicate.honours_token());
}

#[tokio::test]
async fn rate_limits_in_replicates_own_format() {
    let headed = Server::start(|_| Reply::json(429, &json!({"detail": "throttled"})).header("ratelimit-reset", 12)).await.unwrap();
    assert_eq!(poll_error(&provider(headed.url()), "p").await.retry_after, Some(Duration::from_secs(12)));
    let (_server, replicate) = saying(429, json!({"title": "x", "detail": "throttled", "retry_after": 8})).await;
    assert_eq!(poll_error(&replicate, "p").await.retry_after, Some(Duration::from_secs(8)));
}

#[tokio::test]
async fn an_id_from_an_answer_stays_within_its_segment() {
    let (server, replicate) = saying(201, json!({"id": "../account?x#y", "status": "starting"})).await;
    let id = start(&replicate, &svd(), &svd_request()).await;
    replicate.poll(&id).await.unwrap();
    replicate.cancel(&id).await.unwrap();
    let paths: Vec<_> = server.requests().iter().skip(1).map(|request| request.path.clone()).collect();
    assert_eq!(paths, ["/v1/predictions/..%2Faccount%3Fx%23y", "/v1/predictions/..%2Faccount%3Fx%23y/cancel"]);

    for body in [json!({}), json!([]), json!({"id": 7}), json!({"id": "x".repeat(2049)}), json!("hello")] {
        let (_server, replicate) = saying(201, body.clone()).await;
        let error = start_error(&replicate, &svd(), &svd_request()).await;
        assert_eq!((error.kind, error.may_have_started), (ErrorKind::Protocol, true), "{body}");
    }
}

#[test]
fn unsupported_fields_are_refused() {
    let replicate = provider("https://api.test".to_owned());
    for (model, video, text) in [
        ("", request(), "no model is named"),
        ("video-01", request(), "owner/name"),
        ("a/b/../c", request(), "owner/name"),
        ("a/b", VideoRequest { seconds: Some(5), ..request() }, "seconds"),
        ("a/b", VideoRequest { size: Some((1280, 720)), ..request() }, "size"),
        ("a/b", VideoRequest { last_image: request().image, ..request() }, "last_image"),
        ("a/b", request_with(json!({"image_key": 7})), "options.image_key"),
        ("a/b", VideoRequest::default(), "empty"),
    ] {
        let error = check_error(&replicate, model, &video);
        assert!(error.reason.contains(text), "{error}");
    }
    assert!(!format!("{replicate:?} {:?}", ReplicateSettings::new(KEY.to_owned().into())).contains(KEY));
}

fn interrogator(base_url: String) -> ReplicateInterrogator {
    let (interval, deadline) = (Duration::from_millis(5), Duration::from_secs(30));
    ReplicateInterrogator::new(ReplicateInterrogatorSettings { base_url, interval, deadline, ..settings() }).unwrap()
}

fn settings() -> ReplicateInterrogatorSettings {
    ReplicateInterrogatorSettings::new(KEY.to_owned().into())
}

#[tokio::test]
async fn a_caption_in_one_answer() {
    let fake = ReplicateFake::start(KEY).await.unwrap();
    let caption = interrogator(fake.server.url()).caption(&image()).await.unwrap();
    assert!(caption.starts_with("a red fox in the snow"), "{caption}");
    let requests = fake.server.requests();
    assert_eq!(requests.len(), 1, "the answer says processing, and has the output");
    assert_eq!((requests[0].path.as_str(), requests[0].header("prefer")), ("/v1/predictions", Some("wait")));
    let input = json!({"image": image().url(), "clip_model_name": "ViT-L-14/openai", "mode": "best"});
    assert_eq!(requests[0].json(), json!({"version": INTERROGATOR, "input": input}));
}

#[tokio::test]
async fn a_caption_that_takes_longer_than_an_answer_is_held() {
    let fake = ReplicateFake::start(KEY).await.unwrap();
    fake.time_out_waits();
    fake.faults.push("get", Fault::Status(503, "later"));
    fake.faults.push("get", Fault::CloseAfterBytes(0));
    assert!(interrogator(fake.server.url()).caption(&image()).await.is_ok());
    assert_eq!((fake.predictions(), fake.faults.all_taken()), (1, true));
}

#[tokio::test]
async fn a_caption_refused_for_a_transient_reason_is_retried() {
    let fake = ReplicateFake::start(KEY).await.unwrap();
    fake.faults.push("create", Fault::RetryAfter(429, "throttled", 0));
    fake.faults.push("create", Fault::Status(503, "later"));
    assert!(interrogator(fake.server.url()).caption(&image()).await.is_ok());
    assert_eq!((fake.server.requests().len(), fake.predictions()), (3, 1));
    // But not beyond the deadline.
    fake.faults.push("create", Fault::RetryAfter(429, "throttled", 31));
    assert_eq!(caption_error(&interrogator(fake.server.url())).await.kind, ErrorKind::RateLimited);
    fake.faults.push("create", Fault::RetryAfter(429, "throttled", u32::MAX));
    assert_eq!(caption_error(&interrogator(fake.server.url())).await.kind, ErrorKind::RateLimited);
}

#[tokio::test]
async fn failed_captions_have_their_kind() {
    for (fault, kind, text) in [
        (Fault::NotAVideo(b" \n"), ErrorKind::Failed, "empty"),
        (Fault::ContentFilterAtEnd, ErrorKind::ContentFilter, "sensitive"),
        (Fault::Failed("cannot load image"), ErrorKind::Failed, "cannot load image"),
        (Fault::WrongWord("exploded"), ErrorKind::Protocol, "exploded"),
        (Fault::Status(401, "no"), ErrorKind::Credentials, "no"),
        (Fault::StatusAfter(500, "oops"), ErrorKind::Unavailable, "oops"),
        (Fault::CloseAfterBytes(0), ErrorKind::Unavailable, "broke off"),
    ] {
        let fake = ReplicateFake::start(KEY).await.unwrap();
        fake.faults.push("create", fault.clone());
        let error = caption_error(&interrogator(fake.server.url())).await;
        assert!(error.kind == kind && error.reason.contains(text), "{fault:?}: {error}");
        let posts = fake.server.requests().iter().filter(|request| request.path == "/v1/predictions").count();
        assert_eq!(posts, 1, "{fault:?}: asked once");
    }
    let unnamed = ReplicateInterrogator::new(ReplicateInterrogatorSettings { model: "clip".to_owned(), ..settings() });
    let error = unnamed.unwrap_err();
    assert!(error.kind == ErrorKind::Settings && error.reason.contains("\"clip\"; it has to be owner/name"), "{error}");
    // The operator's own interrogator with another kind of output.
    let server = Server::start(|_| Reply::json(201, &json!({"id": "p", "status": "succeeded", "output": [1, 2]}))).await.unwrap();
    assert_eq!(caption_error(&interrogator(server.url())).await.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn a_caption_that_is_late_is_cancelled() {
    let fake = ReplicateFake::start(KEY).await.unwrap();
    fake.time_out_waits();
    for _ in 0..100 {
        fake.faults.push("get", Fault::WrongWord("processing"));
    }
    let (interval, deadline) = (Duration::from_millis(5), Duration::from_millis(60));
    let late = ReplicateInterrogator::new(ReplicateInterrogatorSettings { base_url: fake.server.url(), interval, deadline, ..settings() })
        .unwrap();
    assert_eq!(caption_error(&late).await.kind, ErrorKind::Deadline);
    assert!(fake.server.requests().last().unwrap().path.ends_with("/cancel"));
    assert!(!format!("{late:?} {:?}", settings()).contains(KEY));
}

async fn caption_error(interrogator: &ReplicateInterrogator) -> ProviderError {
    checked(interrogator.caption(&image()).await.unwrap_err())
}
