//! Texts prepared for a UNet or a ControlNet: what depends on them alone, computed once for all steps of a run.
//!
//! This module must not depend on which model it is.

use candle_core::{DType, Device, Tensor};

use crate::{
    Error, Result,
    models::transformer::{KeysValues, Transformer2d},
};

/// Texts prepared for one model: their keys and values in each of its cross-attentions, which are the same at every step.
///
/// Made by the model's `text_context`, and valid only for that model.
#[derive(Clone, Debug)]
pub struct TextContext {
    pub(in crate::models) batch: usize,
    /// In the order of the model's cross-attentions.
    pub(in crate::models) keys_values: Vec<KeysValues>,
    /// What a "text_time" embedding adds to the timestep's, [texts, time_channels].
    pub(in crate::models) added: Option<Tensor>,
}

impl TextContext {
    /// Number of texts.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Prepares texts for the transformers of a model, in execution order.
    ///
    /// # Errors
    /// [`Error::Shape`] if the states have no texts or no tokens.
    pub(in crate::models) fn new<'a>(
        encoder_hidden_states: &Tensor,
        (dtype, device): (DType, &Device),
        transformers: impl Iterator<Item = &'a Transformer2d>,
    ) -> Result<Self> {
        let batch = match encoder_hidden_states.dims() {
            [batch, tokens, _] if batch * tokens > 0 => *batch,
            found => {
                let expected = "[texts, tokens, cross_attention_dim]".into();
                return Err(Error::Shape { what: "encoder_hidden_states", expected, found: found.to_vec() });
            }
        };
        let text = encoder_hidden_states.to_dtype(dtype)?.to_device(device)?.contiguous()?;
        let attentions = transformers.flat_map(Transformer2d::text_attentions);
        let keys_values = attentions.map(|attention| attention.keys_values(&text)).collect::<Result<_>>()?;
        Ok(Self { batch, keys_values, added: None })
    }

    /// Checks a sample [batch, channels, height, width] whose batch divides the number of texts; returns the batch.
    ///
    /// # Errors
    /// [`Error::Shape`] if it has another shape; `what` names it.
    pub(in crate::models) fn check_sample(&self, sample: &Tensor, in_channels: usize, what: &'static str) -> Result<usize> {
        let (batch, channels) = match sample.dims() {
            [batch, channels, height, width] if batch * height * width > 0 => (*batch, *channels),
            _ => (0, 0),
        };
        if channels == in_channels && self.batch.is_multiple_of(batch) {
            return Ok(batch);
        }
        let expected = format!("[a divisor of {} texts, {in_channels}, height, width]", self.batch);
        Err(Error::Shape { what, expected, found: sample.dims().to_vec() })
    }
}
