//! One step and one decode of a model at a size, on inputs that are the same for every run.

use candle_core::{Device, Tensor};
use diffusion_core::{
    models::{AutoencoderKl, UNet2dConditionModel},
    noise::SeededNoise,
    policy::ExecutionPolicy,
};

use super::SEED;

/// CLIP's text length, which every model of the family is trained with.
const TOKENS: usize = 77;
/// A timestep in the middle of the noise.
const TIMESTEP: f64 = 501.0;

/// The parts that are timed, and their inputs on the device.
pub(super) struct Workload<'a> {
    unet: &'a UNet2dConditionModel,
    vae: &'a AutoencoderKl,
    device: Device,
    /// [2, channels, h, w]: the halves of a guided call.
    sample: Tensor,
    /// [2, tokens, width]: two different texts.
    text: Tensor,
    /// [1, channels, h, w].
    latents: Tensor,
}

impl<'a> Workload<'a> {
    /// Inputs for a picture of `size` x `size` pixels.
    pub(super) fn new(
        unet: &'a UNet2dConditionModel,
        vae: &'a AutoencoderKl,
        policy: &ExecutionPolicy,
        size: u32,
    ) -> diffusion_core::Result<Self> {
        let side = size as usize / vae.config().factor().max(1);
        let (unet_config, channels) = (unet.config(), vae.config().latent_channels);
        let mut noise = SeededNoise::new(SEED);
        let one = noise.randn(&[1, unet_config.in_channels, side, side])?;
        // As in a picture: both halves see the same latents and differ in their text.
        let sample = Tensor::cat(&[&one, &one], 0)?;
        let text_width = unet_config.levels.first().map_or(0, |level| level.cross_attention_dim);
        let text = noise.randn(&[2, TOKENS, text_width])?;
        let latents = noise.randn(&[1, channels, side, side])?;
        let device = policy.device.clone();
        Ok(Self {
            unet,
            vae,
            sample: sample.to_dtype(policy.unet)?.to_device(&device)?,
            text: text.to_dtype(policy.unet)?.to_device(&device)?,
            latents: latents.to_dtype(policy.vae)?.to_device(&device)?,
            device,
        })
    }

    /// One guided call of the UNet.
    pub(super) fn step(&self) -> anyhow::Result<Tensor> {
        let output = self.unet.forward(&self.sample, TIMESTEP, &self.text, None)?;
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
