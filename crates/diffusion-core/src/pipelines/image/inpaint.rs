//! Inpainting: latents that start from noise over a part of an image, with a plain model or with one trained for it. Follows diffusers'
//! `StableDiffusionInpaintPipeline.__call__` without `padding_mask_crop`.
//!
//! A plain noise predictor takes only the latents; after every step the kept part is restored, noised to the next step's level. An
//! inpainting model also takes the mask and the masked image as channels, and nothing is restored. The noise is drawn in diffusers' order:
//! the image's sample (if its latents are used), the noise that is added, the masked image's sample, then what the scheduler
//! draws. A plain model does not use the masked image's latents; their noise is drawn only to keep the stream in step.

use candle_core::Tensor;
use image::{GrayImage, RgbImage};

use super::{ImageParams, MaskFill, StableDiffusion, first_user_step};
use crate::{
    Error, Result,
    denoise::{Denoising, StepMonitor},
    noise::SeededNoise,
    preprocess,
    schedulers::Scheduler,
};

impl StableDiffusion {
    /// The denoised latents of one image.
    pub(super) fn inpainted_latents(
        &self,
        params: &ImageParams,
        (init_image, mask_image, strength): (&RgbImage, &GrayImage, f64),
        monitor: &mut dyn StepMonitor,
    ) -> Result<Tensor> {
        let trained_for_it = self.takes_mask_channels()?;
        let vae = self.vaes.chosen(params.vae)?;
        let first_user_step = first_user_step(params.num_inference_steps, strength)?;
        let image = preprocess::image_tensor(init_image, params.width, params.height)?;
        let pixel_mask = preprocess::mask_tensor(mask_image, params.width, params.height)?;
        let mask = preprocess::mask_to_latents(&pixel_mask, self.pixels_per_latent() as usize)?;
        let mut scheduler = self.scheduler.start(params)?;
        let first_step = first_user_step * scheduler.order();
        let mut conditioning = self.conditioning(params, scheduler.timesteps().len() - first_step)?;

        let mut noise = SeededNoise::new(params.seed);
        let from_noise_alone = strength == 1.0;
        let shape = self.latents_shape(params);
        let image_latents = if trained_for_it && from_noise_alone { None } else { Some(self.encoded(params, init_image, &mut noise)?) };
        let added = noise.randn(&shape)?;
        let filled = |latents: Tensor| -> Result<Tensor> {
            Ok(match params.mask_fill {
                MaskFill::Image => latents,
                MaskFill::Noise => (latents.broadcast_mul(&(1.0 - &mask)?)? + added.broadcast_mul(&mask)?)?,
                MaskFill::Nothing => latents.broadcast_mul(&(1.0 - &mask)?)?,
            })
        };
        let image_latents = image_latents.map(filled).transpose()?;
        let latents = match &image_latents {
            Some(image_latents) if !from_noise_alone => scheduler.add_noise(image_latents, &added, first_step)?,
            Some(_) | None => (&added * scheduler.init_noise_sigma())?,
        };
        if trained_for_it {
            let kept = image.broadcast_mul(&(1.0 - &pixel_mask)?)?;
            let masked_image_latents = vae.encode(&kept, &mut noise)?;
            conditioning = conditioning.with_channels(Tensor::cat(&[&mask, &masked_image_latents], 1)?);
        } else if vae.draws_noise() {
            noise.randn(&shape)?;
        }

        let last_step = scheduler.timesteps().len().saturating_sub(1);
        let keep = image_latents.filter(|_| !trained_for_it);
        let put_back = |step_index: usize, scheduler: &dyn Scheduler, latents: Tensor| -> Result<Tensor> {
            let Some(image_latents) = &keep else { return Ok(latents) };
            let original = match step_index {
                step_index if step_index < last_step => scheduler.add_noise(image_latents, &added, step_index + 1)?,
                _ => image_latents.clone(),
            };
            Ok((original.broadcast_mul(&(1.0 - &mask)?)? + latents.broadcast_mul(&mask)?)?)
        };
        let paint = |latents: &Tensor| self.paint(latents);
        let run = Denoising { scheduler: scheduler.as_mut(), first_step, noise: &mut noise, paint: &paint, monitor };
        run.run(latents, |sample, timestep, call| conditioning.predict(sample, timestep, call), put_back)
    }

    /// Whether the noise predictor is an inpainting model's, which takes latents, a mask and a masked image's latents.
    fn takes_mask_channels(&self) -> Result<bool> {
        let (latent, found) = (self.vae().config().latent_channels(), self.unet.config().in_channels);
        if found == latent {
            return Ok(false);
        }
        if found == 2 * latent + 1 {
            return Ok(true);
        }
        let reason = format!("unsupported value {found} for inpainting, supported are {latent} and {}", 2 * latent + 1);
        Err(Error::config("unet/config.json", "in_channels", reason))
    }
}
