//! Classifier-free guidance of a clip: the conditions of a video's noise predictor, with a guidance scale for each frame.
//!
//! This module must not depend on schedulers. Invariant: the unconditional clip comes first, its embedding and its image latents are zeros,
//! and predictions are combined in f32 whatever the model's precision. Follows diffusers' `StableVideoDiffusionPipeline.__call__`.

use candle_core::{DType, Device, Tensor};

use crate::{
    Result,
    models::{ImageContext, UNetSpatioTemporalConditionModel},
};

/// The image conditions of a video's noise predictor.
#[derive(Clone, Debug)]
pub struct VideoConditions {
    /// Output of the image encoder, [1, cross_attention_dim].
    pub image_embeds: Tensor,
    /// Latents of the autoencoder, [1, channels, height, width], not scaled.
    pub image_latents: Tensor,
    /// Frames per second minus one, motion bucket, noise augmentation.
    pub added_time_ids: [f32; 3],
}

/// A video's noise predictor with all of its inputs except latents and timestep, fixed for a run.
#[derive(Clone, Debug)]
pub struct VideoConditioning<'a> {
    unet: &'a UNetSpatioTemporalConditionModel,
    /// The unconditional image comes first, if there is guidance.
    context: ImageContext,
    /// [clips, frames, channels, height, width], f32 on the CPU.
    image_latents: Tensor,
    /// [clips, 3].
    added_time_ids: Tensor,
    /// [frames, 1, 1, 1], f32 on the CPU.
    guidance_scales: Option<Tensor>,
}

impl<'a> VideoConditioning<'a> {
    /// Conditioning of a clip of `num_frames` frames. `guidance` is the scale at the first and at the last frame, evenly spaced between
    /// them. The model's batch is one clip a step without guidance, two with it.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the conditions' shapes are not the model's.
    pub fn new(
        unet: &'a UNetSpatioTemporalConditionModel,
        conditions: &VideoConditions,
        num_frames: usize,
        guidance: Option<(f64, f64)>,
    ) -> Result<Self> {
        let host = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?) };
        let mut embeds = host(&conditions.image_embeds)?.unsqueeze(1)?;
        let (_, channels, height, width) = conditions.image_latents.dims4()?;
        let mut image_latents = host(&conditions.image_latents)?.broadcast_as((1, num_frames, channels, height, width))?.contiguous()?;
        let mut ids = Tensor::new(&[conditions.added_time_ids], &Device::Cpu)?;
        let mut guidance_scales = None;
        if let Some((first, last)) = guidance {
            let with_zeros = |tensor: &Tensor| Tensor::cat(&[&tensor.zeros_like()?, tensor], 0);
            embeds = with_zeros(&embeds)?;
            image_latents = with_zeros(&image_latents)?;
            ids = Tensor::cat(&[&ids, &ids], 0)?;
            guidance_scales = Some(Tensor::from_vec(evenly_spaced(first, last, num_frames), (num_frames, 1, 1, 1), &Device::Cpu)?);
        }
        Ok(Self { unet, context: unet.image_context(&embeds)?, image_latents, added_time_ids: ids, guidance_scales })
    }

    /// Predicts the guided noise [frames, c, h, w], f32 on the CPU, for scaled latents of the same shape, f32 on the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::Candle`] if the latents have the wrong shape.
    pub fn predict(&self, scaled_latents: &Tensor, timestep: f64) -> Result<Tensor> {
        let clip = scaled_latents.unsqueeze(0)?;
        let clips = vec![&clip; self.context.batch()];
        let sample = Tensor::cat(&[&Tensor::cat(&clips, 0)?, &self.image_latents], 2)?;
        let noise_pred = self.unet.forward(&sample, timestep, &self.context, &self.added_time_ids)?;
        let noise_pred = noise_pred.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        let Some(scales) = &self.guidance_scales else { return Ok(noise_pred.squeeze(0)?) };
        let (uncond, cond) = (noise_pred.get(0)?, noise_pred.get(1)?);
        Ok((&uncond + (cond - &uncond)?.broadcast_mul(scales)?)?)
    }
}

/// `torch.linspace` in f32.
fn evenly_spaced(first: f64, last: f64, count: usize) -> Vec<f32> {
    let (first, last) = (first as f32, last as f32);
    let step = (last - first) / (count.saturating_sub(1).max(1)) as f32;
    // Computed from the nearer end, as in torch; a single value is the first.
    let value = |index: usize| match count / 2 {
        half if index < half || count == 1 => step.mul_add(index as f32, first),
        _ => (-step).mul_add((count - index - 1) as f32, last),
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_evenly_spaced_from_the_first_to_the_last_frame() {
        assert_eq!(evenly_spaced(1.0, 3.0, 5), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(evenly_spaced(1.5, 3.0, 1), [1.5]);
        assert_eq!(evenly_spaced(1.5, 3.0, 2), [1.5, 3.0]);
        assert!(evenly_spaced(1.5, 3.0, 0).is_empty());
    }
}
