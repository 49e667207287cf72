//! compel's prompt language: weights, blends of several texts, and texts one behind the other.
//!
//! This module must not depend on models. Invariant: every weight is finite and within [`MOST_WEIGHT`], so that no prompt overflows an
//! embedding. Follows compel 2.5's prompt_parser.py, with these differences. There, `.swap()` is read and has no effect, `.and()` drops the
//! text behind it, and operators that cannot be applied are text; here they are errors. There, a text may hold escapes of white space
//! inside quotes, and `()` alone or a weight below 1 of an empty text end the program; here, the former are text and the latter empty.

mod chunks;
mod grammar;

use std::fmt;

pub(crate) use self::chunks::{WeightedTokens, tokens};

/// The largest weight, and less 0 the smallest.
pub const MOST_WEIGHT: f64 = 100.0;
/// The factor of one `+`.
const PLUS: f64 = 1.1;
/// The factor of one `-`.
const MINUS: f64 = 0.9;
/// How deep brackets and quotes nest.
const MOST_DEPTH: usize = 32;
/// How many texts a blend or a conjunction may have, and how many fragments a prompt with weights below 1: each costs a run of the text
/// encoder.
const MOST_RUNS: usize = 64;

/// One of the texts whose embeddings stand one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub struct CompelPart {
    /// 1 leaves the embeddings as they are; any other weight moves them along the line from the empty text's.
    pub weight: f64,
    /// The texts that are blended, with their shares of the sum; most parts have one, with the share 1.
    pub texts: Vec<(Vec<Fragment>, f64)>,
}

/// A piece of a text that has one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// Its words.
    pub text: String,
    /// Their weight.
    pub weight: f64,
}

/// What is wrong with a prompt, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompelError {
    /// The number of the character, counted from 1.
    position: usize,
    reason: String,
}

impl fmt::Display for CompelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, reason } = self;
        write!(f, "at character {position}: {reason}")
    }
}

impl std::error::Error for CompelError {}

/// The parts of a prompt; at least one.
///
/// # Errors
/// [`CompelError`] for an operator that is not supported or cannot be applied, and for weights beyond the limit.
pub fn parse(prompt: &str) -> Result<Vec<CompelPart>, CompelError> {
    grammar::parse(prompt)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Beyond these, `tests/it/compel.rs` compares with the reference's own parser.
    #[test]
    fn faults_name_their_place_and_a_remedy() {
        for (prompt, position, part) in [
            ("a cat.swap(dog) at sea", 6, "cross-attention control"),
            ("a (big cat).swap(dog, s_start=0.1)", 12, "write the new words"),
            ("a,b,(cat).swap(dog)", 10, "write the new words"),
            ("a boat withLora(ink, 0.5)", 8, "<lora:NAME:WEIGHT>"),
            ("(\"a\", \"b\").and() at sea", 18, "nothing may follow"),
            ("(\"a\", \"b\").blend(1, 1) at sea", 24, "nothing may follow"),
            ("see (\"a\", \"b\").blend(1, 1)", 15, "stand in quotes"),
            ("(\"a\", \"b\").blend(1)", 11, "2 texts and 1 weight"),
            ("(\"a\", \"b\").blend(1, -1)", 11, "sum to 0"),
            ("(\"a\", \"b\").blend(1, much)", 21, "a number"),
            ("(\"a\", \"b\").blend(no_normalize, 1)", 18, "a number"),
            ("(\"a\", \"b\").and(1, no_normalize)", 19, "a number"),
            ("(\"a\", \"b\").blend(1, 1", 11, "not closed"),
            ("(\"a\", \"b\").blend(1; 1)", 19, "a comma"),
            ("(\"a\", \"b\").and(1, 101)", 19, "-100 to 100"),
            ("a (b)101", 1, "-100 to 100"),
            ("(a boat).attend(much)", 9, "a weight is a number"),
        ] {
            let error = parse(prompt).unwrap_err();
            assert_eq!(error.position, position, "{prompt}: {error}");
            assert!(error.to_string().contains(part), "{prompt}: {error}");
        }
    }

    #[test]
    fn no_text_breaks_it() {
        let deep = "(".repeat(3000);
        let closed = format!("{deep}{}", ")".repeat(3000));
        let spaced = "( \" ".repeat(1000);
        for prompt in [
            "(",
            "\"",
            "()",
            "()-",
            "\"\"--",
            "(\"\")0.5",
            "((\"\"))",
            "\\",
            "+",
            ".blend",
            ",",
            "a\u{b}b",
            "é(ü)1.1é",
            &deep,
            &closed,
            &spaced,
        ] {
            if let Ok(parts) = parse(prompt) {
                assert!(!parts.is_empty() && parts.iter().all(|part| !part.texts.is_empty()), "{prompt}");
            }
        }
        assert!(parse(&closed).unwrap_err().to_string().contains("more than 32 deep"));
        assert!(parse(&"a- b ".repeat(65)).unwrap_err().to_string().contains("64"));
    }
}
