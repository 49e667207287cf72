//! A CLIP text encoder with a projection of its pooled state: the second text encoder of Stable Diffusion XL.
//!
//! Works on token ids, not on text. Invariant: the pooled state is that of the position that transformers takes. Follows
//! CLIPTextModelWithProjection of transformers models/clip/modeling_clip.py.

use candle_core::{DType, Tensor};
use serde_json::Value;

use super::{
    clip_text::{ClipTextConfig, ClipTextModel, TextTokens},
    config_reader::ConfigReader,
};
use crate::{
    Result,
    ops::Linear,
    weights::{ComponentWeights, text_part},
};

const FILE: &str = "text_encoder_2/config.json";

/// The `eos_token_id` of older files, which never was the end token's id.
const OLD_EOS_TOKEN_ID: usize = 2;

/// text_encoder_2/config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipTextProjectionConfig {
    /// The encoder.
    pub text: ClipTextConfig,
    /// Channels of the projected pooled state.
    pub projection_dim: usize,
    /// The token whose first position is pooled; 2 for the position of the largest id.
    pub eos_token_id: usize,
}

impl ClipTextProjectionConfig {
    /// Parses the model's JSON; absent fields take transformers' defaults.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let (text, ignored) = ClipTextConfig::read_file(FILE, json)?;
        let reader = ConfigReader::new(FILE, text_part(json))?;
        let projection_dim = reader.size("projection_dim", 512)?;
        let eos_token_id = reader.count("eos_token_id", 49_407)?;
        Ok((Self { text, projection_dim, eos_token_id }, ignored))
    }
}

/// What the encoder makes of a text.
#[derive(Clone, Debug)]
pub struct ProjectedText {
    /// The hidden states of [`ClipTextModel::penultimate`], [batch, tokens, hidden_size].
    pub hidden_states: Tensor,
    /// The projected pooled state, [batch, projection_dim].
    pub text_embeds: Tensor,
}

/// The text encoder with its projection.
#[derive(Debug)]
pub struct ClipTextModelWithProjection {
    text_model: ClipTextModel,
    text_projection: Linear,
    eos_token_id: usize,
}

impl ClipTextModelWithProjection {
    /// Loads the weights, with or without transformers' `text_model.` prefix.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &ClipTextProjectionConfig, weights: &ComponentWeights) -> Result<Self> {
        let hidden = config.text.hidden_size;
        Ok(Self {
            text_model: ClipTextModel::load(&config.text, weights)?,
            text_projection: Linear::load(&weights.pp("text_projection"), hidden, config.projection_dim, false)?,
            eos_token_id: config.eos_token_id,
        })
    }

    /// The configuration of the encoder without its projection.
    pub fn config(&self) -> &ClipTextConfig {
        self.text_model.config()
    }

    /// As [`ClipTextModel::set_added_words`].
    ///
    /// # Errors
    /// Those of [`ClipTextModel::set_added_words`].
    pub fn set_added_words(&mut self, vectors: &Tensor) -> Result<()> {
        self.text_model.set_added_words(vectors)
    }

    /// Encodes token ids [batch, tokens] (u32); `clip_skip` as in [`ClipTextModel::penultimate`], without effect on the pooled state.
    ///
    /// # Errors
    /// As [`ClipTextModel::forward`].
    pub fn forward<'a>(&self, tokens: impl Into<TextTokens<'a>>, clip_skip: usize) -> Result<ProjectedText> {
        let tokens = tokens.into();
        let (hidden_states, last) = self.text_model.penultimate_and_last(tokens, clip_skip)?;
        let rows: Vec<Vec<u32>> = tokens.ids().to_dtype(DType::U32)?.to_vec2()?;
        let pooled =
            rows.iter().enumerate().map(|(row, ids)| Ok(last.narrow(0, row, 1)?.narrow(1, self.pooled_position(ids), 1)?.squeeze(1)?));
        let pooled = Tensor::cat(&pooled.collect::<Result<Vec<_>>>()?, 0)?;
        Ok(ProjectedText { hidden_states, text_embeds: self.text_projection.forward(&pooled)? })
    }

    /// The first position of the end token, and 0 without one. Added words, whose ids are larger, end no text.
    fn pooled_position(&self, ids: &[u32]) -> usize {
        let vocabulary = self.config().vocab_size;
        let largest = || ids.iter().map(|id| *id as usize).filter(|id| *id < vocabulary).max();
        let end = if self.eos_token_id == OLD_EOS_TOKEN_ID { largest() } else { Some(self.eos_token_id) };
        ids.iter().position(|id| Some(*id as usize) == end).unwrap_or(0)
    }
}
