//! The parameters of image to video, and the limits that hold for every model.
//!
//! This module must not depend on models. Invariant: values that passed `check` cannot make a pipeline index out of bounds, divide by zero
//! or loop for ever.

use image::RgbImage;

use crate::{Error, Result};

/// How an image is set in motion; also used for each scene of a longer video.
#[derive(Clone, Debug)]
pub struct MotionParams {
    /// (width, height) of the frames in pixels, multiples of 8 (of the autoencoder's factor, where that is larger); `None` for the model's
    /// native size.
    pub size: Option<(u32, u32)>,
    /// Frames, at least 1; `None` for the number that the model was trained on.
    pub num_frames: Option<usize>,
    /// Denoising steps, at least 1.
    pub num_inference_steps: usize,
    /// The frame rate that the model is conditioned on, at least 1; not the playback rate.
    pub conditioning_fps: u32,
    /// The amount of motion; the models were trained with 1 to 255.
    pub motion_bucket_id: u32,
    /// The amount of noise added to the image, 0 or more: more lets the video deviate further from the image.
    pub noise_aug_strength: f64,
    /// The guidance scale of the first frame.
    pub min_guidance_scale: f64,
    /// The guidance scale of the last frame; 1 or less turns guidance off for all frames, which halves the cost of a model call.
    pub max_guidance_scale: f64,
    /// Frames decoded together, which influence one another, at least 1; `None` for all, or as many as every device can index the
    /// activations of. Fewer take less memory and give different pixels.
    pub decode_chunk_size: Option<usize>,
}

/// diffusers' defaults: 25 steps, 7 frames per second, motion bucket 127, noise 0.02, guidance from 1 to 3, the model's native size and
/// number of frames, all decoded together.
impl Default for MotionParams {
    fn default() -> Self {
        Self {
            size: None,
            num_frames: None,
            num_inference_steps: 25,
            conditioning_fps: 7,
            motion_bucket_id: 127,
            noise_aug_strength: 0.02,
            min_guidance_scale: 1.0,
            max_guidance_scale: 3.0,
            decode_chunk_size: None,
        }
    }
}

/// One call of image to video.
#[derive(Clone, Debug)]
pub struct ImageToVideoParams {
    /// The image to set in motion; resized if its size differs.
    pub image: RgbImage,
    /// How it moves.
    pub motion: MotionParams,
    /// The seed of the video's noise.
    pub seed: u64,
}

impl ImageToVideoParams {
    /// Parameters for an image with diffusers' defaults and seed 0.
    pub fn new(image: RgbImage) -> Self {
        Self { image, motion: MotionParams::default(), seed: 0 }
    }

    /// Checks the limits; `pixels_per_latent` is the autoencoder's factor.
    pub(super) fn check(&self, pixels_per_latent: u32) -> Result<()> {
        if self.image.width() == 0 || self.image.height() == 0 {
            let reason = format!("is empty: {}x{} pixels", self.image.width(), self.image.height());
            return Err(Error::Params { field: "image", reason });
        }
        self.motion.check(pixels_per_latent)
    }
}

impl MotionParams {
    /// Checks the limits; `pixels_per_latent` is the autoencoder's factor.
    pub(super) fn check(&self, pixels_per_latent: u32) -> Result<()> {
        let refuse = |field, reason: String| Err(Error::Params { field, reason });
        let multiple = pixels_per_latent.max(8);
        let (width, height) = self.size.unwrap_or((multiple, multiple));
        for (field, value) in [("width", width), ("height", height)] {
            if value == 0 || !value.is_multiple_of(multiple) {
                return refuse(field, format!("{value} is not a positive multiple of {multiple}"));
            }
        }
        let counts = [
            ("num_frames", self.num_frames),
            ("num_inference_steps", Some(self.num_inference_steps)),
            ("conditioning_fps", Some(self.conditioning_fps as usize)),
            ("decode_chunk_size", self.decode_chunk_size),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return refuse(field, "0 is less than 1".into());
        }
        if !(self.noise_aug_strength.is_finite() && self.noise_aug_strength >= 0.0) {
            return refuse("noise_aug_strength", format!("{} is not a finite number of at least 0", self.noise_aug_strength));
        }
        for (field, scale) in [("min_guidance_scale", self.min_guidance_scale), ("max_guidance_scale", self.max_guidance_scale)] {
            if !scale.is_finite() {
                return refuse(field, format!("{scale} is not finite"));
            }
        }
        // In diffusers the last frame's scale alone decides whether there is guidance.
        if self.guidance().is_none() && self.min_guidance_scale > 1.0 {
            let reason = format!(
                "{} has no effect: a max_guidance_scale of {} turns guidance off",
                self.min_guidance_scale, self.max_guidance_scale
            );
            return refuse("min_guidance_scale", reason);
        }
        Ok(())
    }

    /// The guidance scales of the first and the last frame; `None` without guidance.
    pub(super) fn guidance(&self) -> Option<(f64, f64)> {
        (self.max_guidance_scale > 1.0).then_some((self.min_guidance_scale, self.max_guidance_scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_the_field() {
        let good = ImageToVideoParams::new(RgbImage::new(3, 2));
        assert!(good.check(8).is_ok());
        let field = |params: ImageToVideoParams| match params.check(8) {
            Err(Error::Params { field, .. }) => field,
            other => unreachable!("{other:?}"),
        };
        let with = |change: fn(&mut ImageToVideoParams)| {
            let mut params = good.clone();
            change(&mut params);
            field(params)
        };
        assert_eq!(with(|params| params.image = RgbImage::new(0, 2)), "image");
        assert_eq!(with(|params| params.motion.size = Some((60, 72))), "width");
        assert_eq!(with(|params| params.motion.size = Some((64, 0))), "height");
        assert_eq!(with(|params| params.motion.num_frames = Some(0)), "num_frames");
        assert_eq!(with(|params| params.motion.num_inference_steps = 0), "num_inference_steps");
        assert_eq!(with(|params| params.motion.conditioning_fps = 0), "conditioning_fps");
        assert_eq!(with(|params| params.motion.decode_chunk_size = Some(0)), "decode_chunk_size");
        assert_eq!(with(|params| params.motion.noise_aug_strength = -0.1), "noise_aug_strength");
        assert_eq!(with(|params| params.motion.noise_aug_strength = f64::NAN), "noise_aug_strength");
        assert_eq!(with(|params| params.motion.min_guidance_scale = f64::INFINITY), "min_guidance_scale");
        assert_eq!(with(|params| params.motion.max_guidance_scale = f64::NAN), "max_guidance_scale");
        assert_eq!(with(|params| (params.motion.min_guidance_scale, params.motion.max_guidance_scale) = (2.0, 1.0)), "min_guidance_scale");
    }
}
