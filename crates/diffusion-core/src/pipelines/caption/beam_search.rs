//! Beam search: extends several texts in parallel and returns the likeliest finished one.
//!
//! This module must not depend on models: scores come in, and the tokens to score next go out. Invariants: running texts have the same
//! length and are sorted by likelihood; finished ones are sorted by score. Follows `_beam_search` of transformers 5 `generation/utils.py`
//! with `early_stopping=False` and one end token, f32 sums included; where transformers marks an invalid text with a score of -1e9, it is
//! absent here.

use super::scores::{ScoreRules, log_softmax};

/// An unfinished text.
#[derive(Clone, Debug)]
struct Running {
    ids: Vec<u32>,
    /// The sum of its tokens' log-likelihoods.
    score: f32,
}

/// A running text extended by one token.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// The index of the running text.
    parent: usize,
    token: u32,
    score: f32,
}

/// The tokens to score next: for each running text, the index of the previous text that it extends, and its new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) parents: Vec<u32>,
    pub(super) tokens: Vec<u32>,
}

/// A search in progress.
#[derive(Debug)]
pub(super) struct BeamSearch {
    rules: ScoreRules,
    beams: usize,
    length_penalty: f64,
    prompt_length: usize,
    /// One text at first, then one per beam.
    running: Vec<Running>,
    /// Texts with their length-penalised scores, at most one per beam.
    finished: Vec<(f32, Vec<u32>)>,
}

impl BeamSearch {
    /// A search that starts from one text.
    pub(super) fn new(prompt: Vec<u32>, beams: usize, length_penalty: f64, rules: ScoreRules) -> Self {
        let prompt_length = prompt.len();
        Self { rules, beams, length_penalty, prompt_length, running: vec![Running { ids: prompt, score: 0.0 }], finished: Vec::new() }
    }

    /// Takes the model's scores for the next token of each running text, `vocabulary` per text. Returns `None` when the search is over.
    pub(super) fn advance(&mut self, mut scores: Vec<f32>, vocabulary: usize) -> Option<Next> {
        let candidates = self.candidates(&mut scores, vocabulary);
        let length = self.running.first().map_or(0, |text| text.ids.len()) + 1;
        let penalty = ((length - self.prompt_length) as f64).powf(self.length_penalty) as f32;
        let text_of = |candidate: &Candidate| {
            let mut ids = self.running.get(candidate.parent).map(|text| text.ids.clone()).unwrap_or_default();
            ids.push(candidate.token);
            ids
        };
        // The worse half of the candidates only ensures that enough texts continue; it cannot finish one.
        let ending = candidates.iter().take(self.beams).filter(|candidate| self.rules.ends(candidate.token, length));
        let ending: Vec<_> = ending.map(|candidate| (candidate.score / penalty, text_of(candidate))).collect();
        let continuing: Vec<_> = candidates.iter().filter(|candidate| !self.rules.ends(candidate.token, length)).take(self.beams).collect();
        let running: Vec<_> = continuing.iter().map(|candidate| Running { ids: text_of(candidate), score: candidate.score }).collect();
        let next = Next {
            parents: continuing.iter().map(|candidate| candidate.parent as u32).collect(),
            tokens: continuing.iter().map(|candidate| candidate.token).collect(),
        };

        self.finished.extend(ending);
        self.finished.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        self.finished.truncate(self.beams);
        self.running = running;
        // The best running text, scored as if it ended here, against the worst finished one.
        let best = self.running.first()?.score / penalty;
        let improves = self.finished.len() < self.beams || self.finished.last().is_some_and(|(worst, _)| best > *worst);
        improves.then_some(next)
    }

    /// Two candidates per beam, the likeliest first.
    fn candidates(&self, scores: &mut [f32], vocabulary: usize) -> Vec<Candidate> {
        let wanted = 2 * self.beams;
        let mut best: Vec<Candidate> = Vec::with_capacity(wanted + 1);
        for (parent, (text, scores)) in self.running.iter().zip(scores.chunks_exact_mut(vocabulary.max(1))).enumerate() {
            log_softmax(scores);
            self.rules.apply(&text.ids, scores);
            for (token, score) in (0..).zip(scores.iter()) {
                let candidate = Candidate { parent, token, score: score + text.score };
                if best.len() == wanted && best.last().is_some_and(|worst| candidate.score <= worst.score) {
                    continue;
                }
                let index = best.partition_point(|other| other.score >= candidate.score);
                best.insert(index, candidate);
                best.truncate(wanted);
            }
        }
        best
    }

    /// The best finished text, or the best running one if none is finished.
    pub(super) fn into_best(self) -> Vec<u32> {
        let finished = self.finished.into_iter().next().map(|(_, ids)| ids);
        finished.or_else(|| self.running.into_iter().next().map(|text| text.ids)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u32 = 3;

    fn search(beams: usize, length_penalty: f64, max_length: usize) -> BeamSearch {
        let rules = ScoreRules { end: END, min_length: 0, max_length, repetition_penalty: 1.0 };
        BeamSearch::new(vec![9], beams, length_penalty, rules)
    }

    /// Scores whose softmax is `likelihoods`.
    fn logits(likelihoods: &[f32]) -> Vec<f32> {
        likelihoods.iter().map(|likelihood| likelihood.ln()).collect()
    }

    #[test]
    fn a_likelier_text_is_found_after_a_less_likely_start() {
        let mut search = search(2, 1.0, 10);
        let next = search.advance(logits(&[0.5, 0.4, 0.05, 0.05]), 4);
        assert_eq!(next, Some(Next { parents: vec![0, 0], tokens: vec![0, 1] }));
        // After 0 all tokens are equally likely; after 1 the end is nearly certain.
        let mut scores = logits(&[0.25, 0.25, 0.25, 0.25]);
        scores.extend(logits(&[0.01, 0.01, 0.01, 0.97]));
        let next = search.advance(scores, 4);
        assert_eq!(next.map(|next| next.parents), Some(vec![0, 0]));
        assert_eq!(search.into_best(), [9, 1, END]);
    }

    #[test]
    fn a_search_stops_at_the_maximum_length_with_the_best_text_so_far() {
        let mut search = search(2, 1.0, 3);
        assert!(search.advance(logits(&[0.5, 0.4, 0.05, 0.05]), 4).is_some());
        let scores = [logits(&[0.7, 0.1, 0.1, 0.1]), logits(&[0.3, 0.3, 0.3, 0.1])].concat();
        assert_eq!(search.advance(scores, 4), None);
        assert_eq!(search.into_best(), [9, 0, 0]);
    }

    #[test]
    fn the_length_penalty_decides_between_a_short_text_and_a_long_one() {
        let best = |length_penalty| {
            let mut search = search(2, length_penalty, 10);
            assert!(search.advance(logits(&[0.45, 0.04, 0.01, 0.5]), 4).is_some());
            let scores = [logits(&[0.05, 0.03, 0.02, 0.9]), logits(&[0.25; 4])].concat();
            assert_eq!(search.advance(scores, 4), None);
            search.into_best()
        };
        assert_eq!(best(0.0), [9, END]);
        assert_eq!(best(2.0), [9, 0, END]);
    }
}
