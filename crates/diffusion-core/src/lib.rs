//! Diffusion on candle: models, schedulers and pipelines of the Stable Diffusion family, Stable Video Diffusion included, driven by each
//! model's own config files; and captions of pictures by BLIP.
//!
//! The main types, in the order a caller meets them:
//!
//! * [`weights::WeightSource`]: where a model comes from (a diffusers folder, a single-file checkpoint, bytes compiled into the
//!   program, or seeded random numbers);
//! * [`policy::ExecutionPolicy`]: which device and which precision each component runs in;
//! * [`conditioning::TextConditioner`]: prompts to what a noise predictor is conditioned on;
//! * [`pipelines::StableDiffusion`] and [`pipelines::StableVideoDiffusion`]: the loaded model, with one verb for each pipeline;
//! * [`pipelines::caption::Captioner`]: the loaded model that says what a picture shows;
//! * [`denoise::StepMonitor`]: what a caller implements to see progress and to cancel;
//! * [`frames::FrameSink`]: where the frames of a video go;
//! * [`journal::Journal`]: where what is finished is kept, for work that is broken off and begun again.
//!
//! Nothing here reads the environment, the clock, a global random number generator or, outside [`hub`], the network: paths, seeds,
//! devices and tokens arrive as values.
//!
//! Floors inside the crate (a module imports only modules further left; a test holds them):
//! error, policy -> regular_file, noise, weights, hub, tokenizer, frames, preprocess, ops -> schedulers beside models -> conditioning -> guidance, denoise -> journal -> pipelines.

pub mod conditioning;
pub mod denoise;
pub mod error;
pub mod frames;
pub mod guidance;
#[cfg(feature = "hub")]
pub mod hub;
pub mod journal;
pub mod models;
pub mod noise;
pub mod ops;
pub mod pipelines;
pub mod policy;
pub mod preprocess;
pub mod regular_file;
pub mod schedulers;
pub mod tokenizer;
pub mod weights;

pub use error::{Error, Result};

// The integration tests' golden weights, for those tests of blocks that no caller outside can reach.
#[cfg(test)]
extern crate self as diffusion_core;
#[cfg(test)]
#[path = "../tests/it/golden_weights.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "tests fail by panicking; not all of it is wanted here")]
mod golden_weights;
