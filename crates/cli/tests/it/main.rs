//! Runs the program as a person would: what it prints, what it writes, how it exits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod animate;
mod bench;
mod image;
mod jobs;
mod models;
mod program;
mod serve;
mod served;
#[cfg(unix)]
mod special_files;
mod usage;
mod videos;
