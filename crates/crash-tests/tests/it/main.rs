//! Programs of `src/bin` that are killed or fail in the middle of a job, and what the next start makes of what they leave.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod killed;
mod killed_remote;
mod life;
