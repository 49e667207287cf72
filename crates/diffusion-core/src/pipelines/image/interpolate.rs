//! Images on the way from one request to another: the noise turned from the one's to the other's, the texts mixed, and the whole
//! denoised anew at each place.
//!
//! It must not know videos. The invariant: at position 0 the latents are those of the first request, and at 1 those of the second, for
//! schedulers that draw no noise of their own; what others draw comes from the first request's stream at every position. The steps,
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

/// Above this cosine two directions are taken for one, and the way between them for a straight line.
const PARALLEL: f64 = 0.9995;

/// The way between two requests to one model.
pub(in crate::pipelines) struct Between<'a> {
    model: &'a StableDiffusion,
    params: &'a ImageParams,
    embeds: [PromptEmbeds; 2],
    noise: [Tensor; 2],
    /// The first request's stream, behind its latents.
    stream: SeededNoise,
}

impl<'a> Between<'a> {
    /// Reads both requests' texts and draws both requests' noise.
    ///
    /// # Errors
    /// [`Error::Params`] if a request is out of its limits or does not start from noise, or the two differ in size.
    pub(in crate::pipelines) fn new(model: &'a StableDiffusion, from: &'a ImageParams, to: &ImageParams) -> Result<Self> {
        for params in [from, to] {
            params.check_from_noise("an image between two others", model.pixels_per_latent())?;
        }
        model.check_plain_unet()?;
        check_sizes(from, to)?;
        let shape = model.latents_shape(from);
        let mut stream = SeededNoise::new(from.seed);
        let noise = [stream.randn(&shape)?, SeededNoise::new(to.seed).randn(&shape)?];
        // Both at the first request's guidance scale, so that both have as many texts.
        let embeds = [model.encode_prompt(from, from.guidance_scale)?, model.encode_prompt(to, from.guidance_scale)?];
        Ok(Self { model, params: from, embeds, noise, stream })
    }

    /// The finished latents at `position`, 0 to 1.
    ///
    /// # Errors
    /// As [`StableDiffusion::image`].
    pub(in crate::pipelines) fn latents(&self, position: f64, monitor: &mut dyn StepMonitor) -> Result<Tensor> {
        let [from, to] = &self.embeds;
        let conditioning = self.model.condition_on(&from.towards(to, position)?, self.params.guidance_scale)?;
        let mut scheduler = self.model.scheduler.start(self.params)?;
        let [from, to] = &self.noise;
        let latents = (slerp(from, to, position)? * scheduler.init_noise_sigma())?;
        let mut noise = self.stream.clone();
        let paint = |latents: &Tensor| self.model.paint(latents);
        let run = Denoising { scheduler: scheduler.as_mut(), first_step: 0, noise: &mut noise, paint: &paint, monitor };
        run.run(latents, |sample, timestep| conditioning.predict(sample, timestep), |_, _, latents| Ok(latents))
    }
}

/// Refuses two requests of different sizes: their noise has no way from one to the other.
pub(in crate::pipelines) fn check_sizes(from: &ImageParams, to: &ImageParams) -> Result<()> {
    let reason = || format!("{}x{} and {}x{} have no way between them", from.width, from.height, to.width, to.height);
    for (field, from, to) in [("width", from.width, to.width), ("height", from.height, to.height)] {
        if from != to {
            return Err(Error::Params { field, reason: reason() });
        }
    }
    Ok(())
}

/// On the great circle from `from` to `to`: lengths and angle change evenly with `position`.
fn slerp(from: &Tensor, to: &Tensor, position: f64) -> Result<Tensor> {
    let (start, end) = (from.flatten_all()?.to_vec1::<f32>()?, to.flatten_all()?.to_vec1::<f32>()?);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(&start, &end) / (dot(&start, &start) * dot(&end, &end)).sqrt();
    // Noise of length zero has no direction: then the cosine is no number, and the line is straight too.
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
        // The same direction: a straight line, as of one seed to itself.
        assert_eq!(at([2.0, 0.0, 0.0], 0.3), [2.0, 0.0, 0.0]);
        assert_eq!(at([0.0, 0.0, 0.0], 0.5), [1.0, 0.0, 0.0]);
    }
}
