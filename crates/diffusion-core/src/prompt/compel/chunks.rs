//! Cuts the tokens of weighted fragments into chunks.
//!
//! Follows compel 2.5's embeddings_provider.py without truncation: a full chunk ends behind its last full stop, else behind its last mark
//! of punctuation, else behind its last word.

use super::Fragment;
use crate::{Result, prompt::AddedWords, tokenizer::ClipTokenizer};

const SENTENCE_ENDS: [&str; 1] = [".</w>"];
const PHRASE_ENDS: [&str; 4] = [".</w>", ",</w>", ";</w>", ":</w>"];
const WORD_END: &str = "</w>";

/// The chunks of a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WeightedTokens {
    /// Start token, text, end token, padding: [`ClipTokenizer::max_length`] ids, and a weight for each.
    pub(crate) chunks: Vec<(Vec<u32>, Vec<f32>)>,
    /// For each fragment with a weight below 1: that weight, and for each chunk whether each of its tokens is hidden where the fragment
    /// is left out; `None` for a chunk that stays.
    pub(crate) without: Vec<(f64, Vec<Option<Vec<bool>>>)>,
}

/// The tokens of a text's fragments.
///
/// # Errors
/// [`crate::Error::Tokenizer`] if a text cannot be encoded.
pub(crate) fn tokens(fragments: &[Fragment], tokenizer: &ClipTokenizer, words: &AddedWords) -> Result<WeightedTokens> {
    let length = tokenizer.max_length();
    let room = length.saturating_sub(2).max(1);
    // Each token with its fragment.
    let mut rest: Vec<(u32, usize)> = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let runs = words.tokenize(&fragment.text, tokenizer)?;
        rest.extend(runs.into_iter().flat_map(|run| run.ids).map(|id| (id, index)));
    }
    let weight_of = |index: usize| fragments.get(index).map_or(1.0, |fragment| fragment.weight);
    let mut chunks = Vec::new();
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; fragments.len()];
    loop {
        let next = rest.split_off(split_point(&rest, room, tokenizer));
        let (mut ids, mut weights) = (vec![tokenizer.start_id()], vec![1.0]);
        for (id, index) in rest {
            let place = chunks.len() * length + ids.len();
            if let Some(span) = spans.get_mut(index) {
                *span = Some((span.map_or(place, |(first, _)| first), place));
            }
            ids.push(id);
            weights.push(weight_of(index) as f32);
        }
        ids.push(tokenizer.end_id());
        ids.resize(length, tokenizer.pad_id());
        weights.resize(length, 1.0);
        chunks.push((ids, weights));
        if next.is_empty() {
            break;
        }
        rest = next;
    }
    let hidden = |(first, last): (usize, usize)| -> Vec<Option<Vec<bool>>> {
        let of_chunk = |chunk: usize| {
            // The chunks' own ends stay visible.
            let is_hidden = |place: usize| place != 0 && place + 1 != length && (first..=last).contains(&(chunk * length + place));
            let hidden: Vec<bool> = (0..length).map(is_hidden).collect();
            hidden.contains(&true).then_some(hidden)
        };
        (0..chunks.len()).map(of_chunk).collect()
    };
    let weighted = spans.into_iter().enumerate().filter_map(|(index, span)| Some((weight_of(index), span?)));
    let without = weighted.filter(|(weight, _)| *weight < 1.0).map(|(weight, span)| (weight, hidden(span))).collect();
    Ok(WeightedTokens { chunks, without })
}

/// How many of the tokens stand in the next chunk.
fn split_point(tokens: &[(u32, usize)], room: usize, tokenizer: &ClipTokenizer) -> usize {
    if tokens.len() <= room {
        return tokens.len();
    }
    let texts: Vec<String> = tokens.iter().take(room).map(|(id, _)| tokenizer.token(*id).unwrap_or_default()).collect();
    let last = |is_end: &dyn Fn(&str) -> bool| texts.iter().rposition(|text| is_end(text)).map(|place| place + 1);
    last(&|text| SENTENCE_ENDS.contains(&text))
        .or_else(|| last(&|text| PHRASE_ENDS.contains(&text)))
        .or_else(|| last(&|text| text.ends_with(WORD_END)))
        .unwrap_or(room)
}
