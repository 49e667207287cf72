//! What a caller says of one caption, and its limits.
//!
//! It must not know models. The invariant: values that passed [`CaptionParams::check`] cannot make a search index, divide by zero or run for
//! ever.

use crate::{Error, Result};

/// The most beams of a search: each costs memory and a row of every product; transformers sets no limit, and captions gain nothing beyond ten.
pub const MAX_NUM_BEAMS: usize = 32;

/// The most tokens of a caption: the positions of the published models.
pub const MAX_NEW_TOKENS: usize = 512;

/// One call for a caption. The defaults are those of transformers' `generate` for this model: greedy, 20 tokens. (It does not read
/// generation_config.json either: the decoder within the model has a generation config of its own.)
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionParams {
    /// How the caption begins ("a photography of"); it stands in the caption too.
    pub prompt: Option<String>,
    /// 1 for the likeliest next token each time; more for that many captions side by side, of which the likeliest is taken.
    pub num_beams: usize,
    /// The most tokens behind the prompt, `[SEP]` included; 20 unless asked for. A caption ends at the model's last position in any case.
    pub max_new_tokens: usize,
    /// The fewest tokens, start and prompt included, before a caption may end; 0 for no such limit.
    pub min_length: usize,
    /// With several beams a caption's logarithm of likelihood is divided by the number of its new tokens to this power: above 0 longer
    /// captions are favoured. 1 unless asked for.
    pub length_penalty: f64,
    /// What scores of tokens that are there already are made worse by, in f32; 1 for nothing.
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
        // A step of the search keeps two tokens a beam, and one of the vocabulary may be forbidden.
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
        // Scores are f32, and so is what they are divided by: there 1e-50 is 0 and 1e50 infinite.
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
