//! Notes on a request in its answer: ignored fields, and remarks on fields that do not do what they seem to.
//!
//! It must not know any particular request. The invariant: every answer, be it a file, JSON or a refusal, has the notes in its headers.

use actix_web::{
    Error, HttpMessage as _, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The header with ignored fields: an RFC 9651 list, each with the field that was probably meant.
pub(crate) const IGNORED_FIELDS: &str = "X-Ignored-Fields";
/// The header with remarks: sentences, separated by semicolons.
pub(crate) const REMARKS: &str = "X-Remarks";

/// The longest list in a header, in bytes: proxies accept headers of 4 or 8 KiB, and an answer must reach its client.
const LONGEST_LIST: usize = 2048;

/// An unknown key of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IgnoredField {
    /// The key; inside objects and lists it is preceded by their keys and indices, separated by dots.
    #[schema(example = "negative_promt")]
    pub field: String,
    /// The field that was probably meant; null if no field is similar.
    #[schema(example = "negative_prompt")]
    pub did_you_mean: Option<String>,
}

/// The notes on a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RequestNotes {
    pub(crate) ignored_fields: Vec<IgnoredField>,
    pub(crate) remarks: Vec<String>,
}

impl RequestNotes {
    pub(crate) fn new(ignored_fields: Vec<IgnoredField>, remarks: Vec<String>) -> Self {
        Self { ignored_fields, remarks }
    }

    /// Adds the notes to the headers of the request's answer, whatever it will be.
    pub(crate) fn tell(&self, request: &HttpRequest) {
        request.extensions_mut().insert(self.clone());
    }

    /// As many of the ignored fields as fit into the header.
    fn ignored_fields_value(&self) -> Option<HeaderValue> {
        let entry = |ignored: &IgnoredField| match &ignored.did_you_mean {
            // Field names are always tokens.
            Some(meant) => format!("{};did_you_mean={meant}", item(&ignored.field)),
            None => item(&ignored.field),
        };
        let mut list = String::new();
        for entry in self.ignored_fields.iter().map(entry) {
            let divider = if list.is_empty() { "" } else { ", " };
            if list.len() + divider.len() + entry.len() > LONGEST_LIST {
                break;
            }
            list.push_str(divider);
            list.push_str(&entry);
        }
        if list.is_empty() { None } else { HeaderValue::from_str(&list).ok() }
    }

    fn remarks_value(&self) -> Option<HeaderValue> {
        if self.remarks.is_empty() { None } else { HeaderValue::from_str(&escaped(&self.remarks.join("; "))).ok() }
    }
}

/// A name as an RFC 9651 token, or as a string if it is not a token.
fn item(name: &str) -> String {
    let is_token = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
    if is_token { name.to_owned() } else { format!("\"{}\"", escaped(name).replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// Percent-encodes the bytes that a header must not contain.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) { escaped.push(char::from(byte)) } else { escaped.push_str(&format!("%{byte:02X}")) }
    }
    escaped
}

/// Adds the headers.
pub(crate) async fn add(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    let notes = response.request().extensions().get::<RequestNotes>().cloned();
    if let Some(notes) = notes {
        let headers = response.headers_mut();
        let values = [("x-ignored-fields", notes.ignored_fields_value()), ("x-remarks", notes.remarks_value())];
        for (name, value) in values.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_header_holds_any_name() {
        let of = |fields: &[(&str, Option<&str>)]| {
            let ignored =
                fields.iter().map(|(field, meant)| IgnoredField { field: (*field).into(), did_you_mean: meant.map(str::to_owned) });
            let value = RequestNotes::new(ignored.collect(), Vec::new()).ignored_fields_value();
            value.and_then(|value| value.to_str().map(str::to_owned).ok())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("negative_promt", Some("negative_prompt")), ("scenes.0.model", None)]).as_deref(),
            Some("negative_promt;did_you_mean=negative_prompt, scenes.0.model")
        );
        assert_eq!(of(&[("0a", None), ("a\"b\\", None), ("é\r\nX: y", None)]).as_deref(), Some(r#""0a", "a\"b\\", "%C3%A9%0D%0AX: y""#));
        let remarks = RequestNotes::new(Vec::new(), vec!["a".into(), "b é".into()]).remarks_value();
        assert_eq!(remarks, Some(HeaderValue::from_static("a; b %C3%A9")));
    }

    #[test]
    fn a_header_is_as_short_as_proxies_require() {
        let field = "\u{1f98a}".repeat(100);
        let notes =
            RequestNotes::new(vec![IgnoredField { field: field.clone(), did_you_mean: Some("negative_prompt".into()) }; 32], Vec::new());
        let one = format!("{};did_you_mean=negative_prompt", item(&field));
        assert_eq!(notes.ignored_fields_value().unwrap(), one.as_str(), "a second one would be too much");
        let notes = RequestNotes::new(vec![IgnoredField { field: "x".repeat(100), did_you_mean: None }; 32], Vec::new());
        let value = notes.ignored_fields_value().unwrap();
        let list: Vec<_> = value.to_str().unwrap().split(", ").collect();
        assert_eq!(list, vec!["x".repeat(100); 20], "whole members only");
    }
}
