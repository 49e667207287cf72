//! The parameters of an image, and the limits that hold for every model.
//!
//! This module must not depend on models. Invariant: values that passed `check` cannot make a pipeline index out of bounds, divide by zero
//! or loop for ever.

use image::{GrayImage, RgbImage};

use super::{ControlsParams, XlParams};
use crate::{Error, Result, prompt::PromptSyntax, schedulers::SchedulerName, weights::VaeChoice};

/// One image.
#[derive(Clone, Debug)]
pub struct ImageParams {
    /// The description of the image.
    pub prompt: String,
    /// The description of what the image should not show; empty for nothing. Ignored without guidance.
    pub negative_prompt: String,
    /// The language of both.
    pub prompt_syntax: PromptSyntax,
    /// Pixels, a multiple of 8 (of the autoencoder's factor, where that is larger).
    pub width: u32,
    /// Pixels, a multiple of 8 (of the autoencoder's factor, where that is larger).
    pub height: u32,
    /// Denoising steps, at least 1.
    pub num_inference_steps: usize,
    /// The strength of classifier-free guidance; 1 or less turns it off, which halves the cost of a model call.
    pub guidance_scale: f64,
    /// The seed of the image's noise.
    pub seed: u64,
    /// The scheduler; `None` for the model's own scheduler.
    pub scheduler: Option<SchedulerName>,
    /// The share of fresh noise in a step, in 0..=1; `None` for the scheduler's [own](crate::schedulers::SchedulerKind::default_eta).
    pub eta: Option<f64>,
    /// The number of the text encoder's last layers to skip for the prompt (not for the negative prompt, as in diffusers).
    pub clip_skip: usize,
    /// The autoencoder that encodes and decodes images.
    pub vae: VaeChoice,
    /// The starting point of the denoising.
    pub start: Start,
    /// What the masked part of an image starts from.
    pub mask_fill: MaskFill,
    /// Whether a given image of another size is encoded at its own, and its latents are stretched.
    pub stretch_latents: bool,
    /// What only a Stable Diffusion XL model can follow.
    pub xl: XlParams,
    /// The ControlNets.
    pub controls: ControlsParams,
}

/// What the masked part of an image starts from, before noise is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaskFill {
    /// The image.
    #[default]
    Image,
    /// The noise itself.
    Noise,
    /// Latents of zeros.
    Nothing,
}

/// The starting point of an image's denoising.
#[derive(Clone, Debug)]
pub enum Start {
    /// Noise alone: text to image.
    Noise,
    /// Noise over an image: image to image.
    Image {
        /// The image; resized if its size differs.
        init_image: RgbImage,
        /// The strength of the repainting, in [0, 1]: `steps * strength` of the steps are run.
        strength: f64,
    },
    /// Noise over a part of an image: inpainting.
    Inpaint {
        /// The image; resized if its size differs.
        init_image: RgbImage,
        /// White (128 or more) where to repaint, black where to keep; resized if its size differs.
        mask_image: GrayImage,
        /// The strength of the repainting, in [0, 1]; 1 starts the masked part from noise alone.
        strength: f64,
    },
}

impl ImageParams {
    /// Text to image with default settings: 25 steps, guidance 7.5, seed 0, the model's own scheduler.
    pub fn new(prompt: impl Into<String>, (width, height): (u32, u32)) -> Self {
        Self {
            prompt: prompt.into(),
            negative_prompt: String::new(),
            prompt_syntax: PromptSyntax::Plain,
            width,
            height,
            num_inference_steps: 25,
            guidance_scale: 7.5,
            seed: 0,
            scheduler: None,
            eta: None,
            clip_skip: 0,
            vae: VaeChoice::Full,
            start: Start::Noise,
            mask_fill: MaskFill::Image,
            stretch_latents: false,
            xl: XlParams::default(),
            controls: ControlsParams::default(),
        }
    }

    /// Checks the limits; `pixels_per_latent` is the autoencoder's factor.
    pub(in crate::pipelines) fn check(&self, pixels_per_latent: u32) -> Result<()> {
        let multiple = pixels_per_latent.max(8);
        for (field, value) in [("width", self.width), ("height", self.height)] {
            if value == 0 || !value.is_multiple_of(multiple) {
                return Err(Error::Params { field, reason: format!("{value} is not a positive multiple of {multiple}") });
            }
        }
        if self.num_inference_steps == 0 {
            return Err(Error::Params { field: "num_inference_steps", reason: "0 is less than 1".into() });
        }
        if !self.guidance_scale.is_finite() {
            return Err(Error::Params { field: "guidance_scale", reason: format!("{} is not finite", self.guidance_scale) });
        }
        if let Some(eta) = self.eta.filter(|eta| !(0.0..=1.0).contains(eta)) {
            return Err(Error::Params { field: "eta", reason: format!("{eta} is not within 0 and 1") });
        }
        self.controls.check()
    }

    /// Checks the limits, and that the image starts from noise; `what` names the image in the error.
    pub(in crate::pipelines) fn check_from_noise(&self, what: &str, pixels_per_latent: u32) -> Result<()> {
        let given = match &self.start {
            Start::Noise => return self.check(pixels_per_latent),
            Start::Image { .. } => "an init_image",
            Start::Inpaint { .. } => "an init_image and a mask_image",
        };
        let reason = format!("has {given}, but {what} starts from noise: use Start::Noise");
        Err(Error::Params { field: "start", reason })
    }
}

/// The first step to run, counted as users count steps: `steps - floor(steps * strength)`.
///
/// # Errors
/// [`Error::Params`] if the strength is outside [0, 1], or so small that no step is left; the message states the smallest valid strength.
pub fn first_user_step(num_inference_steps: usize, strength: f64) -> Result<usize> {
    if !(0.0..=1.0).contains(&strength) {
        return Err(Error::Params { field: "strength", reason: format!("{strength} is not within 0 and 1") });
    }
    let steps = ((num_inference_steps as f64 * strength) as usize).min(num_inference_steps);
    if steps == 0 {
        let smallest = smallest_strength(num_inference_steps);
        let reason =
            format!("{strength} of {num_inference_steps} steps leaves no step to run; the smallest strength that works is {smallest}");
        return Err(Error::Params { field: "strength", reason });
    }
    Ok(num_inference_steps - steps)
}

/// The smallest strength, to four decimals, that leaves one of `num_inference_steps` steps to run; 1 if there are no steps.
pub fn smallest_strength(num_inference_steps: usize) -> f64 {
    let steps = num_inference_steps as f64;
    // Searched instead of computed as 1 / steps: a value rounded down would leave no step.
    (1..=10_000).map(|share| f64::from(share) / 1e4).find(|strength| steps * strength >= 1.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn limits_name_the_field() {
        let good = ImageParams::new("a boat", (64, 72));
        assert!(good.check(8).is_ok());
        let field = |params: ImageParams, factor| match params.check(factor) {
            Err(Error::Params { field, .. }) => field,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(field(ImageParams { width: 0, ..good.clone() }, 8), "width");
        assert_eq!(field(ImageParams { height: 68, ..good.clone() }, 4), "height");
        assert_eq!(field(good.clone(), 16), "height");
        assert_eq!(field(ImageParams { num_inference_steps: 0, ..good.clone() }, 8), "num_inference_steps");
        assert_eq!(field(ImageParams { guidance_scale: f64::NAN, ..good.clone() }, 8), "guidance_scale");
        for eta in [-0.1, 1.1, f64::NAN] {
            assert_eq!(field(ImageParams { eta: Some(eta), ..good.clone() }, 8), "eta");
        }
    }

    #[test]
    fn strength_rounds_down_as_pythons_int_does() {
        assert_eq!(first_user_step(10, 0.6).unwrap(), 4);
        assert_eq!(first_user_step(10, 1.0).unwrap(), 0);
        // 0.29 * 100 is 28.999999999999996 in doubles.
        assert_eq!(first_user_step(100, 0.29).unwrap(), 72);
        for strength in [0.0, 0.05, -0.1, 1.1, f64::NAN] {
            assert!(matches!(first_user_step(10, strength), Err(Error::Params { field: "strength", .. })));
        }
        let error = first_user_step(25, 0.03).unwrap_err().to_string();
        assert_eq!(error, "strength: 0.03 of 25 steps leaves no step to run; the smallest strength that works is 0.04");
        assert_eq!([1, 3, 4, 25, 49].map(smallest_strength), [1.0, 0.3334, 0.25, 0.04, 0.0205]);
        for steps in 1..=1000 {
            assert_eq!(first_user_step(steps, smallest_strength(steps)).unwrap(), steps - 1);
        }
    }
}
