//! Cuts the tokens of a prompt of any length into chunks.
//!
//! Follows `tokenize_line` of stable-diffusion-webui's modules/sd_hijack_clip.py with its default settings: a chunk that is full ends at its
//! last comma, if that is near.

use super::{AddedWords, Part, PromptChunk};
use crate::{Result, tokenizer::ClipTokenizer};

/// How many tokens a chunk may lose so that it ends at a comma.
const COMMA_BACKTRACK: usize = 20;

/// The chunks of a prompt's parts; at least one.
pub(super) fn split(parts: &[Part], tokenizer: &ClipTokenizer, words: &AddedWords) -> Result<Vec<PromptChunk>> {
    let mut cutter = Cutter { tokenizer, chunks: Vec::new(), tokens: Vec::new(), last_comma: None };
    for part in parts {
        match part {
            Part::Break => cutter.end_chunk(),
            Part::Text { text, weight } => {
                for run in words.tokenize(text, tokenizer)? {
                    if run.is_word {
                        cutter.make_room(run.ids.len());
                    }
                    for id in run.ids {
                        cutter.push(id, *weight as f32);
                    }
                }
            }
        }
    }
    if !cutter.tokens.is_empty() || cutter.chunks.is_empty() {
        cutter.end_chunk();
    }
    Ok(cutter.chunks)
}

/// The finished chunks, and the tokens of the next one with their weights.
struct Cutter<'a> {
    tokenizer: &'a ClipTokenizer,
    chunks: Vec<PromptChunk>,
    tokens: Vec<(u32, f32)>,
    last_comma: Option<usize>,
}

impl Cutter<'_> {
    /// Tokens of a chunk, without the start and end tokens.
    fn room(&self) -> usize {
        self.tokenizer.max_length().saturating_sub(2)
    }

    /// Ends the chunk if it has no room for an added word's vectors, which stay together.
    fn make_room(&mut self, vectors: usize) {
        if self.tokens.len() + vectors > self.room() {
            self.end_chunk();
        }
    }

    fn push(&mut self, id: u32, weight: f32) {
        let is_full = self.tokens.len() == self.room();
        if Some(id) == self.tokenizer.comma_id() {
            self.last_comma = Some(self.tokens.len());
        } else if is_full
            && let Some(comma) = self.last_comma
            && self.tokens.len() - comma <= COMMA_BACKTRACK
        {
            let moved = self.tokens.split_off(comma + 1);
            self.end_chunk();
            self.tokens = moved;
        }
        if self.tokens.len() == self.room() {
            self.end_chunk();
        }
        self.tokens.push((id, weight));
    }

    fn end_chunk(&mut self) {
        let (start, end, pad) = (self.tokenizer.start_id(), self.tokenizer.end_id(), self.tokenizer.pad_id());
        let length = self.tokenizer.max_length();
        let tokens = std::mem::take(&mut self.tokens);
        let (mut ids, mut weights): (Vec<_>, Vec<_>) = [(start, 1.0)].into_iter().chain(tokens).chain([(end, 1.0)]).unzip();
        ids.resize(length, pad);
        weights.resize(length, 1.0);
        self.chunks.push(PromptChunk { ids, weights });
        self.last_comma = None;
    }
}
