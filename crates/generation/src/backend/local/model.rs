//! The model as the device's thread sees it: what it can make, and where loading stands.

use std::sync::Arc;

use diffusion_core::{
    Result,
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Kept},
    pipelines::scenes::SceneMonitor,
};
use image::RgbImage;

use crate::{
    backend::{local::memory::MemoryPlan, video_file::VideoShape},
    model_info::{ModelInfo, TruncatedText},
    spec::{image::ImageSpec, video::VideoSpec},
};

/// What a model makes of a spec and a seed.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The picture.
    pub image: RgbImage,
    /// The texts that were cut for it; empty if all was read.
    pub truncated: Vec<TruncatedText>,
}

/// What the device's thread asks of a model. Implementers keep no state between calls that a panic could leave half-changed.
pub trait DeviceModel: Send {
    /// Makes one picture from a spec and a seed (the spec's own seed is picture 0's), or what of it is not kept yet.
    ///
    /// # Errors
    /// Whatever keeps the pipeline from it; [`diffusion_core::Error::Cancelled`] if the monitor breaks.
    fn picture(&mut self, spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor, kept: Kept<'_>) -> Result<Picture>;

    /// What a video will be, before its first frame; loads what is needed to know.
    ///
    /// # Errors
    /// If a model that it needs cannot be loaded.
    fn video_shape(&mut self, spec: &VideoSpec) -> Result<VideoShape>;

    /// Makes a video from frame `first_frame` on, and tells which texts were cut. What the journal has of it is not made again.
    ///
    /// # Errors
    /// As [`Self::picture`]; [`diffusion_core::Error::Sink`] if the sink refuses a frame.
    fn video(
        &mut self,
        spec: &VideoSpec,
        first_frame: usize,
        monitor: &mut dyn SceneMonitor,
        sink: &mut dyn FrameSink,
        journal: &mut dyn Journal,
    ) -> Result<Vec<TruncatedText>>;
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

/// Where the default model stands, for those who ask whether the service works.
#[derive(Clone, Debug)]
pub enum ModelStatus {
    /// The model is being loaded.
    Loading,
    /// Pictures can be asked for.
    Ready(Arc<ModelInfo>),
    /// The model could not be loaded, or its device is lost; the reason in one line.
    Failed(String),
}

/// Where a model stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// It is loaded when it is wanted.
    Unloaded,
    /// It is wanted, and room is being made for it, or another is loaded before it.
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
