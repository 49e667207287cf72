//! The fakes' own tests: one binary, one module a fake. What a fake refuses is what its clients are proved against.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bedrock;
mod raw;
mod s3;
