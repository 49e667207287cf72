//! The model as the device's thread sees it: the work it does, and the state of its loading.

use std::sync::Arc;

use diffusion_core::{
    Error, Result,
    denoise::StepMonitor,
    pipelines::{HandedOver, RunContext, VideoContext},
    weights::StopCheck,
};
use image::RgbImage;

use crate::{
    backend::{
        local::{memory::MemoryPlan, upscalers::Upscalers},
        video_file::VideoShape,
    },
    model_info::{ModelInfo, TruncatedText},
    spec::{image::ImageSpec, video::VideoSpec},
};

/// A model's output for a spec and a seed.
#[derive(Clone, Debug)]
pub struct ImageOutput {
    /// The image.
    pub image: RgbImage,
    /// The texts that were truncated for it; empty if the model read all of them in full.
    pub truncated: Vec<TruncatedText>,
    /// Remarks on the adapters that the request chose, one sentence each.
    pub remarks: Vec<String>,
    /// The adapters that the model had: their names, and the first digits of their files' hashes as AUTOMATIC1111's web UI computes them.
    pub loras: Vec<(String, String)>,
    /// The embeddings that are words of its prompts, likewise.
    pub embeddings: Vec<(String, String)>,
}

/// An image that another model is to end.
#[derive(Clone, Debug)]
pub struct BegunImage {
    /// Its latents; `None` if they are kept.
    pub handed: Option<HandedOver>,
    /// As in [`ImageOutput`].
    pub truncated: Vec<TruncatedText>,
    /// As in [`ImageOutput`].
    pub remarks: Vec<String>,
    /// As in [`ImageOutput`].
    pub loras: Vec<(String, String)>,
    /// As in [`ImageOutput`].
    pub embeddings: Vec<(String, String)>,
}

/// A model on the device's thread. Implementers keep no state between calls that a panic could leave half-changed.
pub trait DeviceModel: Send {
    /// Generates one image from a spec and a seed (the spec's own seed is image 0's). Parts in the context's journal are not computed
    /// again.
    ///
    /// # Errors
    /// Any error of the pipeline; [`diffusion_core::Error::Cancelled`] if the monitor breaks.
    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> Result<ImageOutput>;

    /// Gives it the upscalers that may enlarge an image between two passes, once, before its first image. The default needs none.
    fn set_upscalers(&mut self, _upscalers: Upscalers) {}

    /// Begins one image, as [`Self::image`], up to the share `switch` of training's timesteps; one whose latents a journal has is not computed
    /// again. The default makes none.
    ///
    /// # Errors
    /// As [`Self::image`].
    fn begin(
        &mut self,
        _spec: &ImageSpec,
        _seed: u64,
        (_switch, _is_kept): (f64, bool),
        _monitor: &mut dyn StepMonitor,
    ) -> Result<BegunImage> {
        Err(no_refiner())
    }

    /// Ends one image that another model began; `None` if the context's journal has its latents. The default makes none.
    ///
    /// # Errors
    /// As [`Self::image`].
    fn refine(&mut self, _spec: &ImageSpec, _from: Option<HandedOver>, _switch: f64, _context: RunContext<'_>) -> Result<RgbImage> {
        Err(no_refiner())
    }

    /// The shape of a video, before its first frame; loads the models that determine it. A change of adapters stops when `stop` says so.
    ///
    /// # Errors
    /// If a model that it needs cannot be loaded; [`diffusion_core::Error::Cancelled`] if it stopped.
    fn video_shape(&mut self, spec: &VideoSpec, stop: &StopCheck) -> Result<VideoShape>;

    /// Generates a video from frame `first_frame` on, and returns the texts that were truncated. Parts in the context's journal are not
    /// computed again.
    ///
    /// # Errors
    /// As [`Self::image`]; [`diffusion_core::Error::Sink`] if the sink refuses a frame.
    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>>;
}

fn no_refiner() -> Error {
    Error::Params { field: "refiner", reason: "this model makes its images alone".to_owned() }
}

/// A loaded model. The device's thread owns it, whichever thread loaded it.
pub struct LoadedModel {
    /// Facts about it.
    pub info: ModelInfo,
    /// The memory that jobs need, and the memory available.
    pub memory: MemoryPlan,
    /// The model.
    pub model: Box<dyn DeviceModel>,
}

/// The state of the default model, for health checks.
#[derive(Clone, Debug)]
pub enum ModelStatus {
    /// The model is being loaded.
    Loading,
    /// Jobs can start at once.
    Ready(Arc<ModelInfo>),
    /// The model could not be loaded, or its device is lost; the reason, in one line.
    Failed(String),
}

/// The state of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// Not loaded; a job that needs it loads it.
    Unloaded,
    /// A job needs it. Memory is being freed for it, or another model is loaded first.
    Queued,
    /// It is being loaded.
    Loading {
        /// The fraction that has been read, 0 to 1.
        share: f64,
    },
    /// Jobs can start at once.
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
