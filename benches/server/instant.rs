//! A model that returns at once, so that all that is left of a request's time is the server's.

use diffusion_core::{
    Error, Result,
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Kept},
    pipelines::scenes::SceneMonitor,
    schedulers::SchedulerKind,
};
use generation::{
    DeviceModel, ImageSpec, LoadedModel, MemoryPlan, ModelInfo, Picture, TruncatedText,
    video::{VideoShape, VideoSpec},
};
use image::RgbImage;

/// A picture's sides, in pixels.
pub(crate) const SIDE: u32 = 64;

struct Instant;

pub(crate) fn model() -> LoadedModel {
    let info = ModelInfo {
        name: "instant".into(),
        motion: "none".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        device_reason: "there is no other".into(),
        default_width: SIDE,
        default_height: SIDE,
        scheduler: Some(SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        defaults: generation::ModelDefaults::default(),
        remarks: Vec::new(),
    };
    LoadedModel { info, memory: MemoryPlan::default(), model: Box::new(Instant) }
}

fn no_videos() -> Error {
    Error::Params { field: "model", reason: "it makes pictures only".into() }
}

impl DeviceModel for Instant {
    fn picture(&mut self, spec: &ImageSpec, _: u64, _: &mut dyn StepMonitor, _: Kept<'_>) -> Result<Picture> {
        Ok(Picture { image: RgbImage::new(spec.width(), spec.height()), truncated: Vec::new() })
    }

    fn video_shape(&mut self, _: &VideoSpec) -> Result<VideoShape> {
        Err(no_videos())
    }

    fn video(
        &mut self,
        _: &VideoSpec,
        _: usize,
        _: &mut dyn SceneMonitor,
        _: &mut dyn FrameSink,
        _: &mut dyn Journal,
    ) -> Result<Vec<TruncatedText>> {
        Err(no_videos())
    }
}
