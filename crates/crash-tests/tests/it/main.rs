//! Programs of `src/bin` that are killed or fail in the middle of a job, and the recovery at the next start.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod killed;
mod killed_remote;
mod life;
