//! A prompt as AUTOMATIC1111's web UI has to be given it, so that it reads the text and no syntax: here, a prompt means what it says.
//!
//! It must not know what else is told of a picture. There, brackets weigh words and change them between steps, `<lora:..>` loads a file,
//! AND and BREAK divide, and a number behind the last colon weighs the whole; a backslash before a bracket or a backslash takes their
//! meaning from them, and one before anything else is left out, so one inside of a word of syntax breaks it. The invariant: its readers
//! (`parse_generation_parameters`, `parse_prompt`, `get_multicond_prompt_list` and `parse_prompt_attention` of version 1.10) read the
//! prompt as it was, but for blanks at the ends of lines, which no tokenizer sees. What cannot be said so is [`has_comment`].

/// The prompt with its syntax taken from it.
pub(crate) fn escaped(prompt: &str) -> String {
    let mut text = String::with_capacity(prompt.len());
    let mut before = None;
    let mut is_line_empty = true;
    let mut rest = prompt;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        let is_word = |word: &str| !before.is_some_and(is_word_character) && rest.strip_prefix(word).is_some_and(|rest| !starts_word(rest));
        // The line that would begin the negative prompt is escaped too.
        let is_escaped =
            is_line_empty && rest.starts_with("Negative prompt:") || matches!(character, '\\' | '(' | ')' | '[' | ']' | '{' | '}');
        let begins_syntax = match character {
            '<' => starts_word(after) && after.trim_start_matches(is_word_character).starts_with(':'),
            ':' => is_number(after.trim()),
            'A' => is_word("AND"),
            'B' => is_word("BREAK"),
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

/// Whether a part of the prompt is left out there whatever is written: all behind a `#`, to the end of its line.
pub(crate) fn has_comment(prompt: &str) -> bool {
    prompt.contains('#')
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn starts_word(text: &str) -> bool {
    text.starts_with(is_word_character)
}

/// Whether a text may be taken for a number: a backslash too many is left out.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_numeric() || matches!(character, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_is_taken_from_a_prompt() {
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
            assert_eq!(escaped(prompt), expected, "{prompt}");
        }
    }

    /// What AUTOMATIC1111 makes of a prompt without syntax: a backslash takes the next one's meaning, or is left out. `None` if something
    /// of its syntax acts.
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
    fn a_reader_of_the_parameters_reads_the_prompt() {
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
            let text = escaped(&prompt);
            assert_eq!(read(&text).as_deref(), Some(prompt.as_str()), "{prompt:?} is {text:?}");
            assert!(!text.lines().any(|line| line.trim().starts_with("Negative prompt:")), "{text:?}");
        }
    }
}
