//! The parameters of a caption, and their limits.
//!
//! This module must not depend on models. Invariant: values that passed [`CaptionParams::check`] cannot make a search index out of bounds,
//! divide by zero or run for ever.

use crate::{Error, Result};

/// The maximum number of beams: each costs memory and a row of every product; transformers sets no limit, and captions gain nothing beyond
/// ten.
pub const MAX_NUM_BEAMS: usize = 32;

/// The maximum number of tokens of a caption: the positions of the published models.
pub const MAX_NEW_TOKENS: usize = 512;

/// The parameters of one caption. The defaults are those of transformers' `generate` for this model: greedy, 20 tokens. (transformers does
/// not read generation_config.json either: the decoder inside the model has its own generation config.)
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionParams {
    /// The beginning of the caption ("a photography of"); the caption includes it.
    pub prompt: Option<String>,
    /// 1 for greedy search; more for a beam search with that many beams.
    pub num_beams: usize,
    /// The maximum number of tokens after the prompt, including `[SEP]`; 20 by default. A caption also ends at the model's last position.
    pub max_new_tokens: usize,
    /// The minimum number of tokens, including start and prompt, before a caption may end; 0 for no minimum.
    pub min_length: usize,
    /// In a beam search, a caption's log-likelihood is divided by the number of its new tokens to this power: values above 0 favour longer
    /// captions. 1 by default.
    pub length_penalty: f64,
    /// The factor, in f32, that penalises the scores of tokens already in the text; 1 for no penalty.
    pub repetition_penalty: f64,
}

impl Default for CaptionParams {
    fn default() -> Self {
        Self { prompt: None, num_beams: 1, max_new_tokens: 20, min_length: 0, length_penalty: 1.0, repetition_penalty: 1.0 }
    }
}

impl CaptionParams {
    /// Checks the limits; `vocab_size` is the model's.
    pub(super) fn check(&self, vocab_size: usize) -> Result<()> {
        let refuse = |field, reason| Err(Error::Params { field, reason });
        // A step of the search keeps two tokens per beam, and one token of the vocabulary may be forbidden.
        let most = MAX_NUM_BEAMS.min(vocab_size.saturating_sub(1) / 2);
        if !(1..=most).contains(&self.num_beams) {
            return refuse("num_beams", format!("{} is not within 1 and {most}", self.num_beams));
        }
        if !(1..=MAX_NEW_TOKENS).contains(&self.max_new_tokens) {
            return refuse("max_new_tokens", format!("{} is not within 1 and {MAX_NEW_TOKENS}", self.max_new_tokens));
        }
        if !self.length_penalty.is_finite() {
            return refuse("length_penalty", format!("{} is not finite", self.length_penalty));
        }
        // Scores and their divisor are f32, in which 1e-50 is 0 and 1e50 is infinite.
        let penalty = self.repetition_penalty as f32;
        if !(penalty > 0.0 && penalty.is_finite()) {
            return refuse("repetition_penalty", format!("{} is not a positive number of single precision", self.repetition_penalty));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_the_field() {
        let default = CaptionParams::default;
        assert!(default().check(30_524).is_ok());
        for (params, field) in [
            (CaptionParams { num_beams: 0, ..default() }, "num_beams"),
            (CaptionParams { num_beams: 33, ..default() }, "num_beams"),
            (CaptionParams { max_new_tokens: 0, ..default() }, "max_new_tokens"),
            (CaptionParams { max_new_tokens: 513, ..default() }, "max_new_tokens"),
            (CaptionParams { length_penalty: f64::NAN, ..default() }, "length_penalty"),
            (CaptionParams { repetition_penalty: 0.0, ..default() }, "repetition_penalty"),
            (CaptionParams { repetition_penalty: f64::INFINITY, ..default() }, "repetition_penalty"),
            (CaptionParams { repetition_penalty: 1e-50, ..default() }, "repetition_penalty"),
            (CaptionParams { repetition_penalty: 1e50, ..default() }, "repetition_penalty"),
        ] {
            assert!(matches!(params.check(30_524), Err(Error::Params { field: found, .. }) if found == field), "{field}");
        }
        assert!(CaptionParams { num_beams: 5, ..default() }.check(10).is_err());
    }
}
