//! The Stable Diffusion pipelines as a model of the engine: the spec's mode is the dispatch.
//!
//! The invariant: a scheduler that the model's config cannot be combined with is known before a job starts denoising.

use diffusion_core::{
    Error, Result,
    pipelines::{ImageToImageParams, InpaintParams, StableDiffusion, TextToImageParams},
    policy::ExecutionPolicy,
    weights::WeightSource,
};

use crate::{
    model::{LoadedModel, ModelInfo},
    spec::{ImageMode, ImageSpec},
};

impl LoadedModel {
    /// Loads a Stable Diffusion model. Called on the device's own thread.
    ///
    /// # Errors
    /// Those of [`StableDiffusion::load`].
    pub fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        let model = StableDiffusion::load(source, policy)?;
        let (default_width, default_height) = model.default_size();
        let info = ModelInfo {
            name: model.name().to_owned(),
            device: policy.device_name().to_owned(),
            device_reason: policy.reason.clone(),
            default_width,
            default_height,
            scheduler: model.scheduler_name().to_string(),
        };
        Ok(Self { info, generate: Box::new(move |spec, seed, monitor| generate(&model, spec, seed, monitor)) })
    }
}

fn generate(
    model: &StableDiffusion,
    spec: &ImageSpec,
    seed: u64,
    monitor: &mut dyn diffusion_core::denoise::StepMonitor,
) -> Result<image::RgbImage> {
    let base = params(spec, seed)?;
    match spec.mode().clone() {
        ImageMode::TextToImage => model.text_to_image(&base, monitor),
        ImageMode::ImageToImage { init_image, strength } => {
            model.image_to_image(&ImageToImageParams { base, init_image, strength }, monitor)
        }
        ImageMode::Inpaint { init_image, mask_image, strength } => {
            model.inpaint(&InpaintParams { base, init_image, mask_image, strength }, monitor)
        }
    }
}

fn params(spec: &ImageSpec, seed: u64) -> Result<TextToImageParams> {
    let too_large = |field| move |_| Error::Params { field, reason: "does not fit this machine's word".into() };
    Ok(TextToImageParams {
        prompt: spec.prompt().to_owned(),
        negative_prompt: spec.negative_prompt().to_owned(),
        width: spec.width(),
        height: spec.height(),
        num_inference_steps: spec.num_inference_steps().try_into().map_err(too_large("num_inference_steps"))?,
        guidance_scale: spec.guidance_scale(),
        seed,
        scheduler: spec.scheduler().map(str::parse).transpose()?,
        clip_skip: spec.clip_skip().try_into().map_err(too_large("clip_skip"))?,
    })
}
