//! Beam search: several texts side by side, of which the likeliest finished one is taken.
//!
//! It must not know models: scores come in, and what to score next goes out. The invariants: texts that run are of one length and in order of
//! likelihood; finished ones are in order of their scores. Follows `_beam_search` of transformers 5 generation/utils.py with
//! `early_stopping=False` and one end token, f32 sums included; there a text that is none has a score of -1e9, here it is not there.

use super::scores::{ScoreRules, log_softmax};

/// A text that may go on.
#[derive(Clone, Debug)]
struct Running {
    ids: Vec<u32>,
    /// The sum of its tokens' logarithms of likelihood.
    score: f32,
}

/// One text with one more token.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// The index of the text.
    parent: usize,
    token: u32,
    score: f32,
}

/// What to score next: the index of the text that each running one goes on from, and the token that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) parents: Vec<u32>,
    pub(super) tokens: Vec<u32>,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct BeamSearch {
    rules: ScoreRules,
    beams: usize,
    length_penalty: f64,
    prompt_length: usize,
    /// One text at first, then as many as there are beams.
    running: Vec<Running>,
    /// With scores for their lengths, at most as many as there are beams.
    finished: Vec<(f32, Vec<u32>)>,
}

impl BeamSearch {
    /// A search that goes on from one text.
    pub(super) fn new(prompt: Vec<u32>, beams: usize, length_penalty: f64, rules: ScoreRules) -> Self {
        let prompt_length = prompt.len();
        Self { rules, beams, length_penalty, prompt_length, running: vec![Running { ids: prompt, score: 0.0 }], finished: Vec::new() }
    }

    /// Takes the model's scores of the token that follows each running text, `vocabulary` a text; `None` where the search is over.
    pub(super) fn advance(&mut self, mut scores: Vec<f32>, vocabulary: usize) -> Option<Next> {
        let candidates = self.candidates(&mut scores, vocabulary);
        let length = self.running.first().map_or(0, |text| text.ids.len()) + 1;
        let penalty = ((length - self.prompt_length) as f64).powf(self.length_penalty) as f32;
        let text_of = |candidate: &Candidate| {
            let mut ids = self.running.get(candidate.parent).map(|text| text.ids.clone()).unwrap_or_default();
            ids.push(candidate.token);
            ids
        };
        // The worse half of the candidates is there so that enough go on; it finishes nothing.
        let ending = candidates.iter().take(self.beams).filter(|candidate| self.rules.ends(candidate.token, length));
        let ending: Vec<_> = ending.map(|candidate| (candidate.score / penalty, text_of(candidate))).collect();
        let going_on: Vec<_> = candidates.iter().filter(|candidate| !self.rules.ends(candidate.token, length)).take(self.beams).collect();
        let running: Vec<_> = going_on.iter().map(|candidate| Running { ids: text_of(candidate), score: candidate.score }).collect();
        let next = Next {
            parents: going_on.iter().map(|candidate| candidate.parent as u32).collect(),
            tokens: going_on.iter().map(|candidate| candidate.token).collect(),
        };

        self.finished.extend(ending);
        self.finished.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        self.finished.truncate(self.beams);
        self.running = running;
        // The best that goes on, as if it ended here, against the worst that has ended.
        let best = self.running.first()?.score / penalty;
        let improves = self.finished.len() < self.beams || self.finished.last().is_some_and(|(worst, _)| best > *worst);
        improves.then_some(next)
    }

    /// Two candidates a beam, the likeliest first.
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
                let place = best.partition_point(|other| other.score >= candidate.score);
                best.insert(place, candidate);
                best.truncate(wanted);
            }
        }
        best
    }

    /// The best finished text; the best running one if the search is not over.
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

    /// Scores whose softmax these likelihoods are.
    fn logits(likelihoods: &[f32]) -> Vec<f32> {
        likelihoods.iter().map(|likelihood| likelihood.ln()).collect()
    }

    #[test]
    fn a_likelier_whole_is_found_behind_a_less_likely_start() {
        let mut search = search(2, 1.0, 10);
        let next = search.advance(logits(&[0.5, 0.4, 0.05, 0.05]), 4);
        assert_eq!(next, Some(Next { parents: vec![0, 0], tokens: vec![0, 1] }));
        // Behind 0 all is equally likely; behind 1 the end is nearly certain.
        let mut scores = logits(&[0.25, 0.25, 0.25, 0.25]);
        scores.extend(logits(&[0.01, 0.01, 0.01, 0.97]));
        let next = search.advance(scores, 4);
        assert_eq!(next.map(|next| next.parents), Some(vec![0, 0]));
        assert_eq!(search.into_best(), [9, 1, END]);
    }

    #[test]
    fn a_search_ends_at_the_longest_text_with_the_best_of_what_is_there() {
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
