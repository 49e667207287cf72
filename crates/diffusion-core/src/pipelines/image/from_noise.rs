//! Text to image: latents that start from noise. Follows diffusers' `StableDiffusionPipeline.__call__`.

use candle_core::Tensor;

use super::{
    ImageParams, StableDiffusion,
    refine::{HandedOver, PartOfRun, Until},
};
use crate::{
    Error, Result,
    denoise::{Denoising, StepMonitor},
    noise::SeededNoise,
    weights::ModelFamily,
};

impl StableDiffusion {
    /// The latents of one image, denoised as far as `until` says.
    pub(super) fn latents_from_noise(&self, params: &ImageParams, until: Until, monitor: &mut dyn StepMonitor) -> Result<HandedOver> {
        self.check_text_to_image()?;
        let mut scheduler = self.scheduler.start(params)?;
        let (calls, trained) = (scheduler.timesteps().len(), self.trained_timesteps(params)?);
        let end = until.step(scheduler.as_ref(), 0, trained)?;
        let conditioning = self.conditioning(params, calls)?;
        let mut noise = SeededNoise::new(params.seed);
        let latents = (noise.randn(&self.latents_shape(params))? * scheduler.init_noise_sigma())?;
        let paint = |latents: &Tensor| self.paint(latents);
        let mut monitor = PartOfRun { monitor, before: 0, after: calls - end };
        let run = Denoising { scheduler: scheduler.as_mut(), first_step: 0, noise: &mut noise, paint: &paint, monitor: &mut monitor };
        let predict = |sample: &Tensor, timestep, call| conditioning.predict(sample, timestep, call);
        let latents = run.run_until(end, latents, predict, |_, _, latents| Ok(latents))?;
        Ok(HandedOver { latents, noise, calls: end })
    }

    /// Training's timesteps, of a request's scheduler.
    pub(super) fn trained_timesteps(&self, params: &ImageParams) -> Result<usize> {
        Ok(self.scheduler.config(&params.start, params.scheduler)?.num_train_timesteps())
    }

    /// Refuses a model that makes no image from a prompt alone.
    pub(super) fn check_text_to_image(&self) -> Result<()> {
        if self.family == ModelFamily::StableDiffusionXlRefiner {
            let reason = "the model is Stable Diffusion XL's refiner, which refines an image: give it one, or use the base model";
            return Err(Error::Params { field: "init_image", reason: reason.into() });
        }
        self.check_plain_unet()
    }

    /// Refuses an inpainting model, whose noise predictor also needs a mask and an image.
    pub(super) fn check_plain_unet(&self) -> Result<()> {
        let (wanted, found) = (self.vae().config().latent_channels(), self.unet.config().in_channels);
        if wanted == found {
            return Ok(());
        }
        let reason = format!(
            "the model's noise predictor takes {found} channels, not {wanted}: it can only inpaint, so give it a picture and a mask"
        );
        Err(Error::Params { field: "mask_image", reason })
    }
}
