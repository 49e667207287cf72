//! Numbers that JSON cannot represent: `NaN`, `Infinity`, `-Infinity` (which Python writes) and literals that overflow (1e999).
//!
//! They make a body malformed, but the field's name helps a caller more than a position. So a body that does not parse is parsed again with
//! such literals replaced by a marker, and the field with the marker is refused by name.

use serde_json::{Value, json};

/// The key of the marker: an object in place of the literal.
const MARKER: &str = "$framewright:non-finite-number";

/// Parses a body with such literals replaced by markers; `None` if it has none, or is malformed in other ways too.
pub(crate) fn parse_with_markers(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let mut marked = String::with_capacity(text.len());
    let mut found = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => string_end(rest),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(end)?;
        if is_non_finite(token) {
            found = true;
            marked.push_str(&json!({ MARKER: token }).to_string());
        } else {
            marked.push_str(token);
        }
        rest = after;
    }
    if found { serde_json::from_str(&marked).ok() } else { None }
}

/// The literal that a marker replaces.
pub(crate) fn literal(value: &Value) -> Option<&str> {
    value.as_object()?.get(MARKER)?.as_str()
}

/// The length of the string literal at the start of the text, including its quotes.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_non_finite(token: &str) -> bool {
    match token {
        "NaN" | "Infinity" | "-Infinity" => true,
        _ => {
            let is_number = token.strip_prefix('-').unwrap_or(token).starts_with(|c: char| c.is_ascii_digit());
            is_number && token.parse::<f64>().is_ok_and(f64::is_infinite)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_outside_strings_are_marked() {
        let marked = |literal: &str| json!({ MARKER: literal });
        let expected = json!({"prompt": "NaN \" 1e999", "guidance_scale": marked("-1e999"), "x": [marked("NaN"), 2.5]});
        let value = parse_with_markers(br#"{"prompt": "NaN \" 1e999", "guidance_scale": -1e999, "x": [NaN, 2.5]}"#);
        assert_eq!(value.as_ref(), Some(&expected));
        assert_eq!(literal(&expected["guidance_scale"]), Some("-1e999"));
    }

    #[test]
    fn otherwise_malformed_bodies_stay_malformed() {
        for body in ["{", r#"{"a": nan}"#, r#"{"a": NaN"#, r#"{"a": "NaN}"#, "", r#"{"a": 1}"#] {
            assert_eq!(parse_with_markers(body.as_bytes()), None, "{body}");
        }
    }
}
