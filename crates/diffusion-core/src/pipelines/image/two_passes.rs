//! An image in two passes: made at one size, enlarged, and repainted at the larger one ("hires fix"). Follows what AUTOMATIC1111's web UI does.
//!
//! This module must not depend on how an image is enlarged. Invariants: the second pass draws from a stream of its own, with the same seed;
//! an image of which a journal has the result of the second pass is not begun again.

use candle_core::Tensor;
use image::RgbImage;

use super::{
    ImageParams, LatentResize, StableDiffusion, Start, first_user_step,
    refine::{PartOfRun, Until},
    resize_latents::resized,
};
use crate::{Error, Result, noise::SeededNoise, pipelines::RunContext};

/// Enlarges an image to a size, (width, height) in pixels.
pub type EnlargeImage<'a> = dyn Fn(&RgbImage, (u32, u32)) -> Result<RgbImage> + 'a;

/// What is enlarged between the passes.
pub enum Enlarge<'a> {
    /// The latents.
    Latents(LatentResize),
    /// The decoded image.
    Image(&'a EnlargeImage<'a>),
}

/// The second pass of an image.
pub struct SecondPass<'a> {
    /// Its parameters; their start is not read.
    pub params: ImageParams,
    /// The share of its steps that repaint the enlarged image.
    pub strength: f64,
    /// The size to which the image is enlarged, (width, height) in pixels; the second pass repaints its centre.
    pub enlarged: (u32, u32),
    /// How it is enlarged.
    pub enlarge: Enlarge<'a>,
}

impl StableDiffusion {
    /// Generates one image in two passes; otherwise as [`Self::image`]. Only an image that starts from noise has a second pass.
    ///
    /// # Errors
    /// As [`Self::image`].
    pub fn image_in_two_passes(&self, first: &ImageParams, second: &SecondPass<'_>, context: RunContext<'_>) -> Result<RgbImage> {
        let SecondPass { params, strength, .. } = second;
        // The model's own scheduler depends on the kind of start, not on the image.
        let params = ImageParams { start: Start::Image { init_image: RgbImage::default(), strength: *strength }, ..params.clone() };
        first.check_from_noise("an image in two passes", self.pixels_per_latent())?;
        self.check_params(first)?;
        self.check_params(&params)?;
        let before = self.calls(first, 0)?;
        let after = self.calls(&params, first_user_step(params.num_inference_steps, *strength)?)?;
        self.finished(&params, context, |monitor| {
            let latents = self.latents(first, &mut PartOfRun { monitor, before: 0, after })?;
            match second.enlarge {
                Enlarge::Latents(way) => {
                    let enlarged = self.centre(&resized(&latents, self.latents_of(second.enlarged), way)?, &params)?;
                    let mut monitor = PartOfRun { monitor, before, after: 0 };
                    let noise = SeededNoise::new(params.seed);
                    Ok(self.repainted(&params, (enlarged, noise), *strength, Until::End, &mut monitor)?.latents)
                }
                Enlarge::Image(enlarge) => {
                    let image = self.decode_images(&[latents], first.vae, monitor)?.into_iter().next();
                    let image = image.ok_or(Error::Candle(candle_core::Error::UnwrapNone))?;
                    let enlarged = centre_of(&enlarge(&image, second.enlarged)?, (params.width, params.height));
                    let mut monitor = PartOfRun { monitor, before, after: 0 };
                    Ok(self.latents_from_image(&params, (&enlarged, *strength), Until::End, &mut monitor)?.latents)
                }
            }
        })
    }

    /// The model calls of a run.
    fn calls(&self, params: &ImageParams, first_user_step: usize) -> Result<usize> {
        let scheduler = self.scheduler.start(params)?;
        Ok(scheduler.timesteps().len().saturating_sub(first_user_step * scheduler.order()))
    }

    /// The (height, width) of the latents of an image of this size.
    fn latents_of(&self, (width, height): (u32, u32)) -> (usize, usize) {
        let latents = |side: u32| (side / self.pixels_per_latent()).max(1) as usize;
        (latents(height), latents(width))
    }

    /// The centre of latents, in the size of an image's.
    fn centre(&self, latents: &Tensor, params: &ImageParams) -> Result<Tensor> {
        let (_, _, height, width) = latents.dims4()?;
        let (to_height, to_width) = self.latents_of((params.width, params.height));
        let (height, width) = (height.saturating_sub(to_height), width.saturating_sub(to_width));
        Ok(latents.narrow(2, height / 2, to_height)?.narrow(3, width / 2, to_width)?.contiguous()?)
    }
}

/// The centre of an image, of at most this size.
fn centre_of(image: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let (left, top) = (image.width().saturating_sub(width) / 2, image.height().saturating_sub(height) / 2);
    image::imageops::crop_imm(image, left, top, width.min(image.width()), height.min(image.height())).to_image()
}
