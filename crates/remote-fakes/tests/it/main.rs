//! The fakes' own tests: one binary, one module per fake. The clients are tested against these refusals.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bedrock;
mod raw;
mod s3;
