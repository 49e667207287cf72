//! The crate's integration tests: one binary, one module per subject.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod posts;
mod private_addresses;
mod ranges;
mod rebinding;
mod redirects;
mod scripted;
mod server;
