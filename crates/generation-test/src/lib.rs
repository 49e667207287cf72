//! What the tests of jobs share, in `generation` and in the crates above it:
//!
//! * [`model`], a model that needs no weights: jobs run in milliseconds, and stop or fail where the prompt says;
//! * [`Checked`], jobs whose whole store is checked when a test drops them;
//! * [`eventually`], which waits for something.
//!
//! It must not know the tests of any crate, nor HTTP. Nothing of it gets into the program: only `[dev-dependencies]` name it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checked;
mod fake_model;
mod waiting;

pub use checked::{Checked, check_killed, spend};
pub use fake_model::{info, local, model};
pub use waiting::{PATIENCE, eventually};
