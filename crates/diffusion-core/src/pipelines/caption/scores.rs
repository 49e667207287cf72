//! A token's scores before the next one is chosen: what the caller asked for done to them.
//!
//! It must not know how the next token is chosen. Follows transformers generation/logits_process.py (RepetitionPenaltyLogitsProcessor, then
//! MinLengthLogitsProcessor), which greedy search applies to the model's scores and beam search to their logarithms of likelihood.

/// What is done to scores, and where captions end.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreRules {
    /// The token that ends a caption.
    pub(super) end: u32,
    /// The fewest tokens of a text before it may end.
    pub(super) min_length: usize,
    /// The most tokens of a text, start and prompt included.
    pub(super) max_length: usize,
    pub(super) repetition_penalty: f32,
}

impl ScoreRules {
    /// Changes the scores of the token that follows `ids`.
    pub(super) fn apply(&self, ids: &[u32], scores: &mut [f32]) {
        if self.repetition_penalty != 1.0 {
            // Once for each token, however often it is there.
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

    /// Whether a text that has just got this token, its `length`th, is finished.
    pub(super) fn ends(&self, token: u32, length: usize) -> bool {
        token == self.end || length >= self.max_length
    }
}

/// Scores as logarithms of likelihood.
pub(super) fn log_softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
    let sum = sum.ln() as f32;
    for score in scores {
        *score = *score - largest - sum;
    }
}

/// The index of the largest score, the first of equal ones.
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
        // A token that the vocabulary does not have changes nothing.
        RULES.apply(&[9, 9, 9], &mut scores);
        assert_eq!(scores[3], 0.25);
    }

    #[test]
    fn a_text_ends_with_its_token_or_at_its_length() {
        assert!(RULES.ends(2, 1) && RULES.ends(0, 5) && !RULES.ends(0, 4));
    }

    #[test]
    fn likelihoods_sum_to_one_at_any_size_of_scores() {
        let mut scores = [1000.0, 999.0, -1000.0];
        log_softmax(&mut scores);
        let sum: f32 = scores.iter().map(|score| score.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6 && (scores[0] + 0.313_261_7).abs() < 1e-6, "{scores:?}");
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }
}
