//! Runs the program as a user would: what it prints, what it writes, how it exits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod animate;
mod bench;
#[path = "../../../diffusion-core/tests/it/golden_weights.rs"]
#[expect(dead_code, reason = "only the random weights are used here")]
mod golden_weights;
mod image;
mod jobs;
mod misfits;
mod models;
mod named_models;
mod program;
mod provenance;
mod refiner;
mod sdxl;
mod secrets;
mod serve;
mod served;
mod services;
#[cfg(unix)]
mod special_files;
mod text_encoders;
#[path = "../../../diffusion-core/tests/it/tiny_turbo.rs"]
mod tiny_turbo;
mod turbo;
mod upscale;
mod usage;
mod videos;
