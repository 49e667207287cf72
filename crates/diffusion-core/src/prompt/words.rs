//! Words that embedding files add to a prompt's language, each with an id for every vector.
//!
//! This module must not depend on vectors. Invariant: a word is found whatever its case, at word borders only, and the longest of several
//! is taken. Reference: `EmbeddingDatabase` of stable-diffusion-webui's modules/textual_inversion/textual_inversion.py.

use std::{cmp::Reverse, ops::Range};

use crate::{Result, tokenizer::ClipTokenizer};

/// Added words; their ids follow the vocabulary's.
#[derive(Clone, Debug, Default)]
pub struct AddedWords {
    /// The longest first.
    words: Vec<(String, Range<u32>)>,
}

/// Tokens that stay together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) ids: Vec<u32>,
    /// Whether they are the vectors of one added word.
    pub(super) is_word: bool,
}

impl AddedWords {
    /// Adds a word with the ids of its vectors.
    pub(crate) fn add(&mut self, name: &str, ids: Range<u32>) {
        self.words.push((name.to_owned(), ids));
        self.words.sort_by_key(|(name, _)| Reverse(name.len()));
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if the vocabulary cannot express the text between the words.
    pub(super) fn tokenize(&self, text: &str, tokenizer: &ClipTokenizer) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        let mut rest = text;
        loop {
            let found = self.find(rest);
            let (before, after) = found.as_ref().map_or((rest, ""), |(before, _, after)| (before, after));
            runs.push(Run { ids: tokenizer.tokenize(before)?, is_word: false });
            let Some((_, ids, _)) = found else { return Ok(runs) };
            runs.push(Run { ids: ids.collect(), is_word: true });
            rest = after;
        }
    }

    /// The words that a text has, each once.
    pub(super) fn used_in<'a>(&'a self, text: &str) -> Vec<&'a str> {
        let (mut used, mut rest) = (Vec::new(), text);
        while let Some((_, ids, after)) = self.find(rest) {
            let word = self.words.iter().find(|(_, own)| *own == ids).map(|(name, _)| name.as_str());
            used.extend(word.filter(|word| !used.contains(word)));
            rest = after;
        }
        used
    }

    /// The first word in a text, as its ids between the texts before and after it.
    fn find<'a>(&self, text: &'a str) -> Option<(&'a str, Range<u32>, &'a str)> {
        if self.words.is_empty() {
            return None;
        }
        text.char_indices().find_map(|(at, _)| {
            let (before, rest) = text.split_at_checked(at)?;
            let (ids, after) = self.words.iter().find_map(|(name, ids)| {
                let after = strip_name(rest, name)?;
                let is_word = is_border(before.chars().next_back(), name.chars().next());
                (is_word && is_border(name.chars().next_back(), after.chars().next())).then(|| (ids.clone(), after))
            })?;
            Some((before, ids, after))
        })
    }
}

/// The text behind a name that it begins with, in any case.
fn strip_name<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    let is_same = |expected: char, found: char| expected == found || expected.to_lowercase().eq(found.to_lowercase());
    name.chars().all(|expected| rest.next().is_some_and(|found| is_same(expected, found))).then_some(rest.as_str())
}

/// Whether a word ends between two characters.
fn is_border(left: Option<char>, right: Option<char>) -> bool {
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    !(left.is_some_and(is_of_word) && right.is_some_and(is_of_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_a_text_is_named_once() {
        let mut words = AddedWords::default();
        words.add("ink", 10..11);
        words.add("Wash", 11..13);
        assert_eq!(words.used_in("a wash, INK and ink, inkwell"), ["Wash", "ink"]);
        assert!(words.used_in("a boat").is_empty());
    }

    #[test]
    fn words_are_found_at_their_borders_in_any_case() {
        let mut words = AddedWords::default();
        words.add("ink", 10..11);
        words.add("<cat-toy>", 11..13);
        words.add("Ink-Wash", 13..16);
        for (text, expected) in [
            ("an ink drawing", Some(("an ", 10..11, " drawing"))),
            ("INK", Some(("", 10..11, ""))),
            ("inkwell, pink, ink_2, 3ink", None),
            ("(ink:1.2)", Some(("(", 10..11, ":1.2)"))),
            ("ink-wash.", Some(("", 13..16, "."))),
            ("a<Cat-Toy>b", Some(("a", 11..13, "b"))),
            ("tinte, İnk", None),
            ("", None),
        ] {
            assert_eq!(words.find(text), expected, "{text}");
        }
    }
}
