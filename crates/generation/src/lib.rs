//! From a raw request to finished pictures: validation, the bounded queue, the thread that owns the device, and the PNG files.
//!
//! The walk, in the order of the modules:
//!
//! * [`request::ImageRequest`] is what a caller wrote; [`validate`] turns it into an [`spec::ImageSpec`], or into every
//!   [`field_error::FieldError`] at once;
//! * [`engine::Engine`] takes specs into a bounded queue and runs them, one at a time, on the one thread that owns the model;
//! * [`job::JobHandle`] is the caller's end of a job: progress, the result, and cancellation by dropping it;
//! * [`preview::Previews`] are pictures of a job in the making, for as long as somebody wants them;
//! * [`journal::FolderJournal`] keeps what a job has finished, so that one that is broken off goes on behind it;
//! * [`png`] writes the pictures with the parameters that made them, and [`artifact`] puts files in place whole or not at all.
//!
//! Nothing here reads the environment, the clock or a global random number generator: seeds, settings and the clock arrive as values.
//! Nothing here knows HTTP or the command line.

pub mod artifact;
mod check;
mod device;
pub mod engine;
pub mod error;
pub mod field_error;
pub mod given_picture;
pub mod job;
pub mod jobs;
pub mod journal;
pub mod limits;
mod literal_prompt;
pub mod local_model;
mod measured;
pub mod memory;
pub mod model;
mod parameters;
pub mod png;
pub mod preview;
mod queue;
pub mod request;
pub mod spec;
mod stored_joins;
mod stored_picture;
mod stored_text;
pub mod validate;
pub mod video;

pub use engine::{Engine, EngineSettings};
pub use error::{ArtifactError, GenerationError, SubmitError};
pub use field_error::{FieldError, FieldErrorKind};
pub use job::{GeneratedImage, JobContext, JobHandle, JobProgress};
pub use journal::FolderJournal;
pub use limits::{Limits, VideoLimits};
pub use measured::{Measured, Spread};
pub use memory::{MemoryPlan, TooLarge};
pub use model::{DeviceModel, EngineStatus, LoadedModel, ModelInfo, Picture, TruncatedText};
pub use preview::{Preview, PreviewOf, PreviewSlot, Previews};
pub use request::ImageRequest;
pub use spec::{ImageMode, ImageSpec};
