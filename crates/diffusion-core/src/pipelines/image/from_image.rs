//! Image to image: latents that start from noise over an image. Follows diffusers' `StableDiffusionImg2ImgPipeline.__call__`.
//!
//! The noise is drawn in diffusers' order: the encoder's sample, then the noise that is added, then what the scheduler draws.

use candle_core::Tensor;
use image::RgbImage;

use super::{
    ImageParams, LatentResize, StableDiffusion, first_user_step,
    refine::{HandedOver, PartOfRun, Until},
    resize_latents::resized,
};
use crate::{
    Result,
    denoise::{Denoising, StepMonitor},
    noise::SeededNoise,
    preprocess,
};

impl StableDiffusion {
    /// The latents of one image, denoised as far as `until` says.
    pub(super) fn latents_from_image(
        &self,
        params: &ImageParams,
        (init_image, strength): (&RgbImage, f64),
        until: Until,
        monitor: &mut dyn StepMonitor,
    ) -> Result<HandedOver> {
        self.check_plain_unet()?;
        first_user_step(params.num_inference_steps, strength)?;
        let mut noise = SeededNoise::new(params.seed);
        let image_latents = self.encoded(params, init_image, &mut noise)?;
        self.repainted(params, (image_latents, noise), strength, until, monitor)
    }

    /// The latents of a given image, at the size of the result.
    pub(super) fn encoded(&self, params: &ImageParams, image: &RgbImage, noise: &mut SeededNoise) -> Result<Tensor> {
        let vae = self.vaes.chosen(params.vae)?;
        if !params.stretch_latents {
            return vae.encode(&preprocess::image_tensor(image, params.width, params.height)?, noise);
        }
        let factor = self.pixels_per_latent();
        let whole = |side: u32| (side / factor).max(1) * factor;
        let latents = vae.encode(&preprocess::image_tensor(image, whole(image.width()), whole(image.height()))?, noise)?;
        let [_, _, height, width] = self.latents_shape(params);
        resized(&latents, (height, width), LatentResize::Bilinear)
    }

    /// Latents of an image, repainted as far as `until` says; `noise` is the image's stream, from which the noise that is added comes next.
    pub(super) fn repainted(
        &self,
        params: &ImageParams,
        (image_latents, mut noise): (Tensor, SeededNoise),
        strength: f64,
        until: Until,
        monitor: &mut dyn StepMonitor,
    ) -> Result<HandedOver> {
        let mut scheduler = self.scheduler.start(params)?;
        let first_step = first_user_step(params.num_inference_steps, strength)? * scheduler.order();
        let (all, trained) = (scheduler.timesteps().len(), self.trained_timesteps(params)?);
        let end = until.step(scheduler.as_ref(), first_step, trained)?;
        let conditioning = self.conditioning(params, all - first_step)?;

        let added = noise.randn(image_latents.dims())?;
        let latents = scheduler.add_noise(&image_latents, &added, first_step)?;
        let paint = |latents: &Tensor| self.paint(latents);
        let mut monitor = PartOfRun { monitor, before: 0, after: all - end };
        let run = Denoising { scheduler: scheduler.as_mut(), first_step, noise: &mut noise, paint: &paint, monitor: &mut monitor };
        let predict = |sample: &Tensor, timestep, call| conditioning.predict(sample, timestep, call);
        let latents = run.run_until(end, latents, predict, |_, _, latents| Ok(latents))?;
        Ok(HandedOver { latents, noise, calls: end - first_step })
    }
}
