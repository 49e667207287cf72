//! The pipeline's parameters for an image.
//!
//! It must not know models. The invariant: every field of a spec that a pipeline takes is passed on.

use diffusion_core::{
    Result,
    pipelines::{ControlsParams, ImageParams, MaskFill, Start},
};

use super::count;
use crate::{
    backend::local::masked::{fitted, start_of},
    spec::image::{ImageMode, ImageSpec, MaskContent, MaskSpec, ResizeMode},
};

/// An image's parameters.
pub(super) fn params(spec: &ImageSpec, seed: u64, controls: ControlsParams) -> Result<ImageParams> {
    Ok(ImageParams {
        prompt: spec.prompt().to_owned(),
        negative_prompt: spec.negative_prompt().to_owned(),
        prompt_syntax: spec.prompt_syntax(),
        width: spec.width(),
        height: spec.height(),
        num_inference_steps: count(spec.num_inference_steps()),
        guidance_scale: spec.guidance_scale(),
        seed,
        scheduler: spec.scheduler(),
        eta: spec.eta(),
        clip_skip: count(spec.clip_skip()),
        vae: spec.vae(),
        start: start(spec.mode(), (spec.width(), spec.height()))?,
        mask_fill: mask_fill(spec.mode()),
        stretch_latents: stretches_latents(spec.mode()),
        xl: spec.sdxl().params(),
        controls,
    })
}

/// What the denoising of an image starts from.
fn start(mode: &ImageMode, size: (u32, u32)) -> Result<Start> {
    Ok(match mode {
        ImageMode::TextToImage => Start::Noise,
        ImageMode::ImageToImage { init_image, strength, resize } => {
            Start::Image { init_image: fitted(init_image, *resize, size)?, strength: *strength }
        }
        ImageMode::Inpaint { init_image, mask_image, strength, resize, mask } => {
            let (init_image, mask_image) = start_of((init_image, mask_image), (*resize, mask.as_ref()), size)?;
            Start::Inpaint { init_image, mask_image, strength: *strength }
        }
    })
}

fn mask_fill(mode: &ImageMode) -> MaskFill {
    let content = match mode {
        ImageMode::Inpaint { mask: Some(mask), .. } => mask.content(),
        ImageMode::TextToImage | ImageMode::ImageToImage { .. } | ImageMode::Inpaint { mask: None, .. } => MaskContent::Original,
    };
    match content {
        MaskContent::Fill | MaskContent::Original => MaskFill::Image,
        MaskContent::Noise => MaskFill::Noise,
        MaskContent::Nothing => MaskFill::Nothing,
    }
}

fn stretches_latents(mode: &ImageMode) -> bool {
    let (resize, only_masked) = match mode {
        ImageMode::TextToImage => return false,
        ImageMode::ImageToImage { resize, .. } => (*resize, None),
        ImageMode::Inpaint { resize, mask, .. } => (*resize, mask.as_ref().and_then(MaskSpec::only_masked)),
    };
    // The part about a mask is resized by its pixels.
    resize == ResizeMode::Latent && only_masked.is_none()
}
