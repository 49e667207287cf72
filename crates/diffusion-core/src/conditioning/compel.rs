//! Embeddings of prompts in compel's language.
//!
//! It must not know which text encoder runs. Invariant: everything is weighed in f32. Follows compel 2.5's compel.py and
//! embeddings_provider.py as `CompelForSD` and `CompelForSDXL` call them: long prompts are not truncated; a weight moves a token's states
//! along the line from the empty text's; a weight below 1 also blends in the states of the text whose words are hidden.

use std::{cell::OnceCell, f64::consts::FRAC_PI_2};

use candle_core::{DType, Device, Tensor};

use crate::{
    Error, Result,
    models::TextTokens,
    prompt::{
        AddedWords,
        compel::{self, Fragment, WeightedTokens},
    },
    tokenizer::ClipTokenizer,
};

/// The smallest weight that is told from 0.
const LEAST_WEIGHT: f64 = 1e-5;

/// A text encoder for prompts in compel's language.
pub(super) struct CompelEncoder<'a, F> {
    tokenizer: &'a ClipTokenizer,
    words: &'a AddedWords,
    device: &'a Device,
    /// Maps the tokens of a chunk to their states, [1, tokens, hidden].
    encode: F,
    empty: OnceCell<Tensor>,
}

impl<'a, F: Fn(TextTokens<'_>) -> Result<Tensor>> CompelEncoder<'a, F> {
    pub(super) fn new(tokenizer: &'a ClipTokenizer, words: &'a AddedWords, device: &'a Device, encode: F) -> Self {
        Self { tokenizer, words, device, encode, empty: OnceCell::new() }
    }

    /// The states of a prompt, [1, chunks * tokens, hidden] in f32.
    ///
    /// # Errors
    /// [`Error::Params`] for a fault in the prompt; [`Error::Tokenizer`] if a text cannot be encoded.
    pub(super) fn states(&self, prompt: &str) -> Result<Tensor> {
        let parts = compel::parse(prompt).map_err(|error| Error::Params { field: "prompt", reason: error.to_string() })?;
        let mut found = Vec::new();
        for part in parts {
            let texts = part.texts.iter().map(|(fragments, _)| self.text(fragments)).collect::<Result<Vec<_>>>()?;
            let shares = part.texts.iter().map(|(_, share)| *share);
            let mut states = self.sum(texts.into_iter().zip(shares))?;
            if part.weight != 1.0 {
                let empty = self.lengthened(self.empty()?, states.dim(1)?)?;
                states = (&empty + ((states - &empty)? * part.weight)?)?;
            }
            found.push(states);
        }
        Ok(Tensor::cat(&found, 1)?)
    }

    /// Continues states with those of empty texts.
    ///
    /// # Errors
    /// Only if the device fails.
    pub(super) fn lengthened(&self, states: Tensor, tokens: usize) -> Result<Tensor> {
        let mut parts = vec![states];
        let mut length = parts.iter().map(|part| part.dim(1)).sum::<candle_core::Result<usize>>()?;
        while length < tokens {
            parts.push(self.empty()?);
            length += self.tokenizer.max_length();
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    /// The weighted sum of states, the shorter of which are lengthened; one with the share 1 as it is.
    fn sum(&self, states: impl Iterator<Item = (Tensor, f64)>) -> Result<Tensor> {
        let states: Vec<_> = states.collect();
        if let [(single, 1.0)] = states.as_slice() {
            return Ok(single.clone());
        }
        let longest = states.iter().filter_map(|(states, _)| states.dim(1).ok()).max().unwrap_or_default();
        let scaled = states.into_iter().map(|(states, share)| Ok((self.lengthened(states, longest)? * share)?));
        let sum = scaled.reduce(|sum, states: Result<Tensor>| Ok((sum? + states?)?));
        sum.ok_or(candle_core::Error::UnwrapNone)?
    }

    /// The states of a text with weights.
    fn text(&self, fragments: &[Fragment]) -> Result<Tensor> {
        let WeightedTokens { chunks, without } = compel::tokens(fragments, self.tokenizer, self.words)?;
        let whole = chunks.iter().map(|(ids, weights)| self.chunk(ids, weights, None)).collect::<Result<Vec<_>>>()?;
        let mut blended = vec![(Tensor::cat(&whole, 1)?, 1.0)];
        for (weight, hidden) in without {
            let mut states = Vec::new();
            for (((ids, weights), hidden), whole) in chunks.iter().zip(hidden).zip(&whole) {
                states.push(hidden.map_or_else(|| Ok(whole.clone()), |hidden| self.chunk(ids, weights, Some(&hidden)))?);
            }
            // From 0 at a weight of 1 over 1 at a half to infinity at 0.
            let share = ((1.0 - weight.max(LEAST_WEIGHT)) * FRAC_PI_2).tan();
            blended.push((Tensor::cat(&states, 1)?, share));
        }
        let total: f64 = blended.iter().map(|(_, share)| share).sum();
        self.sum(blended.into_iter().map(|(states, share)| (states, share / total)))
    }

    /// A chunk's states, with each token's moved away from the empty text's, or towards it.
    fn chunk(&self, ids: &[u32], weights: &[f32], hidden: Option<&[bool]>) -> Result<Tensor> {
        let states = self.encode(ids, hidden)?;
        if weights.iter().all(|weight| *weight == 1.0) {
            return Ok(states);
        }
        let empty = self.empty()?;
        let column = |values: Vec<f32>| Tensor::from_vec(values, (1, weights.len(), 1), self.device);
        let factors = column(weights.to_vec())?;
        Ok((&empty + (states - &empty)?.broadcast_mul(&factors)?)?)
    }

    /// The states of the empty text.
    fn empty(&self) -> Result<Tensor> {
        if let Some(empty) = self.empty.get() {
            return Ok(empty.clone());
        }
        let empty = self.encode(&self.tokenizer.framed(&[]).ids, None)?;
        Ok(self.empty.get_or_init(|| empty).clone())
    }

    fn encode(&self, ids: &[u32], hidden: Option<&[bool]>) -> Result<Tensor> {
        let ids = Tensor::new(ids, self.device)?.unsqueeze(0)?;
        let bias = |hidden: &[bool]| -> Result<Tensor> {
            let bias: Vec<f32> = hidden.iter().map(|hidden| if *hidden { f32::NEG_INFINITY } else { 0.0 }).collect();
            Ok(Tensor::from_vec(bias, (1, hidden.len()), self.device)?)
        };
        let bias = hidden.map(bias).transpose()?;
        let tokens = bias.as_ref().map_or_else(|| TextTokens::from(&ids), |bias| TextTokens::biased(&ids, bias));
        Ok((self.encode)(tokens)?.to_dtype(DType::F32)?)
    }
}
