//! From an [`ImageRequest`] to an [`ImageSpec`], or to every fault at once.
//!
//! The invariant: nothing that passes here can make a later stage overflow, allocate without bound or divide by zero.

use diffusion_core::schedulers::SchedulerName;
use image::RgbImage;

use crate::{
    field_error::{Bound, FieldError, FieldErrorKind},
    limits::{Limits, SIDE_MULTIPLE},
    model::ModelInfo,
    request::ImageRequest,
    spec::{ImageMode, ImageSpec},
};

/// Denoising steps when none are asked for.
pub const DEFAULT_STEPS: u32 = 25;
/// Guidance when none is asked for: the default of diffusers' pipelines.
pub const DEFAULT_GUIDANCE_SCALE: f64 = 7.5;
/// Strength when none is asked for: between diffusers' defaults for image to image (0.8) and for inpainting (1.0 or 0.75 by version).
pub const DEFAULT_STRENGTH: f64 = 0.75;

impl ImageRequest {
    /// Checks everything, and fills in what was left out from the model's own defaults.
    ///
    /// # Errors
    /// Every field that is wrong, in the order of the struct's fields.
    pub fn validate(self, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, Vec<FieldError>> {
        let mut check = Check { errors: Vec::new() };
        let prompt = check.prompt(self.prompt, limits);
        let negative_prompt = self.negative_prompt.unwrap_or_default();
        check.not_too_long("negative_prompt", &negative_prompt, limits);
        let num_inference_steps = check.integer("num_inference_steps", self.num_inference_steps, DEFAULT_STEPS, 1, limits.max_steps);
        let guidance_scale = check.float("guidance_scale", self.guidance_scale, DEFAULT_GUIDANCE_SCALE, 0.0, limits.max_guidance_scale);
        let (default_width, default_height) = default_size(self.init_image.as_ref(), limits, model);
        let width = check.side("width", self.width, default_width, limits);
        let height = check.side("height", self.height, default_height, limits);
        check.pixels(width, height, limits);
        let count = check.integer("count", self.count, 1, 1, limits.max_count);
        let seed = check.seed(self.seed, limits);
        let scheduler = check.scheduler(self.scheduler);
        let clip_skip = check.integer("clip_skip", self.clip_skip, 0, 0, limits.max_clip_skip);
        let mode = check.mode(self.strength, self.init_image, self.mask_image);

        // Every `None` has left an error behind, so the two arms below cover all there is.
        match (prompt, num_inference_steps, guidance_scale, width, height, count, seed, clip_skip, mode) {
            (
                Some(prompt),
                Some(num_inference_steps),
                Some(guidance_scale),
                Some(width),
                Some(height),
                Some(count),
                Some(seed),
                Some(clip_skip),
                Some(mode),
            ) if check.errors.is_empty() => Ok(ImageSpec {
                prompt,
                negative_prompt,
                num_inference_steps,
                guidance_scale,
                width,
                height,
                count,
                seed,
                scheduler,
                clip_skip,
                mode,
            }),
            _ => Err(check.errors),
        }
    }
}

/// The initial picture's size, rounded down to what a picture may have; without one, the model's own.
fn default_size(init_image: Option<&RgbImage>, limits: &Limits, model: &ModelInfo) -> (u32, u32) {
    let fitted = |side: u32| side.clamp(limits.min_side, limits.max_side) / SIDE_MULTIPLE * SIDE_MULTIPLE;
    match init_image {
        Some(image) => (fitted(image.width()), fitted(image.height())),
        None => (model.default_width, model.default_height),
    }
}

/// Collects faults while the fields are read one after another; a `None` from a method means that it has added one (but for the scheduler,
/// where it may also mean that none was asked for).
struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    fn fail<T>(&mut self, field: &'static str, value: impl std::fmt::Display, kind: FieldErrorKind) -> Option<T> {
        self.errors.push(FieldError::new(field, value, kind));
        None
    }

    fn prompt(&mut self, prompt: Option<String>, limits: &Limits) -> Option<String> {
        match prompt {
            None => self.fail("prompt", "", FieldErrorKind::Missing),
            // White space alone is as empty as nothing: the tokenizer drops it.
            Some(text) if text.trim().is_empty() => self.fail("prompt", text, FieldErrorKind::StringTooShort { min_length: 1 }),
            Some(text) => self.not_too_long("prompt", &text, limits).then_some(text),
        }
    }

    fn not_too_long(&mut self, field: &'static str, text: &str, limits: &Limits) -> bool {
        let fits = text.chars().nth(limits.max_prompt_chars).is_none();
        if !fits {
            self.errors.push(FieldError::new(field, text, FieldErrorKind::StringTooLong { max_length: limits.max_prompt_chars }));
        }
        fits
    }

    fn integer(&mut self, field: &'static str, value: Option<i128>, default: u32, min: u32, max: u32) -> Option<u32> {
        let Some(value) = value else { return Some(default) };
        if value < min.into() {
            return self.fail(field, value, FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(min.into()) });
        }
        match u32::try_from(value) {
            Ok(number) if number <= max => Some(number),
            Ok(_) | Err(_) => self.fail(field, value, FieldErrorKind::LessThanEqual { le: Bound::Integer(max.into()) }),
        }
    }

    fn float(&mut self, field: &'static str, value: Option<f64>, default: f64, min: f64, max: f64) -> Option<f64> {
        let value = value.unwrap_or(default);
        if !value.is_finite() {
            self.fail(field, value, FieldErrorKind::FiniteNumber)
        } else if value < min {
            self.fail(field, value, FieldErrorKind::GreaterThanEqual { ge: Bound::Float(min) })
        } else if value > max {
            self.fail(field, value, FieldErrorKind::LessThanEqual { le: Bound::Float(max) })
        } else {
            Some(value)
        }
    }

    fn side(&mut self, field: &'static str, value: Option<i128>, default: u32, limits: &Limits) -> Option<u32> {
        let side = self.integer(field, value, default, limits.min_side, limits.max_side)?;
        if side.is_multiple_of(SIDE_MULTIPLE) {
            Some(side)
        } else {
            self.fail(field, side, FieldErrorKind::MultipleOf { multiple_of: SIDE_MULTIPLE })
        }
    }

    fn pixels(&mut self, width: Option<u32>, height: Option<u32>, limits: &Limits) {
        let (Some(width), Some(height)) = (width, height) else { return };
        let pixels = u64::from(width) * u64::from(height);
        if pixels > limits.max_pixels {
            // Blamed on the longer side: the one that a caller would shorten.
            let (field, side) = if width >= height { ("width", width) } else { ("height", height) };
            let error = format!("{width} x {height} is {pixels} pixels, and a picture has at most {}", limits.max_pixels);
            self.errors.push(FieldError::new(field, side, FieldErrorKind::Value { error }));
        }
    }

    fn seed(&mut self, seed: Option<i128>, limits: &Limits) -> Option<u64> {
        let Some(value) = seed else { return self.fail("seed", "", FieldErrorKind::Missing) };
        match u64::try_from(value) {
            Ok(seed) if seed <= limits.max_seed => Some(seed),
            Ok(_) => self.fail("seed", value, FieldErrorKind::LessThanEqual { le: Bound::Integer(limits.max_seed.into()) }),
            Err(_) if value < 0 => self.fail("seed", value, FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(0) }),
            Err(_) => self.fail("seed", value, FieldErrorKind::LessThanEqual { le: Bound::Integer(limits.max_seed.into()) }),
        }
    }

    fn scheduler(&mut self, name: Option<String>) -> Option<SchedulerName> {
        let name = name?;
        match name.parse() {
            Ok(scheduler) => Some(scheduler),
            Err(_) => {
                let expected = SchedulerName::all().iter().map(ToString::to_string).collect();
                self.fail("scheduler", name, FieldErrorKind::Enum { expected })
            }
        }
    }

    fn mode(&mut self, strength: Option<f64>, init_image: Option<RgbImage>, mask_image: Option<image::GrayImage>) -> Option<ImageMode> {
        let needs_picture = |error: &str| FieldErrorKind::Value { error: format!("{error} needs a picture to start from (init_image)") };
        let given = strength;
        let strength = self.float("strength", strength, DEFAULT_STRENGTH, 0.0, 1.0);
        match (init_image, mask_image) {
            (None, Some(_)) => self.fail("mask_image", "", needs_picture("a mask")),
            (None, None) => match given {
                Some(value) => self.fail("strength", value, needs_picture("a strength")),
                None => Some(ImageMode::TextToImage),
            },
            (Some(init_image), None) => {
                let init_image = self.not_empty("init_image", init_image.dimensions()).then_some(init_image)?;
                Some(ImageMode::ImageToImage { init_image, strength: strength? })
            }
            (Some(init_image), Some(mask_image)) => {
                let sizes = (init_image.dimensions(), mask_image.dimensions());
                let both = self.not_empty("init_image", sizes.0) & self.not_empty("mask_image", sizes.1);
                Some(ImageMode::Inpaint { init_image: both.then_some(init_image)?, mask_image, strength: strength? })
            }
        }
    }

    fn not_empty(&mut self, field: &'static str, (width, height): (u32, u32)) -> bool {
        let has_pixels = width > 0 && height > 0;
        if !has_pixels {
            let error = "a picture has at least one pixel".to_owned();
            self.errors.push(FieldError::new(field, format!("{width} x {height}"), FieldErrorKind::Value { error }));
        }
        has_pixels
    }
}
