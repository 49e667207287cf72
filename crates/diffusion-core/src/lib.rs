//! Diffusion on candle: models, schedulers and pipelines of the Stable Diffusion family, Stable Video Diffusion included, driven by each
//! model's own config files; and captions of images by BLIP.
//!
//! The main types, in the order a caller meets them:
//!
//! * [`weights::WeightSource`]: where a model comes from (a diffusers folder, a single-file checkpoint, bytes compiled into the program, or
//!   seeded random numbers);
//! * [`adapters::AdaptedSource`]: the same model with LoRAs merged into its weights;
//! * [`policy::ExecutionPolicy`]: the device and the precision of each component;
//! * [`conditioning::TextConditioner`]: turns prompts into the embeddings that condition a noise predictor;
//! * [`pipelines::StableDiffusion`] and [`pipelines::StableVideoDiffusion`]: the loaded models, with one method for each pipeline;
//! * [`pipelines::caption::Captioner`]: the loaded model that describes an image;
//! * [`pipelines::RunContext`] and [`pipelines::VideoContext`]: a method's monitor, journal and sink;
//! * [`denoise::StepMonitor`] and [`pipelines::VideoMonitor`]: implemented by a caller to follow progress and to cancel;
//! * [`frames::FrameSink`]: receives the frames of a video;
//! * [`journal::Journal`]: keeps finished parts, for work that is interrupted and resumed;
//! * [`imaging`]: image arithmetic that knows no model.
//!
//! Nothing here reads the environment, the clock, a global random number generator or, outside [`hub`], the network: paths, seeds,
//! devices and tokens arrive as values.
//!
//! Floors inside the crate (a module imports only modules further left; a test checks it):
//! error, policy -> imaging -> regular_file, noise, weights, hub, tokenizer, frames, preprocess, ops -> prompt, schedulers beside models beside adapters -> conditioning -> guidance, denoise -> journal -> pipelines.

pub mod adapters;
pub mod conditioning;
pub mod denoise;
pub mod error;
pub mod frames;
pub mod guidance;
#[cfg(feature = "hub")]
pub mod hub;
pub mod imaging;
pub mod journal;
pub mod models;
pub mod noise;
pub mod ops;
pub mod pipelines;
pub mod policy;
pub mod preprocess;
pub mod prompt;
pub mod regular_file;
pub mod schedulers;
pub mod tokenizer;
pub mod weights;

pub use error::{Error, Result};

// The integration tests' golden weights, for tests of blocks that no outside caller can reach.
#[cfg(test)]
extern crate self as diffusion_core;
#[cfg(test)]
#[path = "../tests/it/golden_weights.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "tests fail by panicking; not all of it is used here")]
mod golden_weights;
