//! Hugging Face inference against a strict fake.

use std::time::Duration;

use remote_fakes::{Fault, HuggingFaceFake, sample_video};
use remote_providers::{
    ErrorKind, HuggingFace, HuggingFaceSettings, ImageFormat, InputImage, Provider as _, Source, Started, VideoRequest,
};
use serde_json::json;

use crate::{
    drive::{KEY, check_error, image, poll_error, request, request_with, start_error},
    flow::patience,
};

fn provider(base_url: String, timeout: Duration) -> HuggingFace {
    HuggingFace::new(HuggingFaceSettings { base_url, timeout, ..HuggingFaceSettings::new(KEY.to_owned().into()) })
}

async fn fake() -> (HuggingFaceFake, HuggingFace) {
    let fake = HuggingFaceFake::start(KEY).await.unwrap();
    let provider = provider(fake.server.url(), Duration::from_secs(30));
    (fake, provider)
}

async fn video(provider: &HuggingFace, request: &VideoRequest) -> Vec<u8> {
    provider.check("", request).unwrap();
    match provider.start("", request, "token").await.unwrap() {
        Started::Finished(id, Source::Bytes(bytes)) => {
            assert_eq!(id, "");
            bytes
        }
        other @ (Started::Pending(_) | Started::Finished(..)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_form_matches_the_document() {
    let (fake, hugging_face) = fake().await;
    let png = VideoRequest { seconds: Some(3), ..request() };
    assert_eq!(video(&hugging_face, &png).await, sample_video(0));
    let jpeg = InputImage { bytes: vec![0xff, 0xd8, 0xff, 0xe0], format: ImageFormat::Jpeg, source_url: None };
    video(&hugging_face, &VideoRequest { image: Some(jpeg), ..request() }).await;

    let requests = fake.server.requests();
    let path = "/models/stabilityai/stable-video-diffusion-img2vid-xt";
    assert!(requests.iter().all(|request| request.method == "POST" && request.path == path && request.bearer() == Some(KEY)));
    assert!(requests.iter().all(|request| request.header("accept") == Some("video/mp4")));
    let bodies: Vec<_> = requests.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    assert!(bodies[0].contains("filename=\"character.png\"\r\nContent-Type: image/png"), "{}", bodies[0]);
    assert!(bodies[0].contains("\r\n\r\n{\"num_frames\":24}\r\n"), "{}", bodies[0]);
    assert!(bodies[1].contains("filename=\"character.jpg\"\r\nContent-Type: image/jpeg"), "{}", bodies[1]);
    assert!(bodies[1].contains("\r\n\r\n{\"num_frames\":25}\r\n"), "five seconds are more than 25 frames: {}", bodies[1]);
    assert!(bodies.iter().all(|body| !body.contains("red fox")), "the prompt has no place in the form");
}

#[tokio::test]
async fn options_become_the_models_parameters() {
    let (fake, hugging_face) = fake().await;
    let options = json!({"motion_bucket_id": 90, "num_frames": 14});
    video(&hugging_face, &VideoRequest { seed: Some(7), ..request_with(options) }).await;
    let body = String::from_utf8_lossy(&fake.server.requests()[0].body).into_owned();
    assert!(body.contains("{\"motion_bucket_id\":90,\"num_frames\":14,\"seed\":7}"), "{body}");
}

#[tokio::test]
async fn a_loading_model_is_waited_for() {
    let (fake, hugging_face) = fake().await;
    fake.faults.push("infer", Fault::RetryAfter(503, "", 20));
    let error = start_error(&hugging_face, "", &request()).await;
    assert_eq!((error.kind, error.retry_after), (ErrorKind::Unavailable, Some(Duration::from_secs(20))));
    assert!(error.is_retryable() && !error.may_have_started && error.reason.contains("currently loading"), "{error}");
    fake.faults.push("infer", Fault::RetryAfter(503, "", u32::MAX));
    assert_eq!(start_error(&hugging_face, "", &request()).await.retry_after, Some(Duration::from_secs(600)));
    fake.faults.push("infer", Fault::Status(503, "busy"));
    let error = start_error(&hugging_face, "", &request()).await;
    assert_eq!((error.retry_after, error.is_retryable(), error.may_have_started), (Some(Duration::from_secs(20)), true, false));
    video(&hugging_face, &request()).await;
}

#[tokio::test]
async fn transient_faults_are_retryable_after_a_wait_and_permanent_ones_are_not() {
    let fake = HuggingFaceFake::start(KEY).await.unwrap();
    // If the answer gives no delay, the wait is the original client's first one.
    for (fault, kind, wait) in [
        (Fault::CloseAfterBytes(0), ErrorKind::Unavailable, Some(20)),
        (Fault::CloseAfterBytes(1000), ErrorKind::Unavailable, Some(20)),
        (Fault::Stall, ErrorKind::Unavailable, Some(20)),
        (Fault::RetryAfter(429, "rate limit", 60), ErrorKind::RateLimited, Some(60)),
        (Fault::Status(429, "rate limit"), ErrorKind::RateLimited, Some(20)),
        (Fault::Status(500, "oops"), ErrorKind::Unavailable, None),
        (Fault::Status(504, "late"), ErrorKind::Unavailable, None),
        (Fault::Status(400, "unknown parameter"), ErrorKind::InvalidRequest, None),
        (Fault::Status(402, "exceeded your monthly credits"), ErrorKind::Quota, None),
        (Fault::Status(403, "gated"), ErrorKind::Forbidden, None),
        (Fault::ContentFilterAtStart, ErrorKind::ContentFilter, None),
    ] {
        let hugging_face = provider(fake.server.url(), patience(fault == Fault::Stall));
        fake.faults.push("infer", fault.clone());
        let error = start_error(&hugging_face, "", &request()).await;
        assert_eq!((error.kind, error.is_retryable(), error.may_have_started), (kind, wait.is_some(), false), "{fault:?}: {error}");
        assert_eq!(error.retry_after, wait.map(Duration::from_secs), "{fault:?}");
    }
    assert!(fake.faults.all_taken());
}

#[tokio::test]
async fn an_answer_with_status_200_is_not_always_a_video() {
    let (fake, hugging_face) = fake().await;
    for (fault, kind, text) in [
        (Fault::Failed("the pipeline broke"), ErrorKind::Failed, "the pipeline broke"),
        (Fault::WrongWord("text/html"), ErrorKind::Protocol, "text/html"),
        (Fault::NotAVideo(b"{\"error\": \"out of memory\"}"), ErrorKind::Failed, "out of memory"),
        (Fault::NotAVideo(b"FAKE MP4 of a hundred bytes"), ErrorKind::Result, "27 bytes are no video"),
        (Fault::NotAVideo(b""), ErrorKind::Result, "0 bytes are no video"),
    ] {
        fake.faults.push("infer", fault.clone());
        let error = start_error(&hugging_face, "", &request()).await;
        assert!(error.kind == kind && error.reason.contains(text), "{fault:?}: {error}");
    }
    fake.faults.push("infer", Fault::TooLarge(1 << 20));
    assert_eq!(video(&hugging_face, &request()).await.len(), 1 << 20, "the limit of a result is the download's");
}

#[tokio::test]
async fn model_names_keys_and_unsupported_fields() {
    let (fake, hugging_face) = fake().await;
    assert_eq!(start_error(&hugging_face, "someone/other", &request()).await.kind, ErrorKind::NotFound);
    let error = start_error(&hugging_face, "some one/oth?er", &request()).await;
    assert_eq!((error.kind, fake.server.requests()[1].path.as_str()), (ErrorKind::NotFound, "/models/some%20one/oth%3Fer"));
    let other = HuggingFaceFake::start("another").await.unwrap();
    let wrong_key = provider(other.server.url(), Duration::from_secs(30));
    assert_eq!(start_error(&wrong_key, "", &request()).await.kind, ErrorKind::Credentials);
    for (model, video, text) in [
        ("a/b/c", request(), "owner/name"),
        ("../x", request(), "owner/name"),
        ("", VideoRequest { image: None, ..request() }, "image is missing"),
        ("", VideoRequest { seconds: Some(0), ..request() }, "seconds is 0"),
        ("", VideoRequest { size: Some((768, 768)), ..request() }, "size"),
        ("", VideoRequest { last_image: Some(image()), ..request() }, "last_image"),
        ("", request_with(json!({"num_frames": 26})), "from 1 to 25"),
    ] {
        let error = check_error(&hugging_face, model, &video);
        assert!(error.reason.contains(text), "{error}");
    }
    assert_eq!(poll_error(&hugging_face, "").await.kind, ErrorKind::NotFound);
    assert!(!format!("{hugging_face:?} {:?}", HuggingFaceSettings::new(KEY.to_owned().into())).contains(KEY));
}
