//! The crate's integration tests: one binary, one module per subject.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bedrock;
mod download;
mod drive;
mod fal;
mod faults;
mod flow;
mod hugging_face;
mod pika_web;
mod replicate;
mod run;
mod veo_google;
mod veo_relay;
mod videos;
