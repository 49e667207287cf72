//! The grammar of compel's language: a recursive descent that decides as compel's pyparsing expressions do.
//!
//! It must not know tokens. Invariant: a position never passes the end of the range that is read, and nesting is bounded.

use std::ops::Range;

use super::{CompelError, CompelPart, Fragment, MINUS, MOST_DEPTH, MOST_RUNS, MOST_WEIGHT, PLUS};

/// The characters with a meaning, which end a bare word unless a backslash stands before them.
const SYNTAX: &str = "()\",.+-=";
/// The operators of methods; where they cannot be applied they are errors.
const OPERATORS: [&str; 5] = [".blend", ".and", ".add", ".attend", ".swap"];

type Result<T> = std::result::Result<T, CompelError>;

/// A piece of a prompt before the weights of nested brackets are multiplied.
enum Node {
    Text(String),
    Weighted(f64, Vec<Node>),
}

/// Nodes, and where the text behind them begins.
type Found = Option<(usize, Vec<Node>)>;

pub(super) fn parse(prompt: &str) -> Result<Vec<CompelPart>> {
    let parser = Parser::new(prompt);
    let all = 0..parser.text.len();
    let parts = match parser.operator(&all)? {
        Some(parts) => parts,
        None => {
            let (_, nodes) = parser.prompt(&all, 0)?;
            vec![CompelPart { weight: 1.0, texts: vec![(flattened(&nodes), 1.0)] }]
        }
    };
    let fragments = || parts.iter().flat_map(|part| &part.texts).flat_map(|(fragments, _)| fragments);
    if let Some(fragment) = fragments().find(|fragment| !is_weight(fragment.weight)) {
        return Err(parser.error(0, format!("a weight of {} in all is not from -{MOST_WEIGHT} to {MOST_WEIGHT}", fragment.weight)));
    }
    if fragments().filter(|fragment| fragment.weight < 1.0).count() > MOST_RUNS {
        return Err(
            parser.error(0, format!("a prompt may weigh at most {MOST_RUNS} pieces below 1; put neighbours into one pair of brackets"))
        );
    }
    Ok(parts)
}

struct Parser {
    text: Vec<char>,
    /// Each character's place in the prompt.
    origins: Vec<usize>,
}

impl Parser {
    /// compel puts a space behind a comma that has none.
    fn new(prompt: &str) -> Self {
        let (mut text, mut origins) = (Vec::new(), Vec::new());
        let mut characters = prompt.chars().enumerate().peekable();
        while let Some((place, character)) = characters.next() {
            text.push(character);
            origins.push(place);
            if character == ','
                && let Some((place, next)) = characters.next_if(|(_, next)| !next.is_whitespace())
            {
                text.extend([' ', next]);
                origins.extend([place, place]);
            }
        }
        Self { text, origins }
    }

    fn error(&self, at: usize, reason: impl Into<String>) -> CompelError {
        let position = self.origins.get(at).map_or(self.origins.last().map_or(0, |last| last + 1), |place| *place) + 1;
        CompelError { position, reason: reason.into() }
    }

    /// The character at a place, if that is within the range's end.
    fn at(&self, place: usize, end: usize) -> Option<char> {
        if place < end { self.text.get(place).copied() } else { None }
    }

    fn skip_spaces(&self, mut at: usize, end: usize) -> usize {
        while self.at(at, end).is_some_and(is_space) {
            at += 1;
        }
        at
    }

    /// Behind a word that comes next, if it does.
    fn literal(&self, at: usize, end: usize, word: &str) -> Option<usize> {
        let behind = at + word.len();
        let found = self.text.get(at..behind.min(end))?;
        found.iter().copied().eq(word.chars()).then_some(behind)
    }

    /// As [`Self::literal`], with white space before it.
    fn spaced(&self, at: usize, end: usize, word: &str) -> Option<usize> {
        self.literal(self.skip_spaces(at, end), end, word)
    }

    /// The run of characters of one kind.
    fn run(&self, at: usize, end: usize, is_of_run: impl Fn(char) -> bool) -> Range<usize> {
        let length = (at..end).take_while(|place| self.at(*place, end).is_some_and(&is_of_run)).count();
        at..at + length
    }

    fn string(&self, range: Range<usize>) -> String {
        self.text.get(range).unwrap_or_default().iter().collect()
    }

    /// A number without an exponent; a sign `+` needs a decimal point.
    fn number(&self, at: usize, end: usize) -> Option<(usize, f64)> {
        let sign = self.at(at, end).filter(|sign| matches!(sign, '+' | '-'));
        let start = at + usize::from(sign.is_some());
        let whole = self.run(start, end, |digit| digit.is_ascii_digit());
        let fraction = self.literal(whole.end, end, ".").map(|behind| self.run(behind, end, |digit| digit.is_ascii_digit()));
        let behind = match fraction {
            Some(fraction) if !whole.is_empty() || !fraction.is_empty() => fraction.end,
            _ if !whole.is_empty() && sign != Some('+') => whole.end,
            _ => return None,
        };
        Some((behind, self.string(at..behind).parse().ok().filter(|number: &f64| number.is_finite())?))
    }

    /// A whole prompt that is a blend or a conjunction.
    fn operator(&self, range: &Range<usize>) -> Result<Option<Vec<CompelPart>>> {
        let end = range.end;
        let Some(mut at) = self.spaced(range.start, end, "(") else { return Ok(None) };
        let mut texts = Vec::new();
        loop {
            let Some((behind, nodes)) = self.operand(at, end)? else { return Ok(None) };
            texts.push(flattened(&nodes));
            match self.spaced(behind, end, ",") {
                Some(behind) => at = behind,
                None => {
                    at = behind;
                    break;
                }
            }
        }
        let Some(behind) = self.spaced(at, end, ")") else { return Ok(None) };
        let place = self.skip_spaces(behind, end);
        let found = [".blend", ".and", ".add"].into_iter().find_map(|name| {
            let behind = self.literal(place, end, name)?;
            Some((name, self.spaced(behind, end, "(")?))
        });
        let Some((name, behind)) = found else { return Ok(None) };
        let is_blend = name == ".blend";
        let (behind, mut weights, normalize) = self.options(place, behind, end, name)?;
        let rest = self.skip_spaces(behind, end);
        if rest < end {
            return Err(self.error(
                rest,
                format!("nothing may follow {name}(): it combines the whole prompt's texts; put this text into one of them"),
            ));
        }
        if texts.len() > MOST_RUNS {
            return Err(self.error(place, format!("{name}() has {} texts, and may have {MOST_RUNS}", texts.len())));
        }
        if weights.is_empty() {
            weights = vec![1.0; texts.len()];
        }
        let (count, given) = (texts.len(), weights.len());
        if given != count {
            let plural = if given == 1 { "" } else { "s" };
            return Err(
                self.error(place, format!("{name}() has {count} texts and {given} weight{plural}; give one weight for each, or none"))
            );
        }
        if !is_blend {
            let part = |(text, weight)| CompelPart { weight, texts: vec![(text, 1.0)] };
            return Ok(Some(texts.into_iter().zip(weights).map(part).collect()));
        }
        let sum: f64 = if normalize { weights.iter().sum() } else { 1.0 };
        if weights.iter().any(|weight| !is_weight(weight / sum)) {
            let reason = "the weights of .blend() sum to 0, or nearly; change one, or add no_normalize behind them";
            return Err(self.error(place, reason));
        }
        let texts = texts.into_iter().zip(weights).map(|(text, weight)| (text, weight / sum)).collect();
        Ok(Some(vec![CompelPart { weight: 1.0, texts }]))
    }

    /// One of the texts of a blend or a conjunction. Quotes may hold what no brackets may.
    fn operand(&self, at: usize, end: usize) -> Result<Found> {
        if let Some(found) = self.target(at, end, 0)? {
            return Ok(Some(found));
        }
        match self.quoted_range(self.skip_spaces(at, end), end) {
            Some((content, behind)) => Ok(Some((behind, self.prompt(&content, 1)?.1))),
            None => Ok(None),
        }
    }

    /// The weights of a blend or a conjunction up to the closing bracket, and whether they are divided by their sum.
    fn options(&self, operator: usize, mut at: usize, end: usize, name: &str) -> Result<(usize, Vec<f64>, bool)> {
        let (mut weights, mut normalize) = (Vec::new(), true);
        if let Some(behind) = self.spaced(at, end, ")") {
            return Ok((behind, weights, normalize));
        }
        loop {
            at = self.skip_spaces(at, end);
            if at >= end {
                return Err(self.error(operator, format!("the bracket of {name}() is not closed")));
            }
            match self.number(at, end) {
                Some((_, weight)) if !is_weight(weight) => {
                    return Err(self.error(at, format!("a weight is a number from -{MOST_WEIGHT} to {MOST_WEIGHT}, not {weight}")));
                }
                Some((behind, weight)) => {
                    weights.push(weight);
                    at = behind;
                }
                None => {
                    let flag = self.literal(at, end, "no_normalize").filter(|_| name == ".blend");
                    let closing = flag.and_then(|behind| self.spaced(behind, end, ")"));
                    let Some(behind) = closing else {
                        let more = if name == ".blend" { ", or no_normalize behind the last weight" } else { "" };
                        return Err(self.error(at, format!("a weight of {name}() is a number such as 0.5{more}")));
                    };
                    normalize = false;
                    return Ok((behind, weights, normalize));
                }
            }
            if let Some(behind) = self.spaced(at, end, ")") {
                return Ok((behind, weights, normalize));
            }
            at = self.skip_spaces(at, end);
            if at < end && self.literal(at, end, ",").is_none() {
                return Err(self.error(at, format!("a comma or the closing bracket of {name}() is missing")));
            }
            at += 1;
        }
    }

    /// A prompt, of which every text can be read; and where it ends.
    fn prompt(&self, range: &Range<usize>, depth: usize) -> Result<(usize, Vec<Node>)> {
        let (mut at, end) = (range.start, range.end);
        let mut nodes = Vec::new();
        loop {
            at = self.skip_spaces(at, end);
            if at >= end {
                return Ok((end, nodes));
            }
            if let Some((behind, found)) = self.element(at, end, depth, true)? {
                nodes.extend(found);
                at = behind;
                continue;
            }
            let word = self.run(at, end, |character| !is_space(character));
            self.check_free_word(word.clone())?;
            at = word.end;
            nodes.push(Node::Text(unescaped(&self.string(word))));
        }
    }

    /// Refuses an operator that would be read as text.
    fn check_free_word(&self, word: Range<usize>) -> Result<()> {
        let found = word.clone().find_map(|place| {
            let name = OPERATORS.into_iter().find(|name| self.literal(place, word.end, &format!("{name}(")).is_some())?;
            Some((place, name))
        });
        match found {
            Some((place, name @ (".blend" | ".and" | ".add"))) => {
                let reason = "its texts stand in quotes inside of one pair of brackets, and nothing else before or behind it";
                Err(self.error(place, format!("{name}() cannot be applied: {reason}, as in (\"one text\", \"another\"){name}(1, 0.5)")))
            }
            Some((place, name)) => {
                let reason = "the text before it stands in quotes or brackets, and a weight is a number, or a run of + or of -";
                Err(self.error(place, format!("{name}() cannot be applied: {reason}, as in (a text){name}(1.2)")))
            }
            None => Ok(()),
        }
    }

    /// Elements and punctuation up to the first character that is neither.
    fn elements(&self, mut at: usize, end: usize, depth: usize) -> Result<(usize, Vec<Node>)> {
        let mut nodes = Vec::new();
        loop {
            if let Some((behind, found)) = self.element(at, end, depth, false)? {
                nodes.extend(found);
                at = behind;
                continue;
            }
            let place = self.skip_spaces(at, end);
            let Some(mark) = self.at(place, end).filter(|mark| matches!(mark, ',' | '.')) else { return Ok((at, nodes)) };
            nodes.push(Node::Text(mark.to_string()));
            at = place + 1;
        }
    }

    /// A text in quotes or brackets, or a bare word, with its weight. A bare word without a weight is left alone if `only_weighted`.
    fn element(&self, at: usize, end: usize, depth: usize, only_weighted: bool) -> Result<Found> {
        let at = self.skip_spaces(at, end);
        let is_bracketed = matches!(self.at(at, end), Some('"' | '('));
        for name in ["useLora", "withLora"] {
            if self.literal(at, end, name).and_then(|behind| self.spaced(behind, end, "(")).is_some() {
                let reason = "is not supported; choose adapters by the tag <lora:NAME:WEIGHT> in the prompt, or by the field loras";
                return Err(self.error(at, format!("{name}() {reason}")));
            }
        }
        let Some((behind, nodes)) = self.target(at, end, depth)? else { return Ok(None) };
        if let Some((behind, weight)) = self.weight(behind, end, is_bracketed)? {
            return Ok(Some((behind, vec![Node::Weighted(weight, nodes)])));
        }
        Ok((is_bracketed || !only_weighted).then_some((behind, nodes)))
    }

    /// What an operator may apply to.
    fn target(&self, at: usize, end: usize, depth: usize) -> Result<Found> {
        let at = self.skip_spaces(at, end);
        match self.at(at, end) {
            Some('"' | '(') if depth == MOST_DEPTH => {
                Err(self.error(at, format!("brackets and quotes nest more than {MOST_DEPTH} deep; remove some")))
            }
            Some('"') => self.quoted(at, end, depth),
            Some('(') => {
                let (behind, nodes) = self.elements(at + 1, end, depth + 1)?;
                Ok(self.spaced(behind, end, ")").map(|behind| (behind, nodes)))
            }
            Some(_) => {
                let word = at..self.word_end(at, end);
                Ok((!word.is_empty()).then(|| (word.end, vec![Node::Text(unescaped(&self.string(word)))])))
            }
            None => Ok(None),
        }
    }

    fn quoted(&self, at: usize, end: usize, depth: usize) -> Result<Found> {
        let Some((content, behind)) = self.quoted_range(at, end) else { return Ok(None) };
        if self.skip_spaces(content.start, content.end) == content.end {
            return Ok(Some((behind, vec![Node::Text(String::new())])));
        }
        let (read, nodes) = self.elements(content.start, content.end, depth + 1)?;
        Ok((self.skip_spaces(read, content.end) == content.end).then_some((behind, nodes)))
    }

    /// The text between quotes on one line, and where the text behind them begins. `\"` does not close them, unless nothing else does.
    fn quoted_range(&self, at: usize, end: usize) -> Option<(Range<usize>, usize)> {
        let start = self.literal(at, end, "\"")?;
        let line = self.run(start, end, |character| !matches!(character, '\n' | '\r'));
        let quotes = || line.clone().filter(|place| self.at(*place, end) == Some('"'));
        let is_escaped = |place: &usize| *place > start && self.at(place - 1, end) == Some('\\');
        let close = quotes().find(|place| !is_escaped(place));
        let close = close.or_else(|| quotes().next_back())?;
        Some((start..close, close + 1))
    }

    /// The end of a word without syntax. A sign belongs to it if another of its characters follows.
    fn word_end(&self, mut at: usize, end: usize) -> usize {
        while let Some(character) = self.at(at, end) {
            let next = self.at(at + 1, end);
            let is_syntax = |character: char| SYNTAX.contains(character);
            at += match character {
                '\\' if next.is_some_and(is_syntax) => 2,
                '+' | '-' if next.is_some_and(|next| !is_syntax(next) && !is_space(next)) => 1,
                _ if is_space(character) || is_syntax(character) => return at,
                _ => 1,
            };
        }
        at
    }

    /// The weight behind a target.
    fn weight(&self, at: usize, end: usize, is_bracketed: bool) -> Result<Option<(usize, f64)>> {
        if let Some(behind) = self.spaced(at, end, ".swap")
            && self.spaced(behind, end, "(").is_some()
        {
            let reason = ".swap() needs cross-attention control, which is not supported; write the new words in place of the old ones";
            return Err(self.error(self.skip_spaces(at, end), reason));
        }
        let explicit = self.spaced(at, end, ".attend").and_then(|behind| {
            let behind = self.spaced(behind, end, "(")?;
            let (behind, weight) = self.weight_operator(self.skip_spaces(behind, end), end, true)?;
            Some((self.spaced(behind, end, ")")?, weight))
        });
        Ok(explicit.or_else(|| self.weight_operator(at, end, is_bracketed)))
    }

    /// A run of `+` or of `-`; or a number.
    fn weight_operator(&self, at: usize, end: usize, or_number: bool) -> Option<(usize, f64)> {
        for (sign, factor) in [('+', PLUS), ('-', MINUS)] {
            let run = self.run(at, end, |character| character == sign);
            if !run.is_empty() {
                return Some((run.end, factor.powf(run.len() as f64)));
            }
        }
        if or_number { self.number(at, end) } else { None }
    }
}

/// The fragments of a text; neighbours with one weight are one. At least one.
fn flattened(nodes: &[Node]) -> Vec<Fragment> {
    let mut fragments: Vec<Fragment> = Vec::new();
    flatten(nodes, 1.0, &mut fragments);
    if fragments.is_empty() {
        fragments.push(Fragment { text: String::new(), weight: 1.0 });
    }
    fragments
}

fn flatten(nodes: &[Node], scale: f64, fragments: &mut Vec<Fragment>) {
    for node in nodes {
        match node {
            Node::Weighted(weight, children) => flatten(children, scale * weight, fragments),
            Node::Text(text) => {
                let text = unescaped(text);
                match fragments.last_mut() {
                    Some(last) if last.weight == scale => last.text = unescaped(&format!("{} {text}", last.text)),
                    _ => fragments.push(Fragment { text, weight: scale }),
                }
            }
        }
    }
}

/// compel takes backslashes away wherever it makes or joins a text, so several of them before a bracket vanish, too.
fn unescaped(text: &str) -> String {
    text.replace("\\(", "(").replace("\\)", ")").replace("\\\"", "\"")
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn is_weight(weight: f64) -> bool {
    weight.abs() <= MOST_WEIGHT
}
