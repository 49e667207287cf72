//! The model as the device's thread sees it: what it can make, and where loading stands.

use std::sync::Arc;

use diffusion_core::{
    Result,
    pipelines::{RunContext, VideoContext},
};
use image::RgbImage;

use crate::{
    backend::{local::memory::MemoryPlan, video_file::VideoShape},
    model_info::{ModelInfo, TruncatedText},
    spec::{image::ImageSpec, video::VideoSpec},
};

/// What a model makes of a spec and a seed.
#[derive(Clone, Debug)]
pub struct ImageOutput {
    /// The image.
    pub image: RgbImage,
    /// The texts that were truncated for it; empty if the model read all.
    pub truncated: Vec<TruncatedText>,
}

/// A model on the device's thread. Implementers keep no state between calls that a panic could leave half-changed.
pub trait DeviceModel: Send {
    /// Makes one image from a spec and a seed (the spec's own seed is image 0's). What the context's journal has of it is not made again.
    ///
    /// # Errors
    /// Whatever keeps the pipeline from it; [`diffusion_core::Error::Cancelled`] if the monitor breaks.
    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> Result<ImageOutput>;

    /// What a video will be, before its first frame; loads what is needed to know.
    ///
    /// # Errors
    /// If a model that it needs cannot be loaded.
    fn video_shape(&mut self, spec: &VideoSpec) -> Result<VideoShape>;

    /// Makes a video from frame `first_frame` on, and returns the texts that were truncated. What the context's journal has of it is not
    /// made again.
    ///
    /// # Errors
    /// As [`Self::image`]; [`diffusion_core::Error::Sink`] if the sink refuses a frame.
    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>>;
}

/// A model that is ready. The device's thread owns it, wherever it was loaded.
pub struct LoadedModel {
    /// Facts about it.
    pub info: ModelInfo,
    /// What jobs take in memory, and how much there is.
    pub memory: MemoryPlan,
    /// The model.
    pub model: Box<dyn DeviceModel>,
}

/// The state of the default model, for health checks.
#[derive(Clone, Debug)]
pub enum ModelStatus {
    /// The model is being loaded.
    Loading,
    /// Jobs can begin at once.
    Ready(Arc<ModelInfo>),
    /// The model could not be loaded, or its device is lost; the reason in one line.
    Failed(String),
}

/// The state of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// It is loaded when a job needs it.
    Unloaded,
    /// A job needs it. Room is being made for it, or another model is loaded before it.
    Queued,
    /// It is being loaded.
    Loading {
        /// How much of it is read, 0 to 1.
        share: f64,
    },
    /// Jobs can begin at once.
    Ready,
    /// It could not be loaded; the next request tries again.
    Failed {
        /// The reason, in one line.
        reason: String,
    },
}

impl ModelState {
    /// Its name: "unloaded", "queued", "loading", "ready" or "failed".
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unloaded => "unloaded",
            Self::Queued => "queued",
            Self::Loading { .. } => "loading",
            Self::Ready => "ready",
            Self::Failed { .. } => "failed",
        }
    }
}
