//! Shared code of the tests of jobs, in `generation` and in the crates above it:
//!
//! * [`model`], a model without weights: jobs run in milliseconds, and stop or fail as the prompt selects;
//! * [`upscalers`], small networks of random weights;
//! * [`Checked`], jobs whose store is checked when a test drops them;
//! * [`eventually`], which waits for a condition.
//!
//! It must not know the tests of any crate, nor HTTP. It is not part of the program: only `[dev-dependencies]` name it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checked;
mod fake_model;
mod small_upscalers;
mod waiting;

pub use checked::{Checked, check_killed, spend};
pub use fake_model::{info, local, model};
pub use small_upscalers::{UPSCALERS, upscalers};
pub use waiting::{PATIENCE, eventually};
