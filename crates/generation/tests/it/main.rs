//! The crate's integration tests: one binary, one module a subject.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod artifact;
mod engine;
mod fake;
mod fake_model;
mod jobs;
mod killed;
mod journal;
mod pictures;
mod queue;
mod validate;
mod videos;
mod videos_validate;
