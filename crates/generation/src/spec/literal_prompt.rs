//! Escapes a prompt for AUTOMATIC1111's web UI, so that it reads what was read here: one in that program's syntax has weights and BREAK, and
//! nothing else. A plain prompt has no syntax, and compel's syntax is text to that program.
//!
//! It must not know the other parameters of an image. In that program, brackets weight words and change them between steps, `<lora:..>`
//! loads a file, AND and BREAK divide, and a number after the last colon weights the whole prompt; a backslash before a bracket or a
//! backslash makes it literal, and a backslash before anything else is dropped, so one inside a keyword breaks the keyword. Invariant: its
//! parsers (`parse_generation_parameters`, `parse_prompt`, `get_multicond_prompt_list` and `parse_prompt_attention` of version 1.10) read
//! the original prompt, except for blanks at line ends, which no tokenizer sees. [`has_comment`] detects the one thing that cannot be
//! escaped.

use diffusion_core::prompt::PromptSyntax;

/// The prompt with the syntax escaped that has no effect here.
pub(crate) fn escaped(prompt: &str, syntax: PromptSyntax) -> String {
    let is_literal = syntax != PromptSyntax::A1111;
    let mut text = String::with_capacity(prompt.len());
    let mut before = None;
    let mut is_line_empty = true;
    let mut rest = prompt;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        let is_word = |word: &str| !before.is_some_and(is_word_character) && rest.strip_prefix(word).is_some_and(|rest| !starts_word(rest));
        // A line that would begin the negative prompt is escaped too.
        let is_escaped = match character {
            '\\' | '(' | ')' | '[' | ']' => is_literal,
            '{' | '}' => true,
            _ => is_line_empty && rest.starts_with("Negative prompt:"),
        };
        let begins_syntax = match character {
            '<' => starts_word(after) && after.trim_start_matches(is_word_character).starts_with(':'),
            ':' => is_number(after.trim()),
            'A' => is_word("AND"),
            'B' => is_literal && is_word("BREAK"),
            _ => false,
        };
        text.extend(is_escaped.then_some('\\'));
        text.push(character);
        text.extend(begins_syntax.then_some('\\'));
        is_line_empty = character == '\n' || (is_line_empty && character.is_whitespace());
        before = Some(character);
        rest = after;
    }
    text
}

/// Whether that program drops a part of the prompt in any case: from a `#` to the end of its line.
pub(crate) fn has_comment(prompt: &str) -> bool {
    prompt.contains('#')
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn starts_word(text: &str) -> bool {
    text.starts_with(is_word_character)
}

/// Whether a text may be parsed as a number: a superfluous backslash is dropped.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_numeric() || matches!(character, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_a_prompt_is_escaped() {
        for (prompt, expected) in [
            ("a red circle, 50% (blue)", r"a red circle, 50% \(blue\)"),
            ("(x:1.5)", r"\(x:1.5\)"),
            ("[x], [a:b:10], [a|b]", r"\[x\], \[a:b:10\], \[a|b\]"),
            ("{x}, {a|b}", r"\{x\}, \{a|b\}"),
            (r"C:\new \(x\) \", r"C:\\new \\\(x\\\) \\"),
            ("<lora:x:1> < 3: <b> <ünï_1:y>", r"<\lora:x:1> < 3: <b> <\ünï_1:y>"),
            ("a AND b, SAND ANDY and AND", r"a A\ND b, SAND ANDY and A\ND"),
            ("a BREAK(BREAK), BREAKS", r"a B\REAK\(B\REAK\), BREAKS"),
            ("a boat: 1.5 ", r"a boat:\ 1.5 "),
            ("a boat:-2", r"a boat:\-2"),
            ("a boat: 1.5, b: c:", r"a boat: 1.5, b: c:"),
            ("a\n Negative prompt: b\nno Negative prompt: c", "a\n \\Negative prompt: b\nno Negative prompt: c"),
            ("", ""),
        ] {
            assert_eq!(escaped(prompt, PromptSyntax::Plain), expected, "{prompt}");
            assert_eq!(escaped(prompt, PromptSyntax::Compel), expected, "{prompt}");
        }
    }

    #[test]
    fn weights_and_breaks_stay_in_a_prompt_that_has_them() {
        for (prompt, expected) in [
            (r"a (red:1.5) [blue] \(x\) BREAK b", r"a (red:1.5) [blue] \(x\) BREAK b"),
            ("a AND <lora:x:1> {b}: 2", r"a A\ND <\lora:x:1> \{b\}:\ 2"),
            ("a\nNegative prompt: b", "a\n\\Negative prompt: b"),
        ] {
            assert_eq!(escaped(prompt, PromptSyntax::A1111), expected, "{prompt}");
        }
    }

    /// AUTOMATIC1111's reading of an escaped prompt: a backslash makes the next character literal, or is dropped. `None` if any syntax
    /// takes effect.
    fn read(text: &str) -> Option<String> {
        let words = text.split(|character: char| !is_word_character(character));
        let divides = words.into_iter().any(|word| word == "AND" || word == "BREAK");
        let weighs = text.rsplit_once(':').is_some_and(|(_, end)| is_number(end.trim()));
        let loads = text.split('<').skip(1).any(|part| starts_word(part) && part.trim_start_matches(is_word_character).starts_with(':'));
        let mut read = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => read.extend(characters.next_if(|next| matches!(next, '\\' | '(' | ')' | '[' | ']'))),
                '(' | ')' | '[' | ']' => return None,
                other => read.push(other),
            }
        }
        (!divides && !weighs && !loads).then_some(read)
    }

    #[test]
    fn an_escaped_prompt_is_read_back_literally() {
        let words = [
            "a",
            " ",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "\\",
            ":",
            "1.5",
            "<",
            "lora",
            ">",
            "AND",
            "BREAK",
            "|",
            "_",
            "\n",
            "é",
            "Negative prompt:",
        ];
        // Every sequence of four of these.
        for number in 0..words.len().pow(4) {
            let prompt: String = (0..4).filter_map(|place| words.get(number / words.len().pow(place) % words.len())).copied().collect();
            let text = escaped(&prompt, PromptSyntax::Plain);
            assert_eq!(read(&text).as_deref(), Some(prompt.as_str()), "{prompt:?} is {text:?}");
            assert!(!text.lines().any(|line| line.trim().starts_with("Negative prompt:")), "{text:?}");
        }
    }
}
