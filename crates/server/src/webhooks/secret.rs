//! What webhooks are signed with, and the signature: Standard Webhooks' symmetric one.
//!
//! The invariant: the secret is never printed.

use std::{fmt, io, path::Path, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::files::secret_file;

/// What every written secret begins with.
const PREFIX: &str = "whsec_";
/// The fewest and the most bytes of a secret, as the standard has it.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret that messages to callbacks are signed with. Receivers have it too.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

/// A text that is no secret. It does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is \"whsec_\" and base64 of {} to {} random bytes", BYTES.start(), BYTES.end())]
pub struct InvalidWebhookSecret;

impl WebhookSecret {
    /// A new one, good for as long as it is kept.
    pub fn random() -> Self {
        // A version 4 UUID has 122 random bits from the operating system.
        Self([(); 2].map(|()| Uuid::new_v4().into_bytes()).as_flattened().to_vec())
    }

    /// The one that a file keeps; drawn and written, for its owner's eyes alone, if there is no such file yet. Receivers are given the
    /// file's text.
    ///
    /// # Errors
    /// If the file cannot be read or made, or holds something else.
    pub fn kept_in(path: &Path) -> io::Result<Self> {
        let text = secret_file::kept_in(path, || format!("{}\n", Self::random().written()))?;
        text.trim().parse().map_err(|error| {
            let reason = format!("{error}; remove it to have a new secret drawn, which those who check messages must then have");
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })
    }

    fn written(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    /// The value of `webhook-signature`: "v1," and base64 of the HMAC-SHA256 of id, time (in seconds since 1970) and body.
    pub(super) fn signature(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        // An HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl FromStr for WebhookSecret {
    type Err = InvalidWebhookSecret;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookSecret> {
        let bytes = text.strip_prefix(PREFIX).and_then(|base64| BASE64_STANDARD.decode(base64).ok());
        bytes.filter(|bytes| BYTES.contains(&bytes.len())).map(Self).ok_or(InvalidWebhookSecret)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_signature_is_the_standards_own() {
        // The example of the standard's reference implementations.
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature = secret.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_read_and_never_printed() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***"] {
            assert_eq!(text.parse::<WebhookSecret>().err(), Some(InvalidWebhookSecret), "{text}");
        }
        assert_eq!(format!("{:?}", WebhookSecret::random()), "WebhookSecret");
    }

    #[test]
    fn a_drawn_secret_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webhook-secret");
        let drawn = WebhookSecret::kept_in(&path).unwrap();
        assert_eq!(WebhookSecret::kept_in(&path).unwrap().0, drawn.0);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), drawn.written());
        std::fs::write(&path, "short").unwrap();
        assert!(WebhookSecret::kept_in(&path).is_err());
    }
}
