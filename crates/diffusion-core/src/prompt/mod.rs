//! Prompt languages: how a prompt's text becomes the chunks of weighted tokens that a text encoder reads.
//!
//! This module must not depend on models. Invariant: a chunk has exactly [`ClipTokenizer::max_length`] ids, start and end tokens included,
//! and one weight for each. In the plain language there is one chunk, without weights, and the rest of a long text is cut off.

mod a1111;
mod chunks;
pub mod compel;
mod words;

use std::{fmt, str::FromStr};

pub use self::words::AddedWords;
use crate::{Result, tokenizer::ClipTokenizer};

/// A prompt language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PromptSyntax {
    /// Every character is text; what exceeds the text encoder's length is cut off.
    #[default]
    Plain,
    /// AUTOMATIC1111's: `(word)`, `((word))`, `(word:1.2)`, `[word]`, escapes with `\`, `BREAK`, and prompts of any length.
    A1111,
    /// compel's: `word++`, `word-`, `(a text)1.3`, `("one text", "another").blend(1, 0.5)`, `.and()`, and prompts of any length.
    Compel,
}

impl PromptSyntax {
    /// Every language, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::A1111, Self::Compel];

    /// Whether what exceeds the text encoder's length is cut off.
    pub fn truncates(self) -> bool {
        match self {
            Self::Plain => true,
            Self::A1111 | Self::Compel => false,
        }
    }

    /// Checks a prompt.
    ///
    /// # Errors
    /// What is wrong with it, where, and a remedy. Only compel's language has faults.
    pub fn check(self, prompt: &str) -> std::result::Result<(), String> {
        match self {
            Self::Plain | Self::A1111 => Ok(()),
            Self::Compel => compel::parse(prompt).map(drop).map_err(|error| error.to_string()),
        }
    }

    /// The name in requests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::A1111 => "a1111",
            Self::Compel => "compel",
        }
    }
}

impl fmt::Display for PromptSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PromptSyntax {
    type Err = String;

    /// # Errors
    /// A sentence with the known names.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|syntax| syntax.name() == text)
            .ok_or_else(|| format!("not a prompt syntax: {text:?}; use one of {names}"))
    }
}

/// The ids that a text encoder reads in one call, and a weight for each.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptChunk {
    /// Start token, text, end token, padding: [`ClipTokenizer::max_length`] ids.
    pub ids: Vec<u32>,
    /// One factor for each id's embedding; 1 for the start and end tokens and the padding.
    pub weights: Vec<f32>,
}

impl PromptChunk {
    /// Whether a weight differs from 1.
    pub fn is_weighted(&self) -> bool {
        self.weights.iter().any(|weight| *weight != 1.0)
    }
}

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// A text whose tokens have one weight.
    Text { text: String, weight: f64 },
    /// The end of a chunk.
    Break,
}

/// The chunks of a prompt; at least one. compel's language has more than chunks ([`compel::parse`]), so its prompts are read as plain ones.
///
/// # Errors
/// [`crate::Error::Tokenizer`] if a text cannot be encoded.
pub fn chunks(prompt: &str, syntax: PromptSyntax, tokenizer: &ClipTokenizer) -> Result<Vec<PromptChunk>> {
    chunks_with(prompt, syntax, tokenizer, &AddedWords::default())
}

/// [`chunks()`], where the prompt may have added words.
///
/// # Errors
/// As [`chunks()`].
pub fn chunks_with(prompt: &str, syntax: PromptSyntax, tokenizer: &ClipTokenizer, words: &AddedWords) -> Result<Vec<PromptChunk>> {
    match syntax {
        PromptSyntax::Plain | PromptSyntax::Compel => {
            let ids = tokenizer.framed(&plain_tokens(prompt, tokenizer, words)?).ids;
            Ok(vec![PromptChunk { weights: vec![1.0; ids.len()], ids }])
        }
        PromptSyntax::A1111 => chunks::split(&a1111::parse(prompt), tokenizer, words),
    }
}

/// The added words that a prompt has, each once.
pub fn used_words<'a>(prompt: &str, syntax: PromptSyntax, words: &'a AddedWords) -> Vec<&'a str> {
    match syntax {
        PromptSyntax::Plain | PromptSyntax::Compel => words.used_in(prompt),
        PromptSyntax::A1111 => {
            let parts = a1111::parse(prompt);
            let texts = parts.iter().filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None });
            let mut used: Vec<&str> = Vec::new();
            for word in texts.flat_map(|text| words.used_in(text)) {
                if !used.contains(&word) {
                    used.push(word);
                }
            }
            used
        }
    }
}

/// The tokens of a plain prompt, however long, without start and end tokens.
///
/// # Errors
/// As [`chunks()`].
pub fn plain_tokens(prompt: &str, tokenizer: &ClipTokenizer, words: &AddedWords) -> Result<Vec<u32>> {
    Ok(words.tokenize(prompt, tokenizer)?.into_iter().flat_map(|run| run.ids).collect())
}
