//! The tokens of a tokenizer and the merges that build them, from tokenizer.json or from vocab.json and merges.txt.
//!
//! This module does not depend on special tokens or lengths. Invariant, which the `tokenizers` library relies on: both parts of each merge
//! and their concatenation are in the vocabulary.

use std::{collections::HashMap, fmt::Write as _};

use serde_json::Value;
use tokenizers::AddedToken;

use super::{END_OF_WORD, config::tokenizer_json_tokens, openai};
use crate::{Error, Result};

/// Tokens, merges in order of rank, and the added tokens that tokenizer.json lists.
pub(super) type Parts = (HashMap<String, u32>, Vec<(String, String)>, Vec<(u32, AddedToken)>);

/// The tokens of a tokenizer and the merges that build them.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    ids: HashMap<String, u32>,
    merges: Vec<(String, String)>,
    /// The `added_tokens` of tokenizer.json; empty for the other sources.
    added: Vec<(u32, AddedToken)>,
}

impl Vocabulary {
    /// Parses tokenizer.json: its vocabulary, merges (pairs, or strings of two parts) and added tokens.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if it is malformed or not a CLIP tokenizer.
    pub fn from_tokenizer_json(json: &[u8]) -> Result<Self> {
        let fail = |reason: &str| Error::Tokenizer(format!("tokenizer/tokenizer.json: {reason}"));
        let root: Value = serde_json::from_slice(json).map_err(|error| fail(&error.to_string()))?;
        let model = root.get("model").and_then(Value::as_object).ok_or_else(|| fail("no model"))?;
        // Old files do not name the type, and only BPE has merges.
        if model.get("type").is_some_and(|found| found != "BPE") {
            return Err(fail("the model is not BPE, as CLIP's is"));
        }
        if model.get("end_of_word_suffix").is_none_or(|found| found != END_OF_WORD) {
            return Err(fail("end_of_word_suffix is not \"</w>\", as CLIP's is"));
        }
        let ids = vocabulary(model.get("vocab")).map_err(|reason| fail(&reason))?;
        let list = model.get("merges").and_then(Value::as_array).ok_or_else(|| fail("no merges"))?;
        let merges = list
            .iter()
            .map(|merge| match merge.as_array().map(Vec::as_slice) {
                Some([first, second]) => Some((first.as_str()?.to_owned(), second.as_str()?.to_owned())),
                Some(_) => None,
                None => two_parts(merge.as_str()?),
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| fail("a merge is no pair"))?;
        let added = tokenizer_json_tokens(root.get("added_tokens"))?;
        Self { ids, merges, added }.checked("tokenizer/tokenizer.json")
    }

    /// Parses vocab.json ({"token": id, ..}) and merges.txt (one merge on each line, after a `#version` line).
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if a file is malformed or the two do not match.
    pub fn from_vocab_and_merges(vocab_json: &[u8], merges_txt: &[u8]) -> Result<Self> {
        let fail = |file: &str, reason: &str| Error::Tokenizer(format!("tokenizer/{file}: {reason}"));
        let json: Value = serde_json::from_slice(vocab_json).map_err(|error| fail("vocab.json", &error.to_string()))?;
        let ids = vocabulary(Some(&json)).map_err(|reason| fail("vocab.json", &reason))?;
        let text = std::str::from_utf8(merges_txt).map_err(|_| fail("merges.txt", "is no UTF-8"))?;
        let merges = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("#version"))
            .map(|(i, line)| two_parts(line).ok_or_else(|| fail("merges.txt", &format!("line {} is no pair", i + 1))))
            .collect::<Result<Vec<_>>>()?;
        Self { ids, merges, added: Vec::new() }.checked("tokenizer/merges.txt")
    }

    /// OpenAI's vocabulary of 49,408 tokens, which every Stable Diffusion 1.x and 2.x model uses; compiled into the program.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the built-in data is damaged.
    pub fn openai() -> Result<Self> {
        let (ids, merges) = openai::vocabulary_and_merges()?;
        Self { ids, merges, added: Vec::new() }.checked("the built-in vocabulary")
    }

    /// The vocabulary in the form of vocab.json, ordered by id.
    pub fn vocab_json(&self) -> String {
        let mut tokens: Vec<_> = self.ids.iter().collect();
        tokens.sort_by_key(|(_, id)| **id);
        let mut json = String::from("{");
        for (token, id) in tokens {
            let comma = if json.len() > 1 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(json, "{comma}{}:{id}", Value::from(token.as_str()));
        }
        json.push('}');
        json
    }

    /// The merges in the form of merges.txt.
    pub fn merges_txt(&self) -> String {
        let mut text = String::from("#version: 0.2\n");
        for (first, second) in &self.merges {
            let _ = writeln!(text, "{first} {second}");
        }
        text
    }

    pub(super) fn into_parts(self) -> Parts {
        (self.ids, self.merges, self.added)
    }

    fn checked(self, file: &str) -> Result<Self> {
        let mut merged = String::new();
        for (first, second) in &self.merges {
            merged.clear();
            merged.push_str(first);
            merged.push_str(second);
            for token in [first, second, &merged] {
                if !self.ids.contains_key(token) {
                    return Err(Error::Tokenizer(format!("{file}: merge \"{first} {second}\": {token:?} is not in the vocabulary")));
                }
            }
        }
        Ok(self)
    }
}

fn vocabulary(json: Option<&Value>) -> Result<HashMap<String, u32>, String> {
    let tokens = json.and_then(Value::as_object).filter(|tokens| !tokens.is_empty()).ok_or("no vocabulary")?;
    let size = tokens.len();
    let mut seen = vec![false; size];
    tokens
        .iter()
        .map(|(token, id)| {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| format!("token {token:?} has no id"))?;
            // Ids are rows of the embedding: 0..size, each once.
            match seen.get_mut(id as usize) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => return Err(format!("token {token:?}: id {id} occurs twice")),
                None => return Err(format!("token {token:?}: id {id}, but there are only {size} tokens")),
            }
            Ok((token.clone(), id))
        })
        .collect()
}

fn two_parts(line: &str) -> Option<(String, String)> {
    let (first, second) = line.trim_end_matches('\r').split_once(' ')?;
    (!first.is_empty() && !second.is_empty() && !second.contains(' ')).then(|| (first.to_owned(), second.to_owned()))
}
