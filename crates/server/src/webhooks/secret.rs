//! The key of webhooks, and Standard Webhooks' symmetric signature.
//!
//! The invariant: the secret is never printed.

use std::{fmt, io, path::Path, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::files::secret_file;

/// The prefix of every written secret.
const PREFIX: &str = "whsec_";
/// The minimum and maximum number of bytes of a secret, as in the standard.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret that signs callback messages. Receivers have it too.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

/// The error for a text that is not a secret. It does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is \"whsec_\" and base64 of {} to {} random bytes", BYTES.start(), BYTES.end())]
pub struct InvalidWebhookSecret;

impl WebhookSecret {
    /// A new random secret, valid for as long as it is kept.
    pub fn random() -> Self {
        // A version 4 UUID has 122 random bits from the operating system.
        Self([(); 2].map(|()| Uuid::new_v4().into_bytes()).as_flattened().to_vec())
    }

    /// The secret kept in a file; if the file does not exist, it is created with a random secret and readable by its owner only. Receivers
    /// get the file's text.
    ///
    /// # Errors
    /// If the file cannot be read or created, or has other contents.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        let text = secret_file::load_or_create(path, || Ok(format!("{}\n", Self::random().written())))?;
        text.trim().parse().map_err(|error| {
            let reason = format!("{error}; remove it to create a new secret, which receivers must then get");
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })
    }

    fn written(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    /// The value of `webhook-signature`: "v1," and base64 of the HMAC-SHA256 of id, time (in seconds since 1970) and body.
    pub(super) fn signature(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        // An HMAC accepts a key of any length.
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
    fn invalid_secrets_are_refused_and_none_is_printed() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***"] {
            assert_eq!(text.parse::<WebhookSecret>().err(), Some(InvalidWebhookSecret), "{text}");
        }
        assert_eq!(format!("{:?}", WebhookSecret::random()), "WebhookSecret");
    }

    #[test]
    fn a_random_secret_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webhook-secret");
        let drawn = WebhookSecret::load_or_create(&path).unwrap();
        assert_eq!(WebhookSecret::load_or_create(&path).unwrap().0, drawn.0);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), drawn.written());
        std::fs::write(&path, "short").unwrap();
        assert!(WebhookSecret::load_or_create(&path).is_err());
    }
}
