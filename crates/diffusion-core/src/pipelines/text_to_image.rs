//! Text to image. Follows diffusers' `StableDiffusionPipeline.__call__`.

use candle_core::Tensor;
use image::RgbImage;

use super::{Error, PictureParams, Result, SeededNoise, StableDiffusion, Start, StepMonitor, TextToImageParams};
use crate::{
    denoise::Denoising,
    journal::{Kept, Run},
};

impl StableDiffusion {
    /// Makes one picture from a prompt.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Cancelled`] if the monitor breaks;
    /// [`Error::NonFinite`] if the model's numbers overflow; [`Error::Candle`] from the device.
    pub fn text_to_image(&self, params: &TextToImageParams, monitor: &mut dyn StepMonitor) -> Result<RgbImage> {
        self.picture(PictureParams::TextToImage(params), monitor, Kept::new(&mut (), Run::Picture { index: 0 }))
    }

    /// The finished latents of one picture.
    pub(super) fn text_latents(&self, params: &TextToImageParams, monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        self.check_plain_unet()?;
        let mut scheduler = self.scheduler.start(Start::Noise, params)?;
        let conditioning = self.conditioning(params)?;
        let mut noise = SeededNoise::new(params.seed);
        let latents = (noise.randn(&self.latents_shape(params))? * scheduler.init_noise_sigma())?;
        let paint = |latents: &Tensor| self.paint(latents);
        let run = Denoising { scheduler: scheduler.as_mut(), first_step: 0, noise: &mut noise, paint: &paint, monitor };
        run.run(latents, |sample, timestep| conditioning.predict(sample, timestep), |_, _, latents| Ok(latents))
    }

    /// Refuses to run an inpainting model, whose noise predictor wants a mask and a picture, without them.
    pub(super) fn check_plain_unet(&self) -> Result<()> {
        let (wanted, found) = (self.vae.config().latent_channels, self.unet.config().in_channels);
        if wanted == found {
            return Ok(());
        }
        let reason = format!(
            "the model's noise predictor takes {found} channels, not {wanted}: it can only inpaint, so give it a picture and a mask"
        );
        Err(Error::Params { field: "mask_image", reason })
    }
}
