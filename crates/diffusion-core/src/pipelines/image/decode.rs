//! Decodes denoised latents to images.
//!
//! This module must not depend on the origin of latents. Invariant: an image does not depend on the others in the same decode.

use candle_core::Tensor;
use image::RgbImage;

use super::StableDiffusion;
use crate::{Result, denoise::StepMonitor, frames, pipelines::decode_split::DecodeSplit, weights::VaeChoice};

impl StableDiffusion {
    /// Decodes several denoised latents, [1, channels, height, width] each and all of the same size, at once, or in smaller parts if memory
    /// is insufficient.
    pub(in crate::pipelines) fn decode_images(
        &self,
        latents: &[Tensor],
        vae: VaeChoice,
        monitor: &mut dyn StepMonitor,
    ) -> Result<Vec<RgbImage>> {
        let vae = self.vaes.chosen(vae)?;
        let Some(first) = latents.first() else { return Ok(Vec::new()) };
        let (_, _, height, width) = first.dims4()?;
        let side = |latents: usize| u32::try_from(latents).unwrap_or(u32::MAX).saturating_mul(self.pixels_per_latent());
        let mut split = DecodeSplit::new(latents.len(), (side(width), side(height)), vae.tiling());
        let mut images = Vec::new();
        while images.len() < latents.len() {
            let made = split.decode(monitor, |split| {
                let together: Vec<&Tensor> = latents.iter().skip(images.len()).take(split.together).collect();
                let decoded = vae.decode_tiled(&Tensor::cat(&together, 0)?, split.tiling(vae.tiling()))?;
                (0..together.len()).map(|index| frames::to_rgb_image(&decoded.narrow(0, index, 1)?)).collect::<Result<Vec<_>>>()
            })?;
            images.extend(made);
        }
        Ok(images)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use candle_core::DType;

    use super::*;
    use crate::{noise::SeededNoise, pipelines::nano_sd, policy::ExecutionPolicy};

    #[test]
    fn an_image_does_not_depend_on_the_others_in_a_decode() {
        for dtype in [DType::F32, DType::BF16] {
            let policy = ExecutionPolicy { vae: dtype, ..ExecutionPolicy::cpu_f32() };
            let model = StableDiffusion::load(&nano_sd(), &policy).unwrap();
            for (width, height, images) in [(16, 16, 5), (3, 5, 7), (1, 1, 3)] {
                let mut noise = SeededNoise::new(5);
                let latents = (0..images).map(|_| noise.randn(&[1, 4, height, width])).collect::<Result<Vec<Tensor>>>().unwrap();
                let together = model.decode_images(&latents, VaeChoice::Full, &mut ()).unwrap();
                let alone = latents
                    .iter()
                    .flat_map(|one| model.decode_images(std::slice::from_ref(one), VaeChoice::Full, &mut ()).unwrap())
                    .collect::<Vec<RgbImage>>();
                assert!(together == alone, "{width}x{height} latents, {dtype:?}");
            }
        }
    }
}
