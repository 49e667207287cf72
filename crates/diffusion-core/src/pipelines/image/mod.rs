//! Image generation: a loaded Stable Diffusion model and its one method. Follows diffusers' `StableDiffusionPipeline`,
//! `StableDiffusionImg2ImgPipeline` and `StableDiffusionInpaintPipeline` and their `StableDiffusionXL` forms, one module for each kind of
//! start.
//!
//! This module must not depend on videos. Invariant: an image depends only on its parameters, whether a journal had a part of it or not.

mod controls;
mod decode;
mod defaults;
mod facts;
mod from_image;
mod from_noise;
mod inpaint;
mod interpolate;
mod own_scheduler;
mod params;
mod prompt;
mod refine;
mod resize_latents;
mod text_parts;
mod two_passes;
mod unloaded;
mod vaes;
mod xl;

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Tensor};
use image::RgbImage;

pub use self::{
    controls::{ControlNet, ControlParams, ControlsParams, control_window},
    defaults::ImageDefaults,
    facts::ImageFacts,
    params::{ImageParams, MaskFill, Start, first_user_step, smallest_strength},
    refine::HandedOver,
    resize_latents::LatentResize,
    two_passes::{Enlarge, EnlargeImage, SecondPass},
    unloaded::UnloadedModel,
    vaes::{NO_FULL_VAE, NO_TINY_VAE, available_vaes},
    xl::XlParams,
};
pub(super) use self::{
    interpolate::{Between, check_sizes},
    own_scheduler::OwnScheduler,
    text_parts::check_fit,
    vaes::{VaeConfigs, check_fit as check_vae_fit, check_latents},
};
use self::{refine::Until, text_parts::TextParts, vaes::Vaes};
use super::{
    RunContext,
    latent_colours::{self, LatentColours},
    memory::{LargestControlNet, WeightCounter, compact_saving},
};
use crate::{
    Error, Result,
    adapters::Embedding,
    conditioning::{TextConditioner, Tokenizers},
    denoise::StepMonitor,
    frames,
    imaging::sizes,
    journal::RunJournal,
    models::{ImageVae, UNet2dConditionModel, UNet2dConfig},
    policy::ExecutionPolicy,
    schedulers::SchedulerName,
    tokenizer::Scripts,
    weights::{Component, KeptLayers, ModelFamily, VaeChoice, WeightSource},
};

/// A Stable Diffusion 1.x, 2.x or XL model, loaded.
pub struct StableDiffusion {
    name: String,
    family: ModelFamily,
    pub(super) policy: ExecutionPolicy,
    text_conditioner: TextConditioner,
    pub(super) unet: UNet2dConditionModel,
    pub(super) vaes: Vaes,
    /// The size of the weights in memory, in bytes.
    pub(super) weight_bytes: u64,
    /// The size of the largest ControlNet that fits.
    pub(super) controlnet: LargestControlNet,
    scheduler: OwnScheduler,
    /// The words that files add to prompts.
    embeddings: Vec<Embedding>,
    /// Fitted on first use.
    colours: Arc<OnceLock<LatentColours>>,
    /// Its layers, for [`Self::reload`].
    kept: KeptLayers,
}

impl StableDiffusion {
    /// Loads every component from `source` onto the policy's device in the policy's precision.
    ///
    /// A VAE whose config says `force_upcast` runs in f32 if the policy says f16, because its activations exceed the range of f16.
    ///
    /// # Errors
    /// [`Error::Config`] for an unsupported configuration, naming file and field; [`Error::Weights`], [`Error::File`] or
    /// [`Error::Tokenizer`] for missing or damaged files.
    pub fn load(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        Self::load_with(source, policy, KeptLayers::default(), &Tokenizers::default())
    }

    /// Loads the model again from `source`, which is the same model with other adapters: only layers that differ are read. They are freed
    /// before, so this takes no more memory than a load, but an error leaves no model; [`Self::unload`] keeps the layers then.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn reload(self, source: &dyn WeightSource) -> Result<Self> {
        self.unload().load(source)
    }

    /// The model without what its layers are part of, to be loaded again.
    pub fn unload(self) -> UnloadedModel {
        let Self { family, policy, text_conditioner, weight_bytes, embeddings, colours, kept, .. } = self;
        UnloadedModel { family, policy, tokenizers: text_conditioner.tokenizers(), weight_bytes, embeddings, colours, kept }
    }

    fn load_with(source: &dyn WeightSource, policy: &ExecutionPolicy, kept: KeptLayers, loaded: &Tokenizers) -> Result<Self> {
        // Checks in the index that this is a pipeline of images, with components that this crate implements.
        let family = ModelFamily::of_images(source)?;
        let scheduler = OwnScheduler::read(source)?;

        // Every configuration is read before the first tensor, so that an unsupported model fails at once.
        let text_parts = TextParts::read(source, family, loaded)?;
        let unet_config = UNet2dConfig::from_json(&source.config(Component::Unet)?)?;
        let vae_configs = VaeConfigs::read(source, family)?;
        text_parts.check_fit(source, &unet_config)?;
        let tiny_dtype = policy.vae;
        let policy = vae_configs.upcast(policy);

        let counter = WeightCounter::default();
        let weights = |component: Component, dtype: DType| -> Result<_> {
            Ok(counter.component(source, component, dtype, &policy.device)?.with_kept(&kept))
        };
        let text_conditioner = text_parts.load(&policy, weights)?;
        let unet = UNet2dConditionModel::load(&unet_config, &weights(Component::Unet, policy.unet)?)?;
        let full = ImageVae::load_with(&vae_configs.full, &weights(Component::Vae, policy.vae)?, policy.encodes)?;
        let tiny = |config| ImageVae::load(config, &weights(Component::TinyVae, tiny_dtype)?);
        let vaes = Vaes { full, tiny: vae_configs.tiny.as_ref().map(tiny).transpose()? };
        let weight_bytes = counter.bytes().saturating_sub(compact_saving(&unet_config, &policy));
        let colours = Arc::default();
        let controlnet = LargestControlNet::of(source, &unet_config, &policy)?;
        Ok(Self {
            name: source.name(),
            family,
            policy,
            text_conditioner,
            unet,
            vaes,
            weight_bytes,
            controlnet,
            scheduler,
            embeddings: Vec::new(),
            colours,
            kept,
        })
    }

    /// Makes embeddings words of the prompts; they replace those added before. Returns a remark for each that does not fit the model.
    ///
    /// # Errors
    /// [`Error::Candle`] from the device.
    pub fn set_embeddings(&mut self, embeddings: Vec<Embedding>) -> Result<Vec<String>> {
        let remarks = self.text_conditioner.set_embeddings(&embeddings)?;
        self.embeddings = embeddings;
        Ok(remarks)
    }

    /// The model's display name: the folder's path, the hub id, "nano-sd (embedded)".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device, and the precision of each component; the VAE's may be wider than requested.
    pub fn policy(&self) -> &ExecutionPolicy {
        &self.policy
    }

    /// The noise predictor, for benchmarks and checks.
    pub fn unet(&self) -> &UNet2dConditionModel {
        &self.unet
    }

    /// The model's own autoencoder, for benchmarks and checks.
    pub fn vae(&self) -> &ImageVae {
        &self.vaes.full
    }

    /// The chosen autoencoder, for benchmarks and checks.
    ///
    /// # Errors
    /// [`Error::Params`] if the model has no such one.
    pub fn chosen_vae(&self, choice: VaeChoice) -> Result<&ImageVae> {
        self.vaes.chosen(choice)
    }

    /// The model's native image size, (width, height) in pixels: the noise predictor's `sample_size`, or 64 latents if it has none.
    pub fn default_size(&self) -> (u32, u32) {
        sizes::of_latents(self.unet.config().sample_size, self.vae().config().factor())
    }

    /// The image size for the aspect ratio `aspect`: about the model's native number of pixels, with sides that every level of the model
    /// can halve evenly. Aspect ratios beyond 4:1 are clamped.
    pub fn size_for(&self, aspect: (u32, u32)) -> (u32, u32) {
        let (width, height) = self.default_size();
        let multiple = sizes::multiple(self.pixels_per_latent(), self.unet.config().levels.len());
        sizes::of_pixels(f64::from(width) * f64::from(height), aspect, multiple)
    }

    /// The scheduler of requests that name none.
    ///
    /// # Errors
    /// [`Error::Config`] if the model's own cannot run: then every request must name one.
    pub fn scheduler_name(&self) -> Result<SchedulerName> {
        Ok(self.scheduler.config(&Start::Noise, None)?.name())
    }

    /// The number of tokens of a plain `prompt` before truncation and without the start and end tokens, and the number that the model reads.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the text cannot be encoded.
    pub fn text_length(&self, prompt: &str) -> Result<(usize, usize)> {
        self.text_conditioner.text_length(prompt)
    }

    /// The scripts that the model's tokenizer can read.
    pub fn scripts(&self) -> Scripts {
        self.text_conditioner.scripts()
    }

    /// Generates one image. An image or latents that the context's journal has are reused.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Config`] if the model does not support this start;
    /// [`Error::Cancelled`] if the monitor breaks; [`Error::NonFinite`] if the model's numbers overflow; [`Error::Candle`] from the device.
    pub fn image(&self, params: &ImageParams, context: RunContext<'_>) -> Result<RgbImage> {
        self.check_params(params)?;
        self.finished(params, context, |monitor| self.latents(params, monitor))
    }

    fn check_params(&self, params: &ImageParams) -> Result<()> {
        params.check(self.pixels_per_latent())?;
        params.xl.check(self.family)?;
        params.controls.nets.iter().try_for_each(|control| self.check_controlnet(control.net.config()))
    }

    /// The image of the latents that the journal has, or else of those that `denoise` makes.
    fn finished(
        &self,
        params: &ImageParams,
        context: RunContext<'_>,
        denoise: impl FnOnce(&mut dyn StepMonitor) -> Result<Tensor>,
    ) -> Result<RgbImage> {
        let RunContext { monitor, journal, run } = context;
        let mut journal = RunJournal::new(journal, run);
        if let Some(image) = journal.image(0, (params.width, params.height)) {
            monitor.on_kept();
            return Ok(image);
        }
        let latents = journal.latents_or(&self.latents_shape(params), monitor, denoise)?;
        let images = self.decode_images(&[latents], params.vae, monitor)?;
        let image = images.into_iter().next().ok_or(Error::Candle(candle_core::Error::UnwrapNone))?;
        journal.keep_image(0, &image);
        Ok(image)
    }

    /// The denoised latents of one image.
    fn latents(&self, params: &ImageParams, monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        match &params.start {
            Start::Noise => Ok(self.latents_from_noise(params, Until::End, monitor)?.latents),
            Start::Image { init_image, strength } => {
                Ok(self.latents_from_image(params, (init_image, *strength), Until::End, monitor)?.latents)
            }
            Start::Inpaint { init_image, mask_image, strength } => {
                self.inpainted_latents(params, (init_image, mask_image, *strength), monitor)
            }
        }
    }

    /// Pixels per latent along each side: 8 in every SD 1.x and 2.x model.
    pub(super) fn pixels_per_latent(&self) -> u32 {
        u32::try_from(self.vae().config().factor()).unwrap_or(8)
    }

    /// The shape of an image's latents, [1, channels, height, width].
    pub(super) fn latents_shape(&self, params: &ImageParams) -> [usize; 4] {
        let factor = self.pixels_per_latent();
        [1, self.vae().config().latent_channels(), (params.height / factor) as usize, (params.width / factor) as usize]
    }

    /// Renders a small image of clean latents, [1, channels, height, width]: by the small autoencoder if there is one.
    fn paint(&self, latents: &Tensor) -> Result<RgbImage> {
        if let Some(vae) = self.vaes.small() {
            return frames::to_rgb_image(&vae.decode(&latent_colours::shrunk(latents, self.pixels_per_latent())?)?);
        }
        let vae = self.vae();
        let colours = LatentColours::known(&self.colours, vae.config().latent_channels(), |latents| vae.decode(latents))?;
        colours.paint(latents, self.pixels_per_latent())
    }
}
