//! UNetSpatioTemporalConditionModel: the noise predictor of Stable Video Diffusion, driven by unet/config.json.
//!
//! This module does not depend on schedulers or guidance. Invariant: it computes the same as diffusers' class with the same config, or the
//! config is refused. Follows diffusers models/unets/unet_spatio_temporal_condition.py.
//!
//! Computations that diffusers repeats are done once, or avoided, with the same results: the cross-attentions to the one token of the image
//! embedding become an [`ImageContext`] before the first step, the blends of residual blocks are folded into their weights, and no tensor
//! is permuted between frames and pixels.

mod config;
mod family;

use candle_core::{DType, Tensor};

pub use config::UNetSpatioTemporalConfig;

use self::family::Call;
use super::{
    embeddings::{Sinusoids, TimestepEmbedding},
    temporal_transformer::{ContextReader, ContextVectors},
    unet::UNet,
};
use crate::{Error, Result, weights::ComponentWeights};

/// Image embeddings prepared for one UNet, which are the same at every step and in every frame.
///
/// Made by [`UNetSpatioTemporalConditionModel::image_context`], and valid only for that model.
#[derive(Clone, Debug)]
pub struct ImageContext {
    batch: usize,
    /// In the order of the model's transformers.
    vectors: Vec<ContextVectors>,
}

impl ImageContext {
    /// Number of images, which is the number of clips.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

/// The noise predictor.
#[derive(Debug)]
pub struct UNetSpatioTemporalConditionModel {
    unet: UNet<UNetSpatioTemporalConfig>,
    id_sinusoids: Sinusoids,
    add_embedding: TimestepEmbedding,
}

impl UNetSpatioTemporalConditionModel {
    /// Loads the weights that the config requires, except those that a single token of context makes redundant.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &UNetSpatioTemporalConfig, weights: &ComponentWeights) -> Result<Self> {
        let (ids, time) = (config.projection_class_embeddings_input_dim, config.time_channels());
        Ok(Self {
            unet: UNet::load(config, weights)?,
            id_sinusoids: Sinusoids { channels: config.addition_time_embed_dim, flip_sin_to_cos: true, freq_shift: 0.0 },
            add_embedding: TimestepEmbedding::load(&weights.pp("add_embedding"), ids, time, None)?,
        })
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &UNetSpatioTemporalConfig {
        self.unet.config()
    }

    /// Prepares image embeddings for the model, once for all steps of a run.
    ///
    /// `encoder_hidden_states` is [batch, 1, cross_attention_dim] in any float type: one token for each image, zeros for the unconditional
    /// half of guidance.
    ///
    /// # Errors
    /// [`Error::Shape`] if the states do not match the config, or there is more than one token.
    pub fn image_context(&self, encoder_hidden_states: &Tensor) -> Result<ImageContext> {
        let channels = self.config().cross_attention_dim;
        let batch = match encoder_hidden_states.dims() {
            [batch, 1, found] if *batch > 0 && *found == channels => *batch,
            found => {
                let expected = format!("[batch, 1, {channels}]");
                return Err(Error::Shape { what: "encoder_hidden_states", expected, found: found.to_vec() });
            }
        };
        let (dtype, device) = self.unet.placement();
        let states = encoder_hidden_states.to_dtype(dtype)?.to_device(device)?.reshape((batch, channels))?;
        let vectors = self.unet.transformers().flat_map(|transformer| transformer.context(&states));
        Ok(ImageContext { batch, vectors: vectors.collect::<Result<_>>()? })
    }

    /// Predicts the noise in the noisy latents of clips.
    ///
    /// `sample` is [batch, frames, in_channels, height, width] in any float type: noisy latents and image latents side by side. `timestep`
    /// is the same for the whole batch and usually fractional; clip i uses image i of the context. `added_time_ids` is [batch, ids] in f32:
    /// for Stable Video Diffusion frames per second minus one, motion bucket, and noise augmentation. The result is [batch, frames,
    /// out_channels, height, width] in the model's precision. Height and width may be any size.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not match the config or the context.
    pub fn forward(&self, sample: &Tensor, timestep: f64, context: &ImageContext, added_time_ids: &Tensor) -> Result<Tensor> {
        let (clips, inputs) = (context.batch, self.config().in_channels);
        let (num_frames, height, width) = match sample.dims() {
            [batch, frames, channels, height, width] if (*batch, *channels) == (clips, inputs) && frames * height * width > 0 => {
                (*frames, *height, *width)
            }
            found => {
                let expected = format!("[{clips} as the context, frames, {inputs}, height, width]");
                return Err(Error::Shape { what: "the UNet's sample", expected, found: found.to_vec() });
            }
        };
        let time = self.unet.time(timestep, None, Some(&self.added(added_time_ids, clips)?))?;
        let mut call = Call { time, num_frames, context: ContextReader::new(&context.vectors) };
        let output = self.unet.forward(&sample.reshape((clips * num_frames, inputs, height, width))?, &mut call, None)?;
        Ok(output.reshape((clips, num_frames, self.config().out_channels, height, width))?)
    }

    /// The embeddings of the added ids: [clips, time_channels].
    fn added(&self, added_time_ids: &Tensor, clips: usize) -> Result<Tensor> {
        let count = self.config().added_time_ids();
        if added_time_ids.dims() != [clips, count] {
            let expected = format!("[{clips}, {count}]");
            return Err(Error::Shape { what: "added_time_ids", expected, found: added_time_ids.dims().to_vec() });
        }
        // In f32 whatever the precision: bf16 can represent a motion bucket of 127, but not the noise augmentation of 0.02.
        let ids: Vec<f64> = added_time_ids.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let ids = self.id_sinusoids.embed_all(&ids)?.reshape((clips, self.config().projection_class_embeddings_input_dim))?;
        self.add_embedding.forward(&ids, None)
    }
}
