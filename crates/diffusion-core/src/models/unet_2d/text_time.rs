//! The "text_time" embedding: a pooled text and the sizes of an image, added to the timestep's embedding.
//!
//! This module does not depend on the meaning of the ids. Invariant: sinusoids are computed in f32 whatever the model's precision. Follows
//! `get_aug_embed` of diffusers models/unets/unet_2d_condition.py.

use candle_core::{DType, Tensor};

use super::UNet2dConfig;
use crate::{
    Error, Result,
    models::{
        embeddings::{Sinusoids, TimestepEmbedding},
        unet::UNetFamily,
    },
    weights::ComponentWeights,
};

/// The embedding of a pooled text and its time ids.
#[derive(Debug)]
pub(in crate::models) struct TextTimeEmbedding {
    id_sinusoids: Sinusoids,
    add_embedding: TimestepEmbedding,
    /// Channels of the pooled text and of all ids together.
    inputs: usize,
}

impl TextTimeEmbedding {
    /// Loads `add_embedding`; `None` if the config has none.
    pub(in crate::models) fn load(config: &UNet2dConfig, weights: &ComponentWeights) -> Result<Option<Self>> {
        let Some(text_time) = config.text_time else { return Ok(None) };
        let inputs = text_time.projection_class_embeddings_input_dim;
        Ok(Some(Self {
            id_sinusoids: Sinusoids { channels: text_time.addition_time_embed_dim, ..config.shape().sinusoids },
            add_embedding: TimestepEmbedding::load(&weights.pp("add_embedding"), inputs, config.time_channels, None)?,
            inputs,
        }))
    }

    /// Maps pooled texts [texts, channels] and their ids [texts, ids] to [texts, time_channels].
    pub(in crate::models) fn forward(&self, text_embeds: &Tensor, added_time_ids: &Tensor, texts: usize) -> Result<Tensor> {
        let channels = self.id_sinusoids.channels;
        let ids = match (text_embeds.dims(), added_time_ids.dims()) {
            ([pooled, width], [rows, ids]) if (*pooled, *rows) == (texts, texts) && width + ids * channels == self.inputs => *ids,
            (text_embeds, added_time_ids) => {
                let expected = format!(
                    "text_embeds [{texts}, channels] and added_time_ids [{texts}, ids] with channels + {channels} * ids = {}",
                    self.inputs
                );
                return Err(Error::Shape { what: "added conditions", expected, found: [text_embeds, added_time_ids].concat() });
            }
        };
        // In f32 whatever the precision: bf16 cannot represent a width of 1016.
        let numbers: Vec<f64> = added_time_ids.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let sinusoids = self.id_sinusoids.embed_all(&numbers)?.reshape((texts, ids * channels))?;
        let sinusoids = sinusoids.to_device(text_embeds.device())?;
        self.add_embedding.forward(&Tensor::cat(&[&text_embeds.to_dtype(DType::F32)?, &sinusoids], 1)?, None)
    }
}
