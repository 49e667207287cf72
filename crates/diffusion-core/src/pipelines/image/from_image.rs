//! Image to image: latents that start from noise over an image. Follows diffusers' `StableDiffusionImg2ImgPipeline.__call__`.
//!
//! The noise is drawn in diffusers' order: the encoder's sample, then the noise that is added, then what the scheduler draws.

use candle_core::Tensor;
use image::RgbImage;

use super::{
    ImageParams, StableDiffusion, first_user_step,
    refine::{HandedOver, PartOfRun, Until},
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
        let first_user_step = first_user_step(params.num_inference_steps, strength)?;
        let image = preprocess::image_tensor(init_image, params.width, params.height)?;
        let mut scheduler = self.scheduler.start(params)?;
        let first_step = first_user_step * scheduler.order();
        let (all, trained) = (scheduler.timesteps().len(), self.trained_timesteps(params)?);
        let end = until.step(scheduler.as_ref(), first_step, trained)?;
        let conditioning = self.conditioning(params, all - first_step)?;

        let mut noise = SeededNoise::new(params.seed);
        let image_latents = self.vaes.chosen(params.vae)?.encode(&image, &mut noise)?;
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
