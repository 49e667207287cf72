//! A model that returns at once, so that a request's time is only the server's.

use diffusion_core::{
    Error, Result,
    pipelines::{RunContext, VideoContext},
    schedulers::SchedulerKind,
    weights::StopCheck,
};
use generation::{
    DeviceModel, ImageOutput, ImageSpec, LoadedModel, MemoryPlan, ModelInfo, TruncatedText,
    video::{VideoShape, VideoSpec},
};
use image::RgbImage;

/// Width and height of images, in pixels.
pub(crate) const SIDE: u32 = 64;

struct Instant;

pub(crate) fn model() -> LoadedModel {
    let info = ModelInfo {
        name: "instant".into(),
        family: None,
        family_name: None,
        motion: "none".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        device_reason: "there is no other".into(),
        default_width: SIDE,
        default_height: SIDE,
        scheduler: Some(SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        vaes: vec![diffusion_core::weights::VaeChoice::Full],
        defaults: generation::ModelDefaults::default(),
        adapters: None,
        controlnets: None,
        upscalers: None,
        other_vae: None,
        other_text_encoders: Vec::new(),
        remarks: Vec::new(),
        identity: None,
    };
    LoadedModel { info, memory: MemoryPlan::default(), model: Box::new(Instant) }
}

fn no_videos() -> Error {
    Error::Params { field: "model", reason: "it makes pictures only".into() }
}

impl DeviceModel for Instant {
    fn image(&mut self, spec: &ImageSpec, _: u64, _: RunContext<'_>) -> Result<ImageOutput> {
        let image = RgbImage::new(spec.width(), spec.height());
        Ok(ImageOutput { image, truncated: Vec::new(), remarks: Vec::new(), loras: Vec::new(), embeddings: Vec::new() })
    }

    fn video_shape(&mut self, _: &VideoSpec, _: &StopCheck) -> Result<VideoShape> {
        Err(no_videos())
    }

    fn video(&mut self, _: &VideoSpec, _: usize, _: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        Err(no_videos())
    }
}
