//! The pipeline's parameters for an image.
//!
//! It must not know models. The invariant: every field of a spec that a pipeline takes is passed on.

use diffusion_core::pipelines::{ControlsParams, ImageParams, Start};

use super::count;
use crate::spec::image::{ImageMode, ImageSpec};

/// An image's parameters.
pub(super) fn params(spec: &ImageSpec, seed: u64, controls: ControlsParams) -> ImageParams {
    ImageParams {
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
        start: start(spec.mode()),
        xl: spec.sdxl().params(),
        controls,
    }
}

/// What the denoising of an image starts from.
fn start(mode: &ImageMode) -> Start {
    match mode {
        ImageMode::TextToImage => Start::Noise,
        ImageMode::ImageToImage { init_image, strength } => Start::Image { init_image: init_image.clone(), strength: *strength },
        ImageMode::Inpaint { init_image, mask_image, strength } => {
            Start::Inpaint { init_image: init_image.clone(), mask_image: mask_image.clone(), strength: *strength }
        }
    }
}
