//! Helpers for the tests of single providers, without the loop: requests, starts, polls, and checks that hold for every error.

use remote_providers::{ErrorKind, ImageFormat, InputImage, Provider, ProviderError, Source, Started, Status, VideoRequest};
use serde_json::{Map, Value};

/// The secret of all test providers.
pub(crate) const KEY: &str = "k-5f1d9c-secret";

/// An image with a public address.
pub(crate) fn image() -> InputImage {
    InputImage {
        bytes: b"\x89PNG\r\n\x1a\n".to_vec(),
        format: ImageFormat::Png,
        source_url: Some("https://example.com/fox.png?a=1&b=2".to_owned()),
    }
}

/// A prompt and an image.
pub(crate) fn request() -> VideoRequest {
    VideoRequest { prompt: "a red fox".to_owned(), image: Some(image()), ..VideoRequest::default() }
}

/// The same with options.
pub(crate) fn request_with(options: Value) -> VideoRequest {
    let options: Map<String, Value> = serde_json::from_value(options).unwrap();
    VideoRequest { options, ..request() }
}

/// Starts, and returns the id.
pub(crate) async fn start(provider: &dyn Provider, model: &str, request: &VideoRequest) -> String {
    provider.check(model, request).unwrap();
    match provider.start(model, request, "token").await.unwrap() {
        Started::Pending(id) => {
            assert!(!id.is_empty() && id.len() <= 2048 && !id.contains(KEY), "{id}");
            id
        }
        Started::Finished(..) => panic!("finished at the start"),
    }
}

/// The error of a start, checked.
pub(crate) async fn start_error(provider: &dyn Provider, model: &str, request: &VideoRequest) -> ProviderError {
    checked(provider.start(model, request, "token").await.unwrap_err())
}

/// The error of a check; a start fails the same way.
pub(crate) fn check_error(provider: &dyn Provider, model: &str, request: &VideoRequest) -> ProviderError {
    let error = checked(provider.check(model, request).unwrap_err());
    assert_eq!((error.kind, error.may_have_started), (ErrorKind::InvalidRequest, false), "{error}");
    error
}

/// Polls until the job finishes: the percentages, and the result.
pub(crate) async fn finish(provider: &dyn Provider, id: &str) -> (Vec<Option<u32>>, Result<Source, ProviderError>) {
    let mut percent = Vec::new();
    for _ in 0..10 {
        match provider.poll(id).await.unwrap() {
            Status::Pending(now) => percent.push(now),
            Status::Finished(source) => return (percent, Ok(source)),
            Status::Failed(error) => return (percent, Err(checked(error))),
        }
    }
    panic!("no end after {percent:?}");
}

/// The error of a failed job.
pub(crate) async fn failure(provider: &dyn Provider, id: &str) -> ProviderError {
    finish(provider, id).await.1.unwrap_err()
}

/// The error of a poll that fails.
pub(crate) async fn poll_error(provider: &dyn Provider, id: &str) -> ProviderError {
    checked(provider.poll(id).await.unwrap_err())
}

/// Asserts what holds for every error: no secret in any form, one line, and advice.
pub(crate) fn checked(error: ProviderError) -> ProviderError {
    let shown = error.to_string();
    assert!(!shown.contains(KEY) && !format!("{error:?}").contains(KEY), "{shown}");
    assert!(shown.contains(error.kind.advice()) && !shown.contains('\n'), "{shown}");
    error
}
