//! Reads the text with which AUTOMATIC1111's web UI says how a picture was made: its prompts, and its "Key: value" pairs.
//!
//! It must not know where the text comes from. Follows `parse_generation_parameters` of the web UI's `infotext_utils.py`.

use std::collections::BTreeMap;

/// The least pairs of a last line that is one of pairs.
const FEWEST_PAIRS: usize = 3;
const NEGATIVE: &str = "Negative prompt:";

/// The parts of a text by their names: "Prompt", "Negative prompt", and the keys of its pairs. A value "64x72" is split, as the web UI does.
pub(super) fn parsed(text: &str) -> BTreeMap<String, String> {
    let lines: Vec<&str> = text.trim().lines().collect();
    let (mut lines, last) = match lines.split_last() {
        Some((last, rest)) => (rest.to_vec(), *last),
        None => return BTreeMap::new(),
    };
    let pairs = match pairs(last) {
        pairs if pairs.len() >= FEWEST_PAIRS => pairs,
        _ => {
            lines.push(last);
            Vec::new()
        }
    };
    let (mut prompt, mut negative, mut is_negative) = (Vec::new(), Vec::new(), false);
    for line in lines {
        let line = match line.trim().strip_prefix(NEGATIVE) {
            Some(rest) => {
                is_negative = true;
                rest.trim()
            }
            None => line.trim(),
        };
        if is_negative { negative.push(line) } else { prompt.push(line) }
    }
    let mut parts = BTreeMap::from([("Prompt".to_owned(), prompt.join("\n")), ("Negative prompt".to_owned(), negative.join("\n"))]);
    for (key, value) in pairs {
        let sides = value.split_once('x').filter(|(width, height)| is_number(width) && is_number(height));
        match sides {
            Some((width, height)) => {
                parts.insert(format!("{key}-1"), width.to_owned());
                parts.insert(format!("{key}-2"), height.to_owned());
            }
            None => {
                parts.insert(key, value);
            }
        }
    }
    parts
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The pairs of a line; values with separators are JSON strings.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line.trim();
    while let Some((key, after)) = rest.split_once(':') {
        let after = after.trim_start();
        let is_key = key.chars().all(|character| character.is_alphanumeric() || " -/_".contains(character));
        if !is_key {
            break;
        }
        let mut quoted = serde_json::Deserializer::from_str(after).into_iter::<String>();
        let (value, end) = match after.starts_with('"').then(|| quoted.next()).flatten() {
            Some(Ok(value)) => (value, quoted.byte_offset()),
            Some(Err(_)) | None => {
                let end = after.find(',').unwrap_or(after.len());
                (after.get(..end).unwrap_or_default().trim().to_owned(), end)
            }
        };
        pairs.push((key.trim().to_owned(), value));
        rest = after.get(end..).unwrap_or_default().trim_start().trim_start_matches(',').trim_start();
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_and_pairs_are_read() {
        let text = "a boat,\nat night\nNegative prompt: fog\nrain\nSteps: 4, Sampler: DPM++ 2M, Size: 64x72, Lora hashes: \"ink: ab, c: d\", Version: x 0.1";
        let parts = parsed(text);
        let of = |key: &str| parts.get(key).map(String::as_str);
        assert_eq!((of("Prompt"), of("Negative prompt")), (Some("a boat,\nat night"), Some("fog\nrain")));
        assert_eq!((of("Steps"), of("Sampler"), of("Size-1"), of("Size-2")), (Some("4"), Some("DPM++ 2M"), Some("64"), Some("72")));
        assert_eq!((of("Lora hashes"), of("Version")), (Some("ink: ab, c: d"), Some("x 0.1")));
    }

    #[test]
    fn any_other_text_is_a_prompt() {
        for text in ["a boat", "a boat: blue", "a: b, c: d", ""] {
            let parts = parsed(text);
            assert_eq!(parts.get("Prompt").map(String::as_str), if text.is_empty() { None } else { Some(text) });
            assert!(parts.len() <= 2, "{parts:?}");
        }
        assert_eq!(parsed("x\nSteps: \"4, Seed: 1, Size: 2").get("Steps").map(String::as_str), Some("\"4"));
    }
}
