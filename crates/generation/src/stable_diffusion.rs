//! A Stable Diffusion model behind the engine: loaded from its source, described, and called once a picture.
//!
//! The spec's variants are the dispatch: one pipeline verb each. A prompt that is longer than the model reads is cut as diffusers cuts it,
//! and both the picture and the log say so.

use diffusion_core::{
    Result,
    denoise::StepMonitor,
    pipelines::{ImageToImageParams, InpaintParams, StableDiffusion, TextToImageParams},
    policy::ExecutionPolicy,
    weights::WeightSource,
};

use crate::{
    model::{LoadedModel, ModelInfo, Picture, TruncatedText},
    spec::{ImageMode, ImageSpec},
};

impl LoadedModel {
    /// Loads a model; to be called on the thread that is to own it, which is the engine's.
    ///
    /// # Errors
    /// Whatever is wrong with the model's files, by name.
    pub fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        StableDiffusion::load(source, policy).map(Self::from)
    }
}

impl From<StableDiffusion> for LoadedModel {
    fn from(model: StableDiffusion) -> Self {
        let (default_width, default_height) = model.default_size();
        let info = ModelInfo {
            name: model.name().to_owned(),
            device: model.policy().device_name().to_owned(),
            device_reason: model.policy().reason.clone(),
            default_width,
            default_height,
            scheduler: model.scheduler_name(),
        };
        Self { info, generate: Box::new(move |spec, seed, monitor| generate(&model, spec, seed, monitor)) }
    }
}

fn generate(model: &StableDiffusion, spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor) -> Result<Picture> {
    let truncated = truncated(model, spec)?;
    for text in &truncated {
        tracing::warn!("{text}");
    }
    let base = TextToImageParams {
        prompt: spec.prompt().to_owned(),
        negative_prompt: spec.negative_prompt().to_owned(),
        width: spec.width(),
        height: spec.height(),
        num_inference_steps: usize::try_from(spec.num_inference_steps()).unwrap_or(usize::MAX),
        guidance_scale: spec.guidance_scale(),
        seed,
        scheduler: spec.scheduler(),
        clip_skip: usize::try_from(spec.clip_skip()).unwrap_or(usize::MAX),
    };
    let image = match spec.mode() {
        ImageMode::TextToImage => model.text_to_image(&base, monitor),
        ImageMode::ImageToImage { init_image, strength } => {
            model.image_to_image(&ImageToImageParams { base, init_image: init_image.clone(), strength: *strength }, monitor)
        }
        ImageMode::Inpaint { init_image, mask_image, strength } => {
            let (init_image, mask_image) = (init_image.clone(), mask_image.clone());
            model.inpaint(&InpaintParams { base, init_image, mask_image, strength: *strength }, monitor)
        }
    }?;
    Ok(Picture { image, truncated })
}

/// The texts that the model does not read to their end. Without guidance it reads no negative prompt at all, so none is cut.
fn truncated(model: &StableDiffusion, spec: &ImageSpec) -> Result<Vec<TruncatedText>> {
    let negative = (spec.guidance_scale() > 1.0).then(|| ("negative_prompt", spec.negative_prompt()));
    let mut truncated = Vec::new();
    for (field, text) in [("prompt", spec.prompt())].into_iter().chain(negative) {
        let (tokens, limit) = model.text_length(text)?;
        if tokens > limit {
            truncated.push(TruncatedText { field, tokens, limit });
        }
    }
    Ok(truncated)
}
