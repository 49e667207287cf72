//! The scripts that a vocabulary has words in, so that a caller can warn about text in another one.
//!
//! This module does not depend on models. A byte-pair vocabulary can express every text, one in a foreign script byte by byte, which no
//! text encoder was trained to read. Invariant: characters without a script (digits, emoji, punctuation) never cause a warning.

use std::collections::HashMap;

use unicode_script::{Script, UnicodeScript as _};

/// Fewer words of a script than this are coincidental: OpenAI's vocabulary has 46,527 Latin tokens of two letters or more, and at most 15
/// of any other script (Hangul).
const WORDS: usize = 64;

/// The scripts that a model reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts(Option<Vec<Script>>);

impl Scripts {
    /// The scripts of a vocabulary's tokens, given as decoded text.
    pub(super) fn of_tokens(tokens: impl Iterator<Item = String>) -> Self {
        let mut words: HashMap<Script, usize> = HashMap::new();
        for token in tokens {
            let mut letters = token.chars().filter(|character| character.is_alphabetic());
            if let (Some(first), Some(_)) = (letters.next(), letters.next()) {
                *words.entry(first.script()).or_default() += 1;
            }
        }
        let read = words.into_iter().filter(|(_, count)| *count >= WORDS).map(|(script, _)| script);
        Self(Some(read.collect()))
    }

    /// The script of the first letters in a text that the model does not read ("Cyrillic"), if there are at least two such letters, or no
    /// other letters. `None` also if the model's vocabulary is unknown.
    pub fn unread(&self, text: &str) -> Option<&'static str> {
        let read = self.0.as_ref()?;
        let (mut letters, mut unread, mut first) = (0_usize, 0_usize, None);
        for script in text.chars().filter(|character| character.is_alphabetic()).map(|letter| letter.script()) {
            letters += 1;
            if !read.contains(&script) && !matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
                unread += 1;
                first.get_or_insert(script);
            }
        }
        first.filter(|_| unread >= 2 || unread == letters).map(|script| script.full_name())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{
        pipelines,
        tokenizer::{ClipTokenizer, TokenizerConfig, Vocabulary},
    };

    #[test]
    fn the_script_of_an_unreadable_text_is_named() {
        let openai = ClipTokenizer::from_parts(Vocabulary::openai().unwrap(), TokenizerConfig::from_json(None, None, None).unwrap());
        for scripts in [openai.unwrap().scripts(), ClipTokenizer::load(&pipelines::nano_sd()).unwrap().scripts()] {
            for (text, script) in [
                ("красный круг", Some("Cyrillic")),
                ("一只红色的狐狸", Some("Han")),
                ("猫", Some("Han")),
                ("a photo of 北京", Some("Han")),
                ("穏やかな日の出", Some("Han")),
                ("ひので", Some("Hiragana")),
                ("빨간 원", Some("Hangul")),
                ("κόκκινος κύκλος", Some("Greek")),
                ("دائرة حمراء", Some("Arabic")),
                ("लाल घेरा", Some("Devanagari")),
                ("", None),
                ("a red circle on a blue background", None),
                ("café über naïve façade, Đêm ở thành phố, kırmızı, žluťoučký kůň", None),
                ("🦊🌙✨", None),
                ("a fox 🦊, 5 € — “quoted”, ½ × 2π", None),
                ("¯\\_(ツ)_/¯ shrug", None),
                ("12345 !? \u{fe0f}\u{200d}", None),
            ] {
                assert_eq!(scripts.unread(text), script, "{text}");
            }
        }
        assert_eq!(Scripts::default().unread("красный круг"), None, "the vocabulary is unknown");
    }
}
