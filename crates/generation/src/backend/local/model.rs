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
pub trait DeviceModel {
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

/// A model that is ready. It lives on the thread that loaded it and never leaves it.
pub struct LoadedModel {
    /// Facts about it.
    pub info: ModelInfo,
    /// What jobs take in memory, and how much there is.
    pub memory: MemoryPlan,
    /// The model.
    pub model: Box<dyn DeviceModel>,
}

/// Where a backend's model stands.
#[derive(Clone, Debug)]
pub enum ModelStatus {
    /// The model is being loaded.
    Loading,
    /// Pictures can be asked for.
    Ready(Arc<ModelInfo>),
    /// The model could not be loaded, or its device is lost; the reason in one line.
    Failed(String),
}
