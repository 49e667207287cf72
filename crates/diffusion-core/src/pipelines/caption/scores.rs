//! Processes token scores before the next token is chosen: repetition penalty and minimum length.
//!
//! This module must not depend on how the next token is chosen. Follows transformers `generation/logits_process.py`
//! (RepetitionPenaltyLogitsProcessor, then MinLengthLogitsProcessor), which greedy search applies to the model's scores and beam search to
//! their log-likelihoods.

/// The rules for scores and for the end of a caption.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreRules {
    /// The token that ends a caption.
    pub(super) end: u32,
    /// The minimum number of tokens before a text may end.
    pub(super) min_length: usize,
    /// The maximum number of tokens of a text, including start and prompt.
    pub(super) max_length: usize,
    pub(super) repetition_penalty: f32,
}

impl ScoreRules {
    /// Applies the rules to the scores of the token that follows `ids`.
    pub(super) fn apply(&self, ids: &[u32], scores: &mut [f32]) {
        if self.repetition_penalty != 1.0 {
            // Once for each token, however often it occurs.
            let mut seen = ids.to_vec();
            seen.sort_unstable();
            seen.dedup();
            for id in seen {
                if let Some(score) = scores.get_mut(id as usize) {
                    *score = if *score < 0.0 { *score * self.repetition_penalty } else { *score / self.repetition_penalty };
                }
            }
        }
        if ids.len() < self.min_length
            && let Some(score) = scores.get_mut(self.end as usize)
        {
            *score = f32::NEG_INFINITY;
        }
    }

    /// Whether a text is finished after this token, its `length`th.
    pub(super) fn ends(&self, token: u32, length: usize) -> bool {
        token == self.end || length >= self.max_length
    }
}

/// Converts scores to log-likelihoods.
pub(super) fn log_softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
    let sum = sum.ln() as f32;
    for score in scores {
        *score = *score - largest - sum;
    }
}

/// The index of the largest score; the first if several are equal.
pub(super) fn argmax(scores: &[f32]) -> u32 {
    let larger = |best: (u32, f32), (index, score): (u32, f32)| if score > best.1 { (index, score) } else { best };
    (0..).zip(scores.iter().copied()).fold((0, f32::NEG_INFINITY), larger).0
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ScoreRules = ScoreRules { end: 2, min_length: 3, max_length: 5, repetition_penalty: 2.0 };

    #[test]
    fn a_token_is_penalised_once_and_the_end_is_forbidden_while_the_text_is_short() {
        let mut scores = [1.0, -1.0, 4.0, 0.5];
        RULES.apply(&[0, 1, 0], &mut scores);
        assert_eq!(scores, [0.5, -2.0, 4.0, 0.5]);
        RULES.apply(&[3, 3], &mut scores);
        assert_eq!(scores, [0.5, -2.0, f32::NEG_INFINITY, 0.25]);
        // A token outside the vocabulary has no effect.
        RULES.apply(&[9, 9, 9], &mut scores);
        assert_eq!(scores[3], 0.25);
    }

    #[test]
    fn a_text_ends_with_its_token_or_at_its_length() {
        assert!(RULES.ends(2, 1) && RULES.ends(0, 5) && !RULES.ends(0, 4));
    }

    #[test]
    fn likelihoods_sum_to_one_at_any_magnitude_of_scores() {
        let mut scores = [1000.0, 999.0, -1000.0];
        log_softmax(&mut scores);
        let sum: f32 = scores.iter().map(|score| score.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6 && (scores[0] + 0.313_261_7).abs() < 1e-6, "{scores:?}");
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }
}
