//! JSON as Python writes it: diffusers' scheduler files contain `-Infinity`, which JSON does not have.
//!
//! Invariant: valid JSON is parsed as JSON; only an invalid file is parsed again, with Python's three bare words, outside strings, replaced
//! by the strings "Infinity", "-Infinity" and "NaN", which the reader of the field accepts or refuses. Reference: CPython's
//! `Lib/json/encoder.py` (`floatstr`).

use serde_json::Value;

const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Parses a configuration file.
///
/// # Errors
/// serde_json's.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes).or_else(|error| match quoted(bytes) {
        Some(bytes) => serde_json::from_slice(&bytes),
        None => Err(error),
    })
}

/// The text with Python's words quoted; `None` if there are none.
fn quoted(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let (mut rest, mut in_string, mut found) = (bytes, false, false);
    while let Some((&byte, after)) = rest.split_first() {
        if !in_string && let Some((word, after)) = WORDS.iter().find_map(|word| Some((word, rest.strip_prefix(*word)?))) {
            out.push(b'"');
            out.extend_from_slice(word);
            out.push(b'"');
            (rest, found) = (after, true);
            continue;
        }
        out.push(byte);
        rest = after;
        match (byte, rest.split_first()) {
            (b'\\', Some((&escaped, after))) if in_string => {
                out.push(escaped);
                rest = after;
            }
            (b'"', _) => in_string = !in_string,
            _ => {}
        }
    }
    found.then_some(out)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pythons_infinities_become_strings() {
        let read = parse(br#"{"a": -Infinity, "b": [Infinity, NaN, 1.5], "NaN \" -Infinity": "Infinity"}"#).unwrap();
        assert_eq!(read, json!({"a": "-Infinity", "b": ["Infinity", "NaN", 1.5], "NaN \" -Infinity": "Infinity"}));
        assert_eq!(parse(br#"{"a": "-Infinity"}"#).unwrap(), json!({"a": "-Infinity"}));
        for broken in [&b"{"[..], b"", b"{\"a\": Infinit}", b"{\"a\": -Infinity", b"\"\\", b"NaN\xff"] {
            assert!(parse(broken).is_err());
        }
    }
}
