//! Requests for the fake model, and waiting.

use std::time::{Duration, Instant};

use generation::{ImageRequest, ImageSpec, Limits};

use crate::fake_model::PATIENCE;
pub(crate) use crate::fake_model::{engine, info, model};

pub(crate) fn spec(prompt: &str) -> ImageSpec {
    request(prompt).validate(&Limits::default(), &info()).unwrap()
}

pub(crate) fn request(prompt: &str) -> ImageRequest {
    ImageRequest { prompt: Some(prompt.into()), seed: Some(7), num_inference_steps: Some(3), ..ImageRequest::default() }
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
