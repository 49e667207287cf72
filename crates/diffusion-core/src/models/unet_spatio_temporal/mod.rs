//! UNetSpatioTemporalConditionModel: the noise predictor of Stable Video Diffusion, driven by unet/config.json.
//!
//! Knows nothing of schedulers or guidance. The invariant: it computes what diffusers' class computes from the same config, or the
//! config is refused. Follows diffusers models/unets/unet_spatio_temporal_condition.py.
//!
//! What diffusers does again and again is done once, or not at all, with the same numbers: the attentions to the one token of the
//! picture's embedding are made into an [`ImageContext`] before the first step, the blends of residual blocks are folded into their
//! weights, and no tensor is permuted between frames and pixels.

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

/// Pictures as one UNet sees their embeddings, which is the same at every step and in every frame.
///
/// Made by [`UNetSpatioTemporalConditionModel::image_context`], and of use to that model only.
#[derive(Clone, Debug)]
pub struct ImageContext {
    batch: usize,
    /// In the order in which the model's transformers take them.
    vectors: Vec<ContextVectors>,
}

impl ImageContext {
    /// How many pictures it holds, that is clips.
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
    /// Reads the weights that the config asks for, less those that a single token of context makes idle.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &UNetSpatioTemporalConfig, weights: &ComponentWeights) -> Result<Self> {
        let (ids, time) = (config.projection_class_embeddings_input_dim, config.time_channels());
        Ok(Self {
            unet: UNet::load(config, weights)?,
            id_sinusoids: Sinusoids { channels: config.addition_time_embed_dim, flip_sin_to_cos: true, freq_shift: 0.0 },
            add_embedding: TimestepEmbedding::load(&weights.pp("add_embedding"), ids, time, None)?,
        })
    }

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &UNetSpatioTemporalConfig {
        self.unet.config()
    }

    /// What pictures give the model, made once for all the steps of a run.
    ///
    /// `encoder_hidden_states` is [batch, 1, cross_attention_dim] in any float type: one token a picture, zeros for guidance's other half.
    ///
    /// # Errors
    /// [`Error::Shape`] if the states do not fit the config, or there is more than one token.
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

    /// What the model predicts for the noisy latents of clips.
    ///
    /// `sample` is [batch, frames, in_channels, height, width] in any float type: noisy latents and the picture's side by side.
    /// `timestep` is one for the batch and usually no whole number; clip i has the context's picture i. `added_time_ids` is
    /// [batch, ids] in f32: for Stable Video Diffusion frames a second less one, motion bucket, and noise augmentation. The result is
    /// [batch, frames, out_channels, height, width] in the model's precision. Height and width need not be multiples of anything.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not fit the config or the context.
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
        let output = self.unet.forward(&sample.reshape((clips * num_frames, inputs, height, width))?, &mut call)?;
        Ok(output.reshape((clips, num_frames, self.config().out_channels, height, width))?)
    }

    /// [clips, time_channels]: the added ids' embeddings.
    fn added(&self, added_time_ids: &Tensor, clips: usize) -> Result<Tensor> {
        let count = self.config().added_time_ids();
        if added_time_ids.dims() != [clips, count] {
            let expected = format!("[{clips}, {count}]");
            return Err(Error::Shape { what: "added_time_ids", expected, found: added_time_ids.dims().to_vec() });
        }
        // As f32 whatever the precision: a motion bucket of 127 is a bf16 number, the noise augmentation of 0.02 is not.
        let ids: Vec<f64> = added_time_ids.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let ids = self.id_sinusoids.embed_all(&ids)?.reshape((clips, self.config().projection_class_embeddings_input_dim))?;
        self.add_embedding.forward(&ids, None)
    }
}
