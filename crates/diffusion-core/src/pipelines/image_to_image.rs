//! Image to image. Follows diffusers' `StableDiffusionImg2ImgPipeline.__call__`.
//!
//! The noise is drawn in diffusers' order: the encoder's sample, then the noise that is added, then what the scheduler draws.

use candle_core::Tensor;
use image::RgbImage;

use super::{ImageToImageParams, PictureParams, Result, SeededNoise, StableDiffusion, Start, StepMonitor, first_user_step};
use crate::{
    denoise::Denoising,
    journal::{Kept, Run},
    preprocess,
};

impl StableDiffusion {
    /// Makes one picture from a prompt and a picture to start from.
    ///
    /// # Errors
    /// [`crate::Error::Params`] naming the parameter that is out of range; [`crate::Error::Cancelled`] if the monitor breaks;
    /// [`crate::Error::NonFinite`] if the model's numbers overflow; [`crate::Error::Candle`] from the device.
    pub fn image_to_image(&self, params: &ImageToImageParams, monitor: &mut dyn StepMonitor) -> Result<RgbImage> {
        self.picture(PictureParams::ImageToImage(params), monitor, Kept::new(&mut (), Run::Picture { index: 0 }))
    }

    /// The finished latents of one picture.
    pub(super) fn image_latents(&self, params: &ImageToImageParams, monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        let base = &params.base;
        self.check_plain_unet()?;
        let first_user_step = first_user_step(base.num_inference_steps, params.strength)?;
        let image = preprocess::image_tensor(&params.init_image, base.width, base.height)?;
        let mut scheduler = self.scheduler.start(Start::Image, base)?;
        let first_step = first_user_step * scheduler.order();
        let conditioning = self.conditioning(base)?;

        let mut noise = SeededNoise::new(base.seed);
        let image_latents = self.encode_image(&image, &mut noise)?;
        let added = noise.randn(image_latents.dims())?;
        let latents = scheduler.add_noise(&image_latents, &added, first_step)?;
        let paint = |latents: &Tensor| self.paint(latents);
        let run = Denoising { scheduler: scheduler.as_mut(), first_step, noise: &mut noise, paint: &paint, monitor };
        run.run(latents, |sample, timestep| conditioning.predict(sample, timestep), |_, _, latents| Ok(latents))
    }
}
