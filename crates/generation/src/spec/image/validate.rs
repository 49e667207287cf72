//! From an [`ImageRequest`] to an [`ImageSpec`], or to all errors at once.
//!
//! Invariant: a validated spec cannot make a later stage overflow, allocate without bound or divide by zero.

pub use diffusion_core::pipelines::smallest_strength;
use diffusion_core::{prompt::PromptSyntax, schedulers::SchedulerName};
use image::RgbImage;

use crate::{
    model_info::ModelInfo,
    spec::{
        check::{Check, model_name, model_steps},
        choices::Choices,
        field_error::{FieldError, FieldErrorKind},
        image::{ImageMode, ImageRequest, ImageSpec, MaskSpec, ResizeMode},
        limits::{Limits, SHARE, SIDE_MULTIPLE},
    },
};

use super::hires::FirstPass;
pub use super::{
    controls::{CANNY_THRESHOLDS, PREPROCESSORS},
    hires::{DEFAULT_HIRES_SCALE, DEFAULT_HIRES_STRENGTH, steps_to_run},
    refiner::DEFAULT_REFINER_SWITCH,
};

/// The default number of denoising steps.
pub const DEFAULT_STEPS: u32 = 25;
/// The default guidance scale: that of diffusers' pipelines.
pub const DEFAULT_GUIDANCE_SCALE: f64 = 7.5;
/// The default strength: between diffusers' defaults for image to image (0.8) and for inpainting (1.0 or 0.75 by version).
pub const DEFAULT_STRENGTH: f64 = 0.75;

impl ImageRequest {
    /// Checks everything, and fills in the model's defaults.
    ///
    /// # Errors
    /// All invalid fields, in the order of the struct's fields.
    pub fn validate(self, limits: &Limits, model: &ModelInfo) -> Result<ImageSpec, Vec<FieldError>> {
        let mut check = Check::default();
        let defaults = &model.defaults;
        let strength = self.init_image.is_some().then(|| self.strength.unwrap_or(DEFAULT_STRENGTH));
        let default_steps = model_steps(defaults, strength).unwrap_or(DEFAULT_STEPS);
        let model_name = model_name(self.model);
        let syntax = self.prompt_syntax.as_deref().or(defaults.prompt_syntax.map(PromptSyntax::name));
        let choices = Choices::of(model);
        let is_wordless = self.wordless && self.prompt.as_ref().is_none_or(|prompt| prompt.trim().is_empty());
        let (prompt, tags) = match is_wordless {
            true => (Some(String::new()), Vec::new()),
            false => check.tagged_prompt(self.prompt, limits, &choices),
        };
        let (prompt, unknown_tags) = match prompt {
            Some(prompt) if syntax == Some(PromptSyntax::A1111.name()) && !is_wordless => check.without_unknown_tags(prompt),
            prompt => (prompt, Vec::new()),
        };
        let negative_prompt = self.negative_prompt.unwrap_or_default();
        check.not_too_long("negative_prompt", &negative_prompt, limits);
        let prompt_syntax = check.prompt_syntax(self.prompt_syntax, defaults.prompt_syntax);
        for (field, text) in [("prompt", prompt.as_deref().unwrap_or_default()), ("negative_prompt", negative_prompt.as_str())] {
            check.in_syntax(field, text, prompt_syntax);
        }
        let vae = check.vae(self.vae, &choices);
        let sdxl = self.sdxl.validate(&mut check, limits, prompt_syntax);
        let num_inference_steps = check.integer("num_inference_steps", self.num_inference_steps, default_steps, limits.steps);
        let guidance_scale = check.float(
            "guidance_scale",
            self.guidance_scale,
            defaults.guidance_scale.unwrap_or(DEFAULT_GUIDANCE_SCALE),
            limits.guidance_scale,
        );
        let (default_width, default_height) = default_size(self.init_image.as_ref(), limits, model);
        let width = check.side("width", self.width, default_width, limits);
        let height = check.side("height", self.height, default_height, limits);
        check.pixels(width, height, limits);
        let output_size = match self.output_size {
            None => Some(None),
            Some(size) => check.output_size(size, limits).map(Some),
        };
        let count = check.integer("count", self.count, 1, limits.count);
        let seed = check.seed(self.seed, limits);
        let scheduler = check.scheduler_of(self.scheduler, model);
        let eta = self.eta.and_then(|eta| check.float("eta", Some(eta), 0.0, SHARE));
        let clip_skip = check.integer("clip_skip", self.clip_skip, 0, limits.clip_skip);
        let loras = check.loras(self.loras, ("prompt", tags), limits, &choices);
        let run = (num_inference_steps, strength);
        let controls = check.controls(self.controlnets, self.guess_mode, run, limits, model);
        let refiner = check.refiner(self.refiner, self.refiner_switch, self.mask_image.is_some());
        let first = FirstPass {
            width,
            height,
            steps: num_inference_steps,
            guidance_scale,
            starts_from_noise: self.init_image.is_none(),
            has_refiner: refiner.as_ref().is_some_and(Option::is_some),
            upscalers: model.upscalers.as_ref(),
            limits,
        };
        let hires = check.hires(self.hires, &first);
        let resize = check.resize_mode(self.resize_mode, self.init_image.is_some());
        let mask = check.mask_spec(self.mask, self.mask_image.as_ref());
        let applied = resize.zip(mask);
        let mode = check.mode(self.strength, num_inference_steps, (self.init_image, self.mask_image), applied);

        let spec = || {
            Some(ImageSpec {
                model: model_name,
                prompt: prompt?,
                negative_prompt,
                prompt_syntax: prompt_syntax?,
                vae: vae?,
                sdxl: sdxl?,
                num_inference_steps: num_inference_steps?,
                guidance_scale: guidance_scale?,
                width: width?,
                height: height?,
                output_size: output_size?,
                file_format: self.file_format,
                count: count?,
                seed: seed?,
                scheduler,
                eta,
                clip_skip: clip_skip?,
                loras: loras?,
                unknown_tags,
                controls: controls?,
                refiner: refiner?.map(Box::new),
                hires: hires?.map(Box::new),
                mode: Box::new(mode?),
            })
        };
        check.finish(spec())
    }
}

/// The initial picture's size, clamped and rounded down to valid sides; without one, the model's own.
fn default_size(init_image: Option<&RgbImage>, limits: &Limits, model: &ModelInfo) -> (u32, u32) {
    let fitted = |side: u32| side.clamp(limits.side.0, limits.side.1) / SIDE_MULTIPLE * SIDE_MULTIPLE;
    match init_image {
        Some(image) => (fitted(image.width()), fitted(image.height())),
        None => model.defaults.size.unwrap_or((model.default_width, model.default_height)),
    }
}

impl Check {
    fn output_size(&mut self, (width, height): (u32, u32), limits: &Limits) -> Option<(u32, u32)> {
        let max = limits.max_output_side;
        let is_side = |side: u32| (1..=max).contains(&side);
        if is_side(width) && is_side(height) {
            return Some((width, height));
        }
        let error = format!("a side of a resized picture has 1 to {max} pixels");
        self.fail("output_size", format!("{width} x {height}"), FieldErrorKind::Value { error })
    }

    /// The requested scheduler; required if the model's own cannot be run.
    fn scheduler_of(&mut self, name: Option<String>, model: &ModelInfo) -> Option<SchedulerName> {
        if name.is_none() && model.defaults.scheduler.is_none() && model.scheduler.is_none() && !model.scheduler_reason.is_empty() {
            let error = format!("the model's own scheduler cannot be run, so name one ({})", model.scheduler_reason);
            return self.fail("scheduler", "", FieldErrorKind::Value { error });
        }
        self.scheduler(name).or(model.defaults.scheduler)
    }

    fn mode(
        &mut self,
        strength: Option<f64>,
        steps: Option<u32>,
        (init_image, mask_image): (Option<RgbImage>, Option<image::GrayImage>),
        applied: Option<(ResizeMode, Option<MaskSpec>)>,
    ) -> Option<ImageMode> {
        let (resize, mask) = applied?;
        let needs_image = |error: &str| FieldErrorKind::Value { error: format!("{error} needs a picture to start from (init_image)") };
        let given = strength;
        let strength = self.float("strength", strength, DEFAULT_STRENGTH, SHARE);
        if let (Some(strength), Some(steps), Some(_)) = (strength, steps, &init_image) {
            self.some_step(strength, steps, "");
        }
        match (init_image, mask_image) {
            (None, Some(_)) => self.fail("mask_image", "", needs_image("a mask")),
            (None, None) => match given {
                Some(value) => self.fail("strength", value, needs_image("a strength")),
                None => Some(ImageMode::TextToImage),
            },
            (Some(init_image), None) => {
                let init_image = self.not_empty("init_image", init_image.dimensions()).then_some(init_image)?;
                Some(ImageMode::ImageToImage { init_image, strength: strength?, resize })
            }
            (Some(init_image), Some(mask_image)) => {
                let sizes = (init_image.dimensions(), mask_image.dimensions());
                let both = self.not_empty("init_image", sizes.0) & self.not_empty("mask_image", sizes.1);
                Some(ImageMode::Inpaint { init_image: both.then_some(init_image)?, mask_image, strength: strength?, resize, mask })
            }
        }
    }
}
