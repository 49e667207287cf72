//! A validated request. Its fields are private: [`crate::ImageRequest::validate`] is the only way to make one, so all numbers in a spec are
//! inside their limits. A stored spec was validated before it was stored.

use diffusion_core::{
    adapters::AdapterChoice,
    prompt::PromptSyntax,
    schedulers::{SchedulerKind, SchedulerName},
    weights::VaeChoice,
};
use image::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

use super::{ControlsSpec, HiresSpec, MaskSpec, RefinerSpec, ResizeMode, SdxlSpec, hires::steps_to_run};
use crate::{
    image_file::ImageFormat,
    model_info::{ModelInfo, NO_ADAPTERS},
    spec::{field_error::shortened, stored_image, stored_text},
};

/// What the image generation starts from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageMode {
    /// Noise only.
    TextToImage,
    /// A picture with added noise.
    ImageToImage {
        /// The picture to start from.
        #[serde(with = "stored_image::rgb")]
        init_image: RgbImage,
        /// How much of it is repainted, 0 to 1.
        strength: f64,
        /// How it is brought to the size.
        #[serde(default, skip_serializing_if = "ResizeMode::is_stretch")]
        resize: ResizeMode,
    },
    /// A picture with noise added to a part.
    Inpaint {
        /// The picture to start from.
        #[serde(with = "stored_image::rgb")]
        init_image: RgbImage,
        /// White where it is repainted.
        #[serde(with = "stored_image::gray")]
        mask_image: GrayImage,
        /// How much of that part is repainted, 0 to 1.
        strength: f64,
        /// How both are brought to the size.
        #[serde(default, skip_serializing_if = "ResizeMode::is_stretch")]
        resize: ResizeMode,
        /// How the mask is applied; `None` takes it as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask: Option<MaskSpec>,
    },
}

impl ImageMode {
    /// The strength, if there is a picture to start from.
    pub fn strength(&self) -> Option<f64> {
        match self {
            Self::TextToImage => None,
            Self::ImageToImage { strength, .. } | Self::Inpaint { strength, .. } => Some(*strength),
        }
    }
}

/// A validated request: every value is inside its limits, and every default is filled in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Absent in jobs stored by older versions: the default model makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    pub(crate) prompt: String,
    pub(crate) negative_prompt: String,
    /// Absent in jobs stored by older versions.
    #[serde(default, with = "stored_text")]
    pub(crate) prompt_syntax: PromptSyntax,
    /// Absent in jobs stored by older versions.
    #[serde(default, with = "stored_text")]
    pub(crate) vae: VaeChoice,
    #[serde(default, skip_serializing_if = "SdxlSpec::is_empty")]
    pub(crate) sdxl: SdxlSpec,
    pub(crate) num_inference_steps: u32,
    pub(crate) guidance_scale: f64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    #[serde(default)]
    pub(crate) output_size: Option<(u32, u32)>,
    /// Absent in jobs stored by older versions.
    #[serde(default, skip_serializing_if = "ImageFormat::is_png")]
    pub(crate) file_format: ImageFormat,
    pub(crate) count: u32,
    pub(crate) seed: u64,
    #[serde(with = "stored_text::option")]
    pub(crate) scheduler: Option<SchedulerName>,
    #[serde(default)]
    pub(crate) eta: Option<f64>,
    pub(crate) clip_skip: u32,
    /// Absent in jobs stored by older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "stored_text::list")]
    pub(crate) loras: Vec<AdapterChoice>,
    /// Tags in the prompt that were left out of it, because they name networks that are not known here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown_tags: Vec<String>,
    #[serde(default, skip_serializing_if = "ControlsSpec::is_empty")]
    pub(crate) controls: ControlsSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refiner: Option<Box<RefinerSpec>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hires: Option<Box<HiresSpec>>,
    pub(crate) mode: Box<ImageMode>,
}

impl ImageSpec {
    /// Parameters of this request that have no effect with a model, one sentence each.
    pub fn remarks_on(&self, model: &ModelInfo) -> Vec<String> {
        let mut remarks =
            model.unread_scripts([self.prompt(), self.negative_prompt(), self.sdxl.prompt_2(), self.sdxl.negative_prompt_2()]);
        let scheduler = self.scheduler().or(model.scheduler);
        if let (Some(_), Some(scheduler)) = (self.eta(), scheduler.filter(|name| name.kind.default_eta().is_none())) {
            let takers = SchedulerKind::with_eta().join(", ");
            remarks.push(format!("eta has no effect with the scheduler {scheduler}; the schedulers that take it are {takers}"));
        }
        if model.adapters.is_none() && AdapterChoice::has_tags(self.prompt()) {
            remarks.push(format!("the prompt's <lora:..> is read as text: {NO_ADAPTERS}"));
        }
        if !self.unknown_tags.is_empty() {
            let tags = self.unknown_tags.join(", ");
            remarks.push(format!(
                "{} left out of the prompt, as AUTOMATIC1111 does with networks that it does not know; known are <lora:..> and <lyco:..>, \
                 in lower case",
                shortened(&tags)
            ));
        }
        let others = [
            ("negative_prompt", self.negative_prompt()),
            ("prompt_2", self.sdxl.prompt_2()),
            ("negative_prompt_2", self.sdxl.negative_prompt_2()),
        ];
        for (name, _) in others.into_iter().filter(|(_, text)| AdapterChoice::has_tags(text)) {
            remarks.push(format!("the <lora:..> of {name} is read as text: adapters are chosen by tags of the prompt only"));
        }
        remarks
    }

    /// The model, by the operator's name; `None` for the default model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// What the picture shows; blank only if the request is wordless.
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// What the picture should not show; may be empty.
    pub fn negative_prompt(&self) -> &str {
        &self.negative_prompt
    }

    /// The language of all prompts.
    pub fn prompt_syntax(&self) -> PromptSyntax {
        self.prompt_syntax
    }

    /// The autoencoder.
    pub fn vae(&self) -> VaeChoice {
        self.vae
    }

    /// The fields that only a Stable Diffusion XL model can follow.
    pub fn sdxl(&self) -> &SdxlSpec {
        &self.sdxl
    }

    /// Denoising steps, at least 1.
    pub fn num_inference_steps(&self) -> u32 {
        self.num_inference_steps
    }

    /// Classifier-free guidance, finite, at least 0.
    pub fn guidance_scale(&self) -> f64 {
        self.guidance_scale
    }

    /// The width in pixels at which the model makes the picture, a multiple of 8.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The height in pixels at which the model makes the picture, a multiple of 8.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// (width, height) in pixels to which the finished picture is resized; `None` keeps its size.
    pub fn output_size(&self) -> Option<(u32, u32)> {
        self.output_size
    }

    /// The size of the result.
    pub fn result_size(&self) -> (u32, u32) {
        // A mask whose part alone is made leaves the given picture its size.
        let given = match self.mode() {
            ImageMode::Inpaint { init_image, mask: Some(mask), .. } if mask.only_masked().is_some() => Some(init_image.dimensions()),
            ImageMode::TextToImage | ImageMode::ImageToImage { .. } | ImageMode::Inpaint { .. } => None,
        };
        self.output_size.or(given).unwrap_or_else(|| self.made_size())
    }

    /// The format of the picture's file.
    pub fn file_format(&self) -> ImageFormat {
        self.file_format
    }

    /// The number of pictures, at least 1.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The seed of picture 0.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The seed of picture `index`: `seed + index`. Validation keeps the sum from overflowing.
    pub fn seed_of(&self, index: u32) -> u64 {
        self.seed.wrapping_add(index.into())
    }

    /// The requested scheduler; `None` for the model's own.
    pub fn scheduler(&self) -> Option<SchedulerName> {
        self.scheduler
    }

    /// The share of fresh noise in a step, 0 to 1; `None` for the scheduler's own. Schedulers without it ignore it.
    pub fn eta(&self) -> Option<f64> {
        self.eta
    }

    /// The number of the text encoder's last layers to skip.
    pub fn clip_skip(&self) -> u32 {
        self.clip_skip
    }

    /// The adapters, those of the prompt's tags last.
    pub fn loras(&self) -> &[AdapterChoice] {
        &self.loras
    }

    /// The ControlNets.
    pub fn controls(&self) -> &ControlsSpec {
        &self.controls
    }

    /// The model that ends the images.
    pub fn refiner(&self) -> Option<&RefinerSpec> {
        self.refiner.as_deref()
    }

    /// The second pass.
    pub fn hires(&self) -> Option<&HiresSpec> {
        self.hires.as_deref()
    }

    /// The second pass as work of its own, without what it starts from.
    pub(crate) fn second_pass(&self, hires: &HiresSpec) -> Self {
        Self {
            prompt: hires.prompt().unwrap_or(&self.prompt).to_owned(),
            negative_prompt: hires.negative_prompt().unwrap_or(&self.negative_prompt).to_owned(),
            width: hires.size().0,
            height: hires.size().1,
            num_inference_steps: steps_to_run(hires.steps(), hires.strength()),
            guidance_scale: hires.guidance_scale(),
            scheduler: hires.scheduler().or(self.scheduler),
            hires: None,
            mode: Box::new(ImageMode::TextToImage),
            ..self.clone()
        }
    }

    /// (width, height) in pixels of what the model makes last: the second pass's, or the picture's.
    pub fn made_size(&self) -> (u32, u32) {
        self.hires.as_ref().map_or((self.width, self.height), |hires| hires.size())
    }

    /// What the image generation starts from.
    pub fn mode(&self) -> &ImageMode {
        &self.mode
    }
}
