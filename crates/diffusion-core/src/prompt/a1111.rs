//! AUTOMATIC1111's prompt language: brackets that weigh a text, and `BREAK`.
//!
//! Follows `parse_prompt_attention` of stable-diffusion-webui's modules/prompt_parser.py, with two differences. There, `BREAK` inside of
//! weighted brackets is no break but a word with a negative weight; here it is a break. There, `(word:1.2.3)` is an error; here, what is
//! not a number is text. Prompt editing (`[from:to:when]`), alternation (`[a|b]`) and `AND` are not read: their characters are text.

use super::Part;

/// The factor of a pair of round brackets; a pair of square brackets divides by it.
const BRACKET_WEIGHT: f64 = 1.1;

/// The parts of a prompt: neighbouring texts have different weights.
pub(super) fn parse(prompt: &str) -> Vec<Part> {
    let mut parser = Parser { parts: Vec::new(), round: Vec::new(), square: Vec::new() };
    let mut rest = prompt;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' => parser.escape(rest),
            '(' => {
                parser.round.push(parser.parts.len());
                1
            }
            '[' => {
                parser.square.push(parser.parts.len());
                1
            }
            ')' => {
                parser.close_round(BRACKET_WEIGHT, ")");
                1
            }
            ']' => {
                match parser.square.pop() {
                    Some(start) => parser.multiply(start, 1.0 / BRACKET_WEIGHT),
                    None => parser.text("]"),
                }
                1
            }
            ':' => parser.colon(rest),
            _ => {
                let length = rest.find(['\\', '(', ')', '[', ']', ':']).unwrap_or(rest.len());
                parser.text(rest.get(..length).unwrap_or(rest));
                length
            }
        };
        rest = rest.get(length..).unwrap_or("");
    }
    parser.finish()
}

/// The parts so far, and where the open brackets begin in them.
struct Parser {
    parts: Vec<Part>,
    round: Vec<usize>,
    square: Vec<usize>,
}

impl Parser {
    /// A backslash, with the character behind it if that has a meaning of its own.
    fn escape(&mut self, rest: &str) -> usize {
        let escaped = rest.get(1..2).filter(|next| r"()[]\".contains(next));
        self.push(escaped.unwrap_or(""));
        1 + escaped.map_or(0, str::len)
    }

    /// `:1.2)` closes a round bracket with that weight; any other colon is text.
    fn colon(&mut self, rest: &str) -> usize {
        let weight = rest.find(')').and_then(|end| Some((number(rest.get(1..end)?)?, end + 1)));
        match weight {
            Some((weight, length)) => {
                self.close_round(weight, rest.get(..length).unwrap_or(rest));
                length
            }
            None => {
                self.push(":");
                1
            }
        }
    }

    /// Closes a round bracket; if none is open, the closing characters are text.
    fn close_round(&mut self, weight: f64, text: &str) {
        match self.round.pop() {
            Some(start) => self.multiply(start, weight),
            None => self.text(text),
        }
    }

    /// Text that may hold breaks.
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some((before, after)) = split_at_break(rest) {
            self.push(before);
            self.parts.push(Part::Break);
            rest = after;
        }
        self.push(rest);
    }

    fn push(&mut self, text: &str) {
        self.parts.push(Part::Text { text: text.to_owned(), weight: 1.0 });
    }

    fn multiply(&mut self, start: usize, factor: f64) {
        for part in self.parts.iter_mut().skip(start) {
            if let Part::Text { weight, .. } = part {
                *weight *= factor;
            }
        }
    }

    /// Brackets that are still open reach to the end of the prompt.
    fn finish(mut self) -> Vec<Part> {
        for start in std::mem::take(&mut self.round) {
            self.multiply(start, BRACKET_WEIGHT);
        }
        for start in std::mem::take(&mut self.square) {
            self.multiply(start, 1.0 / BRACKET_WEIGHT);
        }
        let mut merged: Vec<Part> = Vec::new();
        for part in self.parts {
            match (merged.last_mut(), part) {
                (Some(Part::Text { text: before, weight: old }), Part::Text { text, weight }) if *old == weight => before.push_str(&text),
                (_, part) => merged.push(part),
            }
        }
        merged
    }
}

/// A sign, digits and dots that make a number.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit() || digit == '.');
    // All others are finite: there is no exponent.
    text.parse().ok().filter(|_| is_number).filter(|number: &f64| number.is_finite())
}

/// The text before the first word `BREAK` and the text behind it, both without the spaces beside it.
fn split_at_break(text: &str) -> Option<(&str, &str)> {
    const WORD: &str = "BREAK";
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(WORD).find_map(|(start, _)| {
        let (before, after) = (text.get(..start)?, text.get(start + WORD.len()..)?);
        let stands_alone = !before.chars().next_back().is_some_and(is_word) && !after.chars().next().is_some_and(is_word);
        stands_alone.then(|| (before.trim_end(), after.trim_start()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, weight: f64) -> Part {
        Part::Text { text: text.into(), weight }
    }

    /// Beyond these, `tests/it/prompts.rs` compares with the reference's own parser.
    #[test]
    fn what_differs_from_the_reference() {
        assert_eq!(parse("(a BREAK b:1.5)"), [text("a", 1.5), Part::Break, text("b", 1.5)]);
        assert_eq!(parse("(a:1.2.3) b"), [text("a:1.2.3", BRACKET_WEIGHT), text(" b", 1.0)]);
        assert_eq!(parse("(a:.)"), [text("a:.", BRACKET_WEIGHT)]);
        let huge = format!("(a:{})", "9".repeat(400));
        assert_eq!(parse(&huge), [text(&huge[1..huge.len() - 1], BRACKET_WEIGHT)]);
    }

    #[test]
    fn no_text_breaks_it() {
        for prompt in ["", "\\", ":", "(((", "]]]", "(\\", "é(ü:1.1)é", "\\é", "BREAK", " BREAK BREAK ", "(:1)", ":1)", "[:1)]"] {
            let parts = parse(prompt);
            assert!(parts.iter().all(|part| !matches!(part, Part::Text { weight, .. } if !weight.is_finite())), "{prompt}");
        }
    }
}
