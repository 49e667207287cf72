//! One step and one decode of a model at a given size, on inputs that are the same for every run.

use candle_core::{Device, Tensor};
use diffusion_core::{
    models::{ImageVae, TextContext, UNet2dConditionModel},
    noise::SeededNoise,
    policy::ExecutionPolicy,
};

use super::{SEED, Size};

/// CLIP's text length, with which every model of the family is trained.
pub(super) const TOKENS: usize = 77;
/// The sizes that Stable Diffusion XL is conditioned on.
const TIME_IDS: usize = 6;
/// A timestep in the middle of the noise range.
const TIMESTEP: f64 = 501.0;

/// The timed parts, and their inputs on the device.
pub(super) struct Workload<'a> {
    unet: &'a UNet2dConditionModel,
    vae: &'a ImageVae,
    device: Device,
    /// [1, channels, h, w].
    sample: Tensor,
    /// Different texts, precomputed as for a whole picture: the prompt's and, for a guided step, the negative one's.
    text: TextContext,
    texts: usize,
    /// [1, channels, h, w].
    latents: Tensor,
}

impl<'a> Workload<'a> {
    /// Inputs for a picture of that size; `texts` is 2 for guided steps, 1 for others.
    pub(super) fn new(
        unet: &'a UNet2dConditionModel,
        vae: &'a ImageVae,
        texts: usize,
        policy: &ExecutionPolicy,
        size: Size,
    ) -> diffusion_core::Result<Self> {
        let latent_side = |pixels: u32| pixels as usize / vae.config().factor().max(1);
        let (width, height) = (latent_side(size.width), latent_side(size.height));
        let (unet_config, channels) = (unet.config(), vae.config().latent_channels());
        let mut noise = SeededNoise::new(SEED);
        let sample = noise.randn(&[1, unet_config.in_channels, height, width])?;
        let text_width = unet_config.levels.first().map_or(0, |level| level.cross_attention_dim);
        let text = noise.randn(&[texts, TOKENS, text_width])?;
        let text = match unet_config.text_time {
            None => unet.text_context(&text)?,
            Some(text_time) => {
                let pooled = text_time.projection_class_embeddings_input_dim.saturating_sub(TIME_IDS * text_time.addition_time_embed_dim);
                let ids = [size.height, size.width, 0, 0, size.height, size.width].map(|pixels| pixels as f32);
                let ids = Tensor::new(&[ids], &Device::Cpu)?.repeat((texts, 1))?;
                unet.text_time_context(&text, &noise.randn(&[texts, pooled])?, &ids)?
            }
        };
        let latents = noise.randn(&[1, channels, height, width])?;
        let device = policy.device.clone();
        Ok(Self {
            unet,
            vae,
            sample: sample.to_dtype(policy.unet)?.to_device(&device)?,
            text,
            texts,
            latents: latents.to_dtype(policy.vae)?.to_device(&device)?,
            device,
        })
    }

    /// One UNet call as in a real run: the same latents for each text with precomputed keys and values.
    pub(super) fn step(&self) -> anyhow::Result<Tensor> {
        self.step_of(&self.sample)
    }

    /// The same with the latents given for each text, so that the guidance halves share nothing.
    pub(super) fn step_unshared(&self) -> anyhow::Result<Tensor> {
        self.step_of(&Tensor::cat(&vec![&self.sample; self.texts], 0)?)
    }

    fn step_of(&self, sample: &Tensor) -> anyhow::Result<Tensor> {
        let output = self.unet.forward(sample, TIMESTEP, &self.text, None)?;
        self.device.synchronize()?;
        Ok(output)
    }

    /// One decode of the VAE.
    pub(super) fn decode(&self) -> anyhow::Result<Tensor> {
        let output = self.vae.decode(&self.latents)?;
        self.device.synchronize()?;
        Ok(output)
    }
}
