//! A run's texts as models read them: one call for both halves of the guidance, or two where their lengths differ.
//!
//! This module must not depend on which model reads them. Invariant: in a call for both, the unconditional text comes first.

use candle_core::{Device, Tensor};

use super::AddedTimeIds;
use crate::{Result, conditioning::PromptEmbeds};

/// The texts of one call.
#[derive(Clone, Debug)]
pub(super) struct CallTexts {
    /// [texts, tokens, hidden].
    pub states: Tensor,
    /// The pooled states, [texts, channels], and the time ids, [texts, ids], of a model with a "text_time" embedding.
    pub added: Option<(Tensor, Tensor)>,
}

impl CallTexts {
    pub(super) fn new(states: &Tensor) -> Self {
        Self { states: states.clone(), added: None }
    }

    fn with_added(states: &Tensor, pooled: &Tensor, ids: &[f32]) -> Result<Self> {
        Ok(Self { states: states.clone(), added: Some((pooled.clone(), Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?)) })
    }

    fn then(&self, other: &Self) -> Result<Self> {
        let added = self.added.as_ref().zip(other.added.as_ref()).map(|((pooled, ids), (other_pooled, other_ids))| -> Result<_> {
            Ok((Tensor::cat(&[pooled, other_pooled], 0)?, Tensor::cat(&[ids, other_ids], 0)?))
        });
        Ok(Self { states: Tensor::cat(&[&self.states, &other.states], 0)?, added: added.transpose()? })
    }
}

/// A run's prompt, and the negative one if there is guidance.
#[derive(Clone, Debug)]
pub(super) struct RunTexts {
    pub positive: CallTexts,
    pub negative: Option<CallTexts>,
}

impl RunTexts {
    pub(super) fn of(embeds: &PromptEmbeds, added_time_ids: &AddedTimeIds) -> Result<Self> {
        let PromptEmbeds { prompt_embeds, negative_prompt_embeds: negative, pooled } = embeds;
        let Some(pooled) = pooled else {
            return Ok(Self { positive: CallTexts::new(prompt_embeds), negative: negative.as_ref().map(CallTexts::new) });
        };
        let negative = negative.as_ref().zip(pooled.negative_pooled_prompt_embeds.as_ref());
        let negative = negative.map(|(states, pooled)| CallTexts::with_added(states, pooled, &added_time_ids.negative));
        let positive = CallTexts::with_added(prompt_embeds, &pooled.pooled_prompt_embeds, &added_time_ids.positive)?;
        Ok(Self { positive, negative: negative.transpose()? })
    }

    /// The texts of the one call, or of the prompt's and then of the negative prompt's, whose length differs.
    pub(super) fn of_calls(&self) -> Result<(CallTexts, Option<CallTexts>)> {
        Ok(match &self.negative {
            None => (self.positive.clone(), None),
            Some(negative) if negative.states.dim(1)? == self.positive.states.dim(1)? => (negative.then(&self.positive)?, None),
            Some(negative) => (self.positive.clone(), Some(negative.clone())),
        })
    }
}
