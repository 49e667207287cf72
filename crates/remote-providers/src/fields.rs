//! Reads fields of requests and answers, within given limits.
//!
//! It must not know any provider: names, limits and words are arguments.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::{ErrorKind, ProviderError, Result};

/// Phrases in providers' messages that report a content filter.
const FILTER_WORDS: [&str; 8] =
    ["nsfw", "moderation", "moderated", "content policy", "content filter", "flagged as sensitive", "safety filter", "content_policy"];

/// The longest job id that a store keeps, in bytes.
pub(crate) const MAX_ID: usize = 2048;

/// Checks that a started job's id can be stored.
pub(crate) fn job_id(provider: &'static str, id: impl Into<String>) -> Result<String> {
    let id = id.into();
    let why = match id.len() {
        _ if id.trim().is_empty() => "the answer to the start has no id".to_owned(),
        length if length > MAX_ID => format!("the job's id has {length} bytes; at most {MAX_ID} are kept"),
        _ if id.chars().any(char::is_control) => "the job's id has control characters".to_owned(),
        _ => return Ok(id),
    };
    Err(ProviderError::new(provider, ErrorKind::Protocol, why).maybe_started())
}

/// An error that the caller can fix.
pub(crate) fn invalid(provider: &'static str, reason: impl AsRef<str>) -> ProviderError {
    ProviderError::new(provider, ErrorKind::InvalidRequest, reason)
}

/// Refuses the fields that are set; each would change the video, and the provider does not support it.
pub(crate) fn refuse(provider: &'static str, fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, is_set)| *is_set) {
        Some((field, _)) => Err(invalid(provider, format!("{field} is not supported; leave it out"))),
        None => Ok(()),
    }
}

/// Refuses options other than these.
pub(crate) fn only(provider: &'static str, options: &Map<String, Value>, known: &[&str]) -> Result<()> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(provider, format!("options.{key} is unknown; the options are {}", known.join(", ")))),
        None => Ok(()),
    }
}

/// A whole number from `low` to `high`.
pub(crate) fn integer(provider: &'static str, name: &str, value: &Value, low: u64, high: u64) -> Result<u64> {
    let within = value.as_u64().filter(|number| (low..=high).contains(number));
    within.ok_or_else(|| invalid(provider, format!("{name} is {value}; it has to be a whole number from {low} to {high}")))
}

/// A number from `low` to `high`, unconverted.
pub(crate) fn number(provider: &'static str, name: &str, value: &Value, low: f64, high: f64) -> Result<Value> {
    let is_within = value.as_f64().is_some_and(|number| (low..=high).contains(&number));
    if is_within { Ok(value.clone()) } else { Err(invalid(provider, format!("{name} is {value}; it has to be from {low} to {high}"))) }
}

/// One of these words.
pub(crate) fn word(provider: &'static str, name: &str, value: &Value, words: &[&str]) -> Result<Value> {
    let is_known = value.as_str().is_some_and(|text| words.contains(&text));
    if is_known {
        Ok(value.clone())
    } else {
        Err(invalid(provider, format!("{name} is {value}; it has to be one of {}", words.join(", "))))
    }
}

/// A text.
pub(crate) fn text(provider: &'static str, name: &str, value: &Value) -> Result<Value> {
    if value.is_string() { Ok(value.clone()) } else { Err(invalid(provider, format!("{name} is {value}; it has to be a string"))) }
}

/// The bytes of a data URL, given the part after the scheme; `None` if they are not base64.
pub(crate) fn data_url_bytes(data: &str) -> Option<Vec<u8>> {
    let (_, base64) = data.split_once(";base64,")?;
    STANDARD.decode(base64).ok()
}

/// The message of an error body, wherever providers put it; empty if there is none. Providers repeat request data, so the key and the query
/// parts of links are removed.
pub(crate) fn reason(body: &Value, key: &SecretString) -> String {
    let error = &body["error"];
    let places = [error, &error["message"], &body["message"], &body["detail"], &body["title"], &body["msg"]];
    let text = places.into_iter().filter_map(Value::as_str).find(|text| !text.trim().is_empty()).unwrap_or_default();
    public(text, key)
}

/// The text without the key and without the queries of links.
pub(crate) fn public(text: &str, key: &SecretString) -> String {
    let key = key.expose_secret();
    let text = if key.is_empty() { text.to_owned() } else { text.replace(key, "[key]") };
    let word = |word: &str| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => format!("{address}?…"),
        _ => word.to_owned(),
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Whether a provider's message reports a content filter.
pub(crate) fn is_content_filter(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    FILTER_WORDS.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::reason;

    #[test]
    fn a_reason_repeats_neither_key_nor_signature() {
        let key = "sk-123".to_owned().into();
        let shown_reason = |body| reason(&body, &key);
        assert_eq!(shown_reason(json!({"detail": "no such token: sk-123"})), "no such token: [key]");
        assert_eq!(
            shown_reason(json!({"error": {"message": "cannot read https://b.test/x.png?sig=1&e=2 now"}})),
            "cannot read https://b.test/x.png?… now"
        );
        assert_eq!(shown_reason(json!({"error": "", "title": "Unauthenticated"})), "Unauthenticated");
        assert_eq!(shown_reason(json!(["what?"])), "");
    }
}
