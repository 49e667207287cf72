//! A request's id: the client's own, or a new one; in the answer's headers and in the log.
//!
//! The invariant: it is 1 to 128 characters of visible ASCII, so that it is one word in the log. Any other value is ignored.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header, in requests and answers.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_CHARS: usize = 128;

/// A request's id, for handlers that pass it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// The client's id for its request if it sent a valid one, otherwise a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(X_REQUEST_ID);
        let sent = match (sent.next(), sent.next()) {
            (Some(sent), None) => sent.to_str().ok().filter(|text| is_valid(text)),
            (None, _) | (Some(_), Some(_)) => None,
        };
        Self(sent.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

fn is_valid(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
