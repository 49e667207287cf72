//! An image in two passes: the spec's first pass, then its second one.
//!
//! It must not know how the pipeline passes one to the other. Invariant: both passes have the same adapters and ControlNets, and each of the
//! latter an image of its own pass's size.

use diffusion_core::{
    Result,
    pipelines::{Enlarge, RunContext, SecondPass},
};

use super::{LocalModel, Prepared, no_images, of_run, params, truncated};
use crate::{
    backend::local::model::ImageOutput,
    spec::image::{HiresSpec, ImageSpec, Upscaler},
};

impl LocalModel {
    /// The image of a spec with a second pass.
    pub(super) fn image_in_two_passes(
        &mut self,
        spec: &ImageSpec,
        hires: &HiresSpec,
        seed: u64,
        context: RunContext<'_>,
    ) -> Result<ImageOutput> {
        let stop = context.monitor.stop_check();
        let prepared = self.prepare(spec, seed, &stop)?;
        let second = spec.second_pass(hires);
        let images = self.images.as_ref().ok_or_else(no_images)?;
        let model = images.model().ok_or_else(no_images)?;
        let controls = self.controls.of_job(&second, model, &stop)?;
        let params = params(&second, seed, controls)?;
        let Prepared { params: first, truncated: mut cut, remarks, loras, mut embeddings } = prepared;
        let own = hires.prompt().map(|prompt| ("hires_prompt", prompt));
        let negative = hires.negative_prompt().map(|prompt| ("hires_negative_prompt", prompt));
        cut.extend(truncated(model, own, negative, spec.prompt_syntax(), hires.guidance_scale())?);
        embeddings.extend(images.embeddings_of(&params).into_iter().filter(|used| !embeddings.contains(used)).collect::<Vec<_>>());
        let upscaler = hires.upscaler();
        let upscalers = &self.upscalers;
        let by_pixels = |image: &image::RgbImage, size: (u32, u32)| match upscaler.network() {
            Some(name) => upscalers.enlarge_rgb(name, image, size, &stop),
            None => upscaler.enlarged(image, size),
        };
        let enlarge = match upscaler {
            Upscaler::Latent(way) => Enlarge::Latents(*way),
            Upscaler::None | Upscaler::Lanczos | Upscaler::Nearest | Upscaler::Network(_) => Enlarge::Image(&by_pixels),
        };
        let second = SecondPass { params, strength: hires.strength(), enlarged: hires.enlarged(), enlarge };
        let image = model.image_in_two_passes(&first, &second, context);
        let image = image.map_err(|error| of_run(images.of_run(error, spec.loras()), spec.controls()))?;
        Ok(ImageOutput { image, truncated: cut, remarks, loras, embeddings })
    }
}
