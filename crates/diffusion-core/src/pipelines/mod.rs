//! The pipelines: a loaded Stable Diffusion model with one verb for each of text to image, image to image and inpainting, and a loaded
//! Stable Video Diffusion model with one for image to video; and a captioner, which is no diffusion but takes pictures and weights as they do.
//!
//! They must not know where a request came from, nor who looks at the picture. The invariant, the seed contract: a call draws all its
//! noise from one stream, torch's CPU generator seeded with `seed`, in f32 and in the order in which diffusers' pipeline of the same name
//! draws it; a call makes one picture or one video, so neither can depend on its neighbours. Follows diffusers' `pipelines/stable_diffusion/`
//! and `pipelines/stable_video_diffusion/`.

mod blend;
pub mod caption;
pub mod clip;
mod decode;
mod division;
mod embedded;
mod facts;
mod film;
mod image_to_image;
mod image_to_video;
mod inpaint;
mod inspect;
mod interpolate;
mod latent_colours;
mod memory;
mod own_scheduler;
mod params;
mod prompt;
mod retime;
pub mod scenes;
mod seam;
mod sizes;
mod text_to_image;
mod windows;

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

pub use self::{
    embedded::{nano_sd, nano_svd},
    facts::PictureFacts,
    image_to_video::{ImageToVideoParams, MotionParams, StableVideoDiffusion},
    inspect::{IgnoredFields, Inspection, ignored_fields, inspect},
    memory::{MotionCall, MotionMemory, PictureCall, PictureMemory},
    params::{ImageToImageParams, InpaintParams, PictureParams, TextToImageParams, first_user_step, smallest_strength},
};
use self::{
    latent_colours::LatentColours,
    memory::Weighed,
    own_scheduler::{OwnScheduler, Start},
};
use crate::{
    Error, Result,
    conditioning::TextConditioner,
    denoise::StepMonitor,
    journal::Kept,
    models::{AutoencoderKl, AutoencoderKlConfig, ClipTextConfig, ClipTextModel, UNet2dConditionModel, UNet2dConfig},
    noise::SeededNoise,
    policy::ExecutionPolicy,
    schedulers::SchedulerName,
    tokenizer::{ClipTokenizer, Scripts},
    weights::{Component, ModelFamily, WeightSource},
};

/// A Stable Diffusion 1.x or 2.x model, loaded.
pub struct StableDiffusion {
    name: String,
    policy: ExecutionPolicy,
    text_conditioner: TextConditioner,
    unet: UNet2dConditionModel,
    vae: AutoencoderKl,
    /// The weights as they are held, in bytes.
    weight_bytes: u64,
    scheduler: OwnScheduler,
    /// Found out when they are first wanted.
    colours: OnceLock<LatentColours>,
}

impl StableDiffusion {
    /// Loads every component from `source` onto the policy's device in the policy's precision.
    ///
    /// A VAE whose config says `force_upcast` stays in f32 where the policy says f16, whose range its activations exceed.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that is not supported, naming file and field; [`Error::Weights`], [`Error::File`] or
    /// [`Error::Tokenizer`] for files that are missing or damaged.
    pub fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        let mut policy = policy.clone();
        // Reading the index checks that this is a pipeline of the family, made of parts that this crate has.
        ModelFamily::StableDiffusion.require(source)?;
        let scheduler = OwnScheduler::read(source)?;
        let tokenizer = ClipTokenizer::load(source)?;

        // Every configuration is read before the first tensor: a model that is not supported fails at once.
        let text_config = ClipTextConfig::from_json(&source.config(Component::TextEncoder)?)?;
        let unet_config = UNet2dConfig::from_json(&source.config(Component::Unet)?)?;
        let vae_config = AutoencoderKlConfig::from_json(&source.config(Component::Vae)?)?;
        if policy.vae == DType::F16 && vae_config.force_upcast {
            policy.vae = DType::F32;
        }

        let weighed = Weighed::default();
        let weights = |component: Component, dtype: DType| weighed.component(source, component, dtype, &policy.device);
        let text_encoder = ClipTextModel::load(&text_config, &weights(Component::TextEncoder, policy.text_encoder)?)?;
        let unet = UNet2dConditionModel::load(&unet_config, &weights(Component::Unet, policy.unet)?)?;
        let vae = AutoencoderKl::load(&vae_config, &weights(Component::Vae, policy.vae)?)?;
        let (weight_bytes, colours) = (weighed.bytes(), OnceLock::new());
        let text_conditioner = TextConditioner::new(tokenizer, text_encoder, policy.device.clone(), policy.unet);
        Ok(Self { name: source.name(), policy, text_conditioner, unet, vae, weight_bytes, scheduler, colours })
    }

    /// What a person would call the model: the folder's path, the hub id, "nano-sd (embedded)".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs and in which precision; the VAE's may be wider than what was asked for.
    pub fn policy(&self) -> &ExecutionPolicy {
        &self.policy
    }

    /// The noise predictor, for those who measure or check it by itself.
    pub fn unet(&self) -> &UNet2dConditionModel {
        &self.unet
    }

    /// The autoencoder, for those who measure or check it by itself.
    pub fn vae(&self) -> &AutoencoderKl {
        &self.vae
    }

    /// The model's own picture size, (width, height) in pixels: the noise predictor's `sample_size`, 64 latents where it has none.
    pub fn default_size(&self) -> (u32, u32) {
        sizes::of_latents(self.unet.config().sample_size, self.vae.config().factor())
    }

    /// The size for a picture of the proportions of `aspect`: about the model's own number of pixels, sides that every level of the model
    /// halves without a rest. Proportions beyond 4:1 are not followed.
    pub fn size_for(&self, aspect: (u32, u32)) -> (u32, u32) {
        let (width, height) = self.default_size();
        let multiple = sizes::multiple(self.pixels_per_latent(), self.unet.config().levels.len());
        sizes::of_pixels(f64::from(width) * f64::from(height), aspect, multiple)
    }

    /// The scheduler that is used when a request names none.
    ///
    /// # Errors
    /// [`Error::Config`] if the model's own is none that can be run: then every request names one.
    pub fn scheduler_name(&self) -> Result<SchedulerName> {
        Ok(self.scheduler.config(Start::Noise, None)?.name())
    }

    /// How many tokens `prompt` has before truncation and without the start and end marks, and how many the model reads.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the text cannot be encoded.
    pub fn text_length(&self, prompt: &str) -> Result<(usize, usize)> {
        self.text_conditioner.text_length(prompt)
    }

    /// The scripts that the model reads.
    pub fn scripts(&self) -> Scripts {
        self.text_conditioner.scripts()
    }

    /// Makes one picture, or what of it is not kept yet: a picture that was kept is not made again, and of latents that were kept only
    /// the picture is. What the verbs that are named after the kinds of pictures do, for those who keep a journal.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Config`] if the model cannot make this kind of picture;
    /// [`Error::Cancelled`] if the monitor breaks; [`Error::NonFinite`] if the model's numbers overflow; [`Error::Candle`] from the device.
    pub fn picture(&self, params: PictureParams<'_>, monitor: &mut dyn StepMonitor, mut kept: Kept<'_>) -> Result<RgbImage> {
        let base = params.base();
        base.check(self.pixels_per_latent())?;
        if let Some(picture) = kept.picture(0, (base.width, base.height)) {
            monitor.on_kept();
            return Ok(picture);
        }
        let latents = kept.latents_or(&self.latents_shape(base), monitor, |monitor| match params {
            PictureParams::TextToImage(params) => self.text_latents(params, monitor),
            PictureParams::ImageToImage(params) => self.image_latents(params, monitor),
            PictureParams::Inpaint(params) => self.inpaint_latents(params, monitor),
        })?;
        let pictures = self.decode_pictures(&[latents], monitor)?;
        let picture = pictures.into_iter().next().ok_or(Error::Candle(candle_core::Error::UnwrapNone))?;
        kept.keep_picture(0, &picture);
        Ok(picture)
    }

    /// Pixels to a side of a latent: 8 in every SD 1.x and 2.x model.
    fn pixels_per_latent(&self) -> u32 {
        u32::try_from(self.vae.config().factor()).unwrap_or(8)
    }

    /// The latents' shape for a picture's size, [1, channels, height, width].
    fn latents_shape(&self, params: &TextToImageParams) -> [usize; 4] {
        let factor = self.pixels_per_latent();
        [1, self.vae.config().latent_channels, (params.height / factor) as usize, (params.width / factor) as usize]
    }

    /// A small picture of clean latents, [1, channels, height, width].
    fn paint(&self, latents: &Tensor) -> Result<RgbImage> {
        let config = self.vae.config();
        let colours =
            LatentColours::known(&self.colours, config.latent_channels, |latents| self.vae.decode(&(latents / config.scaling_factor)?))?;
        colours.paint(latents, self.pixels_per_latent())
    }

    /// A given picture's latents, scaled, f32 on the CPU; draws one tensor of noise.
    fn encode_image(&self, image: &Tensor, noise: &mut SeededNoise) -> Result<Tensor> {
        let latents = self.vae.encode(image)?.sample(noise)?;
        let latents = latents.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        Ok((latents * self.vae.config().scaling_factor)?)
    }
}
