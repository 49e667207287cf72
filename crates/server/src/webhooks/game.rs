//! The callback to a G.A.M.E agent's requests API: its address and its key.
//!
//! The operator sets the base address and the key; the client chooses the request's name. It must not know what the message says. The
//! invariants: the name is one segment of the address, whatever it contains; the key is sent to the operator's address only, and never
//! logged.

use std::fmt;

use guarded_http::{AllowedHost, Guard, GuardSettings, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::Message;

/// The characters to escape in a segment: all that RFC 3986 reserves.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The operator's callback: where results are posted, and with which key.
#[derive(Clone)]
pub struct GameCallback {
    base: String,
    key: HeaderValue,
    /// Allows the operator's own address even if it is private.
    guard: Guard,
}

/// Invalid settings of a callback. The error does not contain the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallback {
    /// Not an http or https address.
    #[error("the callback's address is no http or https address without a query")]
    Address,
    /// A header cannot hold the key.
    #[error("the callback's key has characters that a header cannot hold")]
    Key,
}

impl GameCallback {
    /// A callback to `{base}/{request id}/callback`, with the key as `x-api-key`. `guard` checks all other addresses.
    ///
    /// # Errors
    /// [`InvalidCallback`].
    pub fn new(base: &str, key: &SecretString, guard: &GuardSettings) -> Result<Self, InvalidCallback> {
        let url = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none());
        let url = url.filter(Url::has_host).ok_or(InvalidCallback::Address)?;
        let mut key = HeaderValue::from_str(key.expose_secret()).map_err(|_| InvalidCallback::Key)?;
        key.set_sensitive(true);
        let mut guard = guard.clone();
        guard.allow.extend(AllowedHost::of_url(&url));
        Ok(Self { base: base.trim_end_matches('/').to_owned(), key, guard: Guard::new(guard) })
    }

    /// The callback address of the request with this name.
    pub(crate) fn url(&self, request_id: &str) -> String {
        format!("{}/{}/callback", self.base, utf8_percent_encode(request_id, SEGMENT))
    }

    /// A message to the callback.
    pub(crate) fn message(&self, body: Vec<u8>) -> Message {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), self.key.clone())]);
        Message { body, headers, guard: Some(self.guard.clone()) }
    }
}

impl fmt::Debug for GameCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GameCallback").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn callback(base: &str) -> GameCallback {
        GameCallback::new(base, &"hunter2".to_owned().into(), &GuardSettings::default()).unwrap()
    }

    #[test]
    fn a_name_is_one_segment_of_the_address() {
        let game = callback("https://game.example/requests/");
        for (name, expected) in [
            ("8e03978e-40d5", "https://game.example/requests/8e03978e-40d5/callback"),
            ("../admin", "https://game.example/requests/..%2Fadmin/callback"),
            ("a/b?c=d#e", "https://game.example/requests/a%2Fb%3Fc%3Dd%23e/callback"),
            ("a%2Fb", "https://game.example/requests/a%252Fb/callback"),
            ("@evil.example", "https://game.example/requests/%40evil.example/callback"),
        ] {
            assert_eq!(game.url(name), expected);
            let url = Url::parse(&game.url(name)).unwrap();
            assert_eq!((url.as_str(), url.host_str()), (expected, Some("game.example")));
        }
        assert!(!format!("{game:?}").contains("hunter2"));
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let new = |base: &str, key: &str| GameCallback::new(base, &key.to_owned().into(), &GuardSettings::default()).err();
        for base in ["game.example", "ftp://game.example", "https://game.example/?a=b"] {
            assert_eq!(new(base, "k"), Some(InvalidCallback::Address), "{base}");
        }
        assert_eq!(new("https://game.example", "a\nb"), Some(InvalidCallback::Key));
        assert_eq!(new("http://127.0.0.1:9000", "k"), None);
    }
}
