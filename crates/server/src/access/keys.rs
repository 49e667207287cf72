//! API keys: a secret, compared in constant time, identifies the caller.
//!
//! Only digests are kept, so neither a memory dump nor a log shows a key. SHA-256 without salt or stretching is enough for keys that cannot
//! be guessed, which the minimum length ensures; it would not be for passwords. The invariant: the time of a comparison depends on the
//! number of keys, never on which key matches or on how much of it.

use std::fmt;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::jobs::Priority;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use super::refusal::Refusal;

/// The minimum length of a key: 16 random base64 characters are 96 bits.
pub const MIN_KEY_CHARS: usize = 16;
/// The maximum length, so that every key fits into a header.
pub const MAX_KEY_CHARS: usize = 512;
/// The maximum length of a key's name.
const MAX_NAME_CHARS: usize = 64;

/// A key's name, the digest of the key itself, and the priority of its jobs.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    name: String,
    digest: [u8; 32],
    priority: Priority,
}

/// A fault in a key or its name; it never contains the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// Names are also folder names and appear in logs.
    #[error("a key's name has 1..={MAX_NAME_CHARS} characters of a-z, 0-9, '-', '_' and '.', the first and the last a letter or a digit")]
    Name,
    /// The key could be guessed, or fits into no header.
    #[error("the key {name:?} has {chars} characters, which is outside {MIN_KEY_CHARS}..={MAX_KEY_CHARS}")]
    Length {
        /// The key's name.
        name: String,
        /// The key's length.
        chars: usize,
    },
    /// Headers carry visible ASCII.
    #[error("the key {name:?} has a character that is no visible ASCII")]
    Characters {
        /// The key's name.
        name: String,
    },
    /// Not a SHA-256 digest.
    #[error("the sha256 of the key {name:?} is not 64 hexadecimal digits")]
    Digest {
        /// The key's name.
        name: String,
    },
}

impl ApiKey {
    /// A key in plain text; only its digest is kept.
    ///
    /// # Errors
    /// [`ApiKeyError`] if the name or the key is outside its limits.
    pub fn new(name: &str, key: &str) -> Result<Self, ApiKeyError> {
        let checked = Self::named(name, digest(key.as_bytes()))?;
        let chars = key.chars().count();
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiKeyError::Characters { name: checked.name });
        }
        if !(MIN_KEY_CHARS..=MAX_KEY_CHARS).contains(&chars) {
            return Err(ApiKeyError::Length { name: checked.name, chars });
        }
        Ok(checked)
    }

    /// A key that the operator gives as its SHA-256, in hexadecimal digits.
    ///
    /// # Errors
    /// [`ApiKeyError`] if the name is outside its limits or `hex` is not a digest.
    pub fn from_sha256(name: &str, hex: &str) -> Result<Self, ApiKeyError> {
        let digest = from_hex(hex).ok_or_else(|| ApiKeyError::Digest { name: name.to_owned() });
        Self::named(name, digest?)
    }

    fn named(name: &str, digest: [u8; 32]) -> Result<Self, ApiKeyError> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
        let bytes = name.as_bytes();
        if bytes.len() <= MAX_NAME_CHARS && edge(bytes.first()) && edge(bytes.last()) && name.bytes().all(inner) && !name.contains("..") {
            Ok(Self { name: name.to_owned(), digest, priority: Priority::default() })
        } else {
            Err(ApiKeyError::Name)
        }
    }

    /// The same key with this priority for its jobs.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// The priority of its jobs.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The name of its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether both are the same key, whatever their names.
    pub(crate) fn same_key(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The keys of this server.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    pub(crate) fn new(keys: Vec<ApiKey>) -> Self {
        Self(keys)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ApiKey::name)
    }

    /// The configured key that equals the presented one.
    fn matching(&self, presented: &[u8]) -> Option<&ApiKey> {
        let presented = digest(presented);
        // One past the last index: no key.
        let mut found = self.0.len() as u64;
        for (place, key) in self.0.iter().enumerate() {
            found.conditional_assign(&(place as u64), key.digest.ct_eq(&presented));
        }
        self.0.get(usize::try_from(found).ok()?)
    }

    /// The caller's key, from the `Authorization` header; `None` if the header is missing or empty, as some clients without a key send it.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if the key is not one of ours, or there are several headers.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Option<&ApiKey>, Refusal> {
        let mut values = headers.get_all(AUTHORIZATION);
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) if value.as_bytes().trim_ascii().is_empty() => return Ok(None),
            (Some(value), None) => value,
            (Some(_), Some(_)) => return Err(Refusal::Unauthorized),
        };
        let text = value.to_str().map_err(|_| Refusal::Unauthorized)?;
        let (scheme, rest) = text.trim().split_once(' ').ok_or(Refusal::Unauthorized)?;
        let rest = rest.trim_start();
        let key = if scheme.eq_ignore_ascii_case("bearer") {
            self.matching(rest.as_bytes())
        } else if scheme.eq_ignore_ascii_case("basic") {
            let pair = BASE64_STANDARD.decode(rest).map_err(|_| Refusal::Unauthorized)?;
            // The user name ends at the first colon and is ignored; the password is the key.
            let colon = pair.iter().position(|byte| *byte == b':').ok_or(Refusal::Unauthorized)?;
            self.matching(pair.get(colon + 1..).unwrap_or_default())
        } else {
            None
        };
        key.map(Some).ok_or(Refusal::Unauthorized)
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Sixty-four hexadecimal digits as bytes.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use actix_web::http::header::HeaderValue;

    use super::*;

    const KEY: &str = "correct-horse-battery";

    fn keys() -> ApiKeys {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let other = ApiKey::new("bob.1", "another-key-of-bobs").unwrap();
        ApiKeys::new(vec![other, ApiKey::new("alice", KEY).unwrap(), ApiKey::from_sha256("old", digest).unwrap()])
    }

    fn caller(values: &[&str]) -> Result<Option<String>, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        keys().caller(&headers).map(|key| key.map(|key| key.name().to_owned()))
    }

    #[test]
    fn a_key_identifies_its_owner_in_either_scheme() {
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        let alice = Ok(Some("alice".to_owned()));
        assert_eq!(caller(&[&format!("Bearer {KEY}")]), alice);
        assert_eq!(caller(&[&format!("bEARER   {KEY}")]), alice);
        assert_eq!(caller(&[&basic(&format!("anyone:{KEY}"))]), alice);
        assert_eq!(caller(&[&basic(&format!(":{KEY}"))]), alice);
        assert_eq!(caller(&["Bearer another-key-of-bobs"]), Ok(Some("bob.1".into())));
        // The SHA-256 of "test" is the digest above.
        assert_eq!(caller(&["Bearer test"]), Ok(Some("old".into())));
        assert_eq!(caller(&[]), Ok(None));
        assert_eq!(caller(&[""]), Ok(None));
    }

    #[test]
    fn keys_and_names_have_limits() {
        let long = "k".repeat(MAX_KEY_CHARS + 1);
        for name in ["", "Alice", "a b", "-a", "a.", "a..b", "a/b", "\u{e4}", &"a".repeat(65)] {
            assert_eq!(ApiKey::new(name, KEY), Err(ApiKeyError::Name), "{name:?}");
        }
        for (key, chars) in [("", 0), ("fifteen-letters", 15), (long.as_str(), 513)] {
            assert_eq!(ApiKey::new("a", key), Err(ApiKeyError::Length { name: "a".into(), chars }), "{key:?}");
        }
        for key in ["with a space in it", "with-a-\u{e4}-in-the-middle", "with-a-newline-at-the-end\n"] {
            assert_eq!(ApiKey::new("a", key), Err(ApiKeyError::Characters { name: "a".into() }), "{key:?}");
        }
        for hex in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert!(ApiKey::from_sha256("a", hex).is_err(), "{hex:?}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("alice", KEY).unwrap();
        assert_eq!(format!("{key:?}"), r#"ApiKey { name: "alice", .. }"#);
    }
}
