//! A request as it arrived, byte for byte: nothing is decoded or normalized.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A request as it arrived.
#[derive(Clone)]
pub struct Recorded {
    /// The method: "POST".
    pub method: String,
    /// The path as sent, with its percent-encoding.
    pub path: String,
    /// The text after the question mark, as sent; `None` without one.
    pub query: Option<String>,
    /// Headers in order of arrival; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Recorded {
    /// The first header with this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The bearer token of the `authorization` header.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The path's segments between slashes, each decoded once.
    pub fn segments(&self) -> Vec<String> {
        self.path.trim_start_matches('/').split('/').map(decode).collect()
    }

    /// The query's pairs, decoded once, in order. A plus sign stays a plus sign.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        let pairs = self.query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
    }

    /// The query's first value with this name, decoded once.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The declared media type, in lower case, without parameters; empty if there is none.
    pub fn media_type(&self) -> String {
        let claimed = self.header("content-type").unwrap_or_default();
        claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        write!(f, " {:?} ({} bytes)", self.headers, self.body.len())
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
