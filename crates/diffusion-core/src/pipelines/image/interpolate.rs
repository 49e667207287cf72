//! Images between two requests: the noise is interpolated spherically and the text embeddings linearly, and the latents are denoised at
//! each position.
//!
//! This module must not depend on videos. Invariant: at position 0 the latents are those of the first request, and at 1 those of the
//! second, for schedulers that draw no noise; other schedulers draw from the first request's stream at every position. The steps,
//! the guidance scale, the scheduler and the size are the first request's. Spherical interpolation follows diffusers' community pipeline
//! `interpolate_stable_diffusion` (after Shoemake, "Animating rotation with quaternion curves").

use candle_core::Tensor;

use super::{ImageParams, StableDiffusion};
use crate::{
    Error, Result,
    conditioning::PromptEmbeds,
    denoise::{Denoising, StepMonitor},
    noise::SeededNoise,
};

/// Above this cosine two directions count as parallel, and the interpolation is linear.
const PARALLEL: f64 = 0.9995;

/// The interpolation between two requests to one model.
pub(in crate::pipelines) struct Between<'a> {
    model: &'a StableDiffusion,
    params: &'a ImageParams,
    embeds: [PromptEmbeds; 2],
    noise: [Tensor; 2],
    /// The first request's stream, after its latents.
    stream: SeededNoise,
}

impl<'a> Between<'a> {
    /// Encodes both requests' prompts and draws both requests' noise.
    ///
    /// # Errors
    /// [`Error::Params`] if a request exceeds its limits or does not start from noise, or the two differ in size.
    pub(in crate::pipelines) fn new(model: &'a StableDiffusion, from: &'a ImageParams, to: &ImageParams) -> Result<Self> {
        for params in [from, to] {
            params.check_from_noise("an image between two others", model.pixels_per_latent())?;
        }
        model.check_text_to_image()?;
        check_sizes(from, to)?;
        let shape = model.latents_shape(from);
        let mut stream = SeededNoise::new(from.seed);
        let noise = [stream.randn(&shape)?, SeededNoise::new(to.seed).randn(&shape)?];
        // Both at the first request's guidance scale, so that both have the same number of texts.
        let embeds = [model.encode_prompt(from, from.guidance_scale)?, model.encode_prompt(to, from.guidance_scale)?];
        let embeds = model.text_conditioner.padded(embeds)?;
        Ok(Self { model, params: from, embeds, noise, stream })
    }

    /// The denoised latents at `position`, 0 to 1.
    ///
    /// # Errors
    /// As [`StableDiffusion::image`].
    pub(in crate::pipelines) fn latents(&self, position: f64, monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        let [from, to] = &self.embeds;
        let mut scheduler = self.model.scheduler.start(self.params)?;
        let conditioning = self.model.condition_on(&from.interpolate(to, position)?, self.params, scheduler.timesteps().len())?;
        let [from, to] = &self.noise;
        let latents = (slerp(from, to, position)? * scheduler.init_noise_sigma())?;
        let mut noise = self.stream.clone();
        let paint = |latents: &Tensor| self.model.paint(latents);
        let run = Denoising { scheduler: scheduler.as_mut(), first_step: 0, noise: &mut noise, paint: &paint, monitor };
        run.run(latents, |sample, timestep, call| conditioning.predict(sample, timestep, call), |_, _, latents| Ok(latents))
    }
}

/// Refuses two requests of different sizes: their noise cannot be interpolated.
pub(in crate::pipelines) fn check_sizes(from: &ImageParams, to: &ImageParams) -> Result<()> {
    let reason =
        || format!("cannot interpolate between {}x{} and {}x{}: sizes must be equal", from.width, from.height, to.width, to.height);
    for (field, from, to) in [("width", from.width, to.width), ("height", from.height, to.height)] {
        if from != to {
            return Err(Error::Params { field, reason: reason() });
        }
    }
    Ok(())
}

/// Spherical interpolation from `from` to `to`: between vectors of equal length, the angle changes evenly with `position`.
fn slerp(from: &Tensor, to: &Tensor, position: f64) -> Result<Tensor> {
    let (start, end) = (from.flatten_all()?.to_vec1::<f32>()?, to.flatten_all()?.to_vec1::<f32>()?);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(&start, &end) / (dot(&start, &start) * dot(&end, &end)).sqrt();
    // Noise of length zero has no direction: the cosine is NaN, and the interpolation is linear too.
    let (a, b) = if cosine.abs() < PARALLEL {
        let angle = cosine.acos();
        (((1.0 - position) * angle).sin() / angle.sin(), (position * angle).sin() / angle.sin())
    } else {
        (1.0 - position, position)
    };
    Ok(((from * a)? + (to * b)?)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use candle_core::Device;

    use super::*;

    #[test]
    fn halfway_between_two_axes_is_the_diagonal() {
        let axis = |values: [f32; 3]| Tensor::new(&values, &Device::Cpu).unwrap();
        let at = |to: [f32; 3], position| slerp(&axis([2.0, 0.0, 0.0]), &axis(to), position).unwrap().to_vec1::<f32>().unwrap();
        let middle = at([0.0, 2.0, 0.0], 0.5);
        assert!((middle[0] - 2f32.sqrt()).abs() < 1e-6 && (middle[1] - 2f32.sqrt()).abs() < 1e-6, "{middle:?}");
        assert_eq!(at([0.0, 2.0, 0.0], 0.0), [2.0, 0.0, 0.0]);
        // The same direction, as for two equal seeds: linear.
        assert_eq!(at([2.0, 0.0, 0.0], 0.3), [2.0, 0.0, 0.0]);
        assert_eq!(at([0.0, 0.0, 0.0], 0.5), [1.0, 0.0, 0.0]);
    }
}
