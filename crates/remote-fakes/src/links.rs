//! Signed links that expire, like those of object storages.
//!
//! It must not know any provider. The signature is a digest of the path, the expiry and a fixed secret; it need not be secure.

use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::{Clock, Recorded, Reply};

/// The lifetime of a link.
const LIFE: Duration = Duration::from_secs(3600);

/// Signs and checks links.
#[derive(Clone, Debug)]
pub(crate) struct Links(Clock);

impl Links {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(clock)
    }

    /// Signs a link to a path of an origin.
    pub(crate) fn sign(&self, origin: &str, path: &str) -> String {
        let until = self.seconds() + LIFE.as_secs();
        format!("{origin}{path}?Expires={until}&Signature={}", signature(path, until))
    }

    /// Whether a request has a valid link.
    pub(crate) fn is_valid(&self, request: &Recorded) -> bool {
        let until = request.query_value("Expires").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.seconds() < until && request.query_value("Signature") == Some(signature(&request.path, until))
    }

    fn seconds(&self) -> u64 {
        self.0.now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }
}

fn signature(path: &str, until: u64) -> String {
    let digest = Sha256::digest(format!("fake storage {path} {until}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// S3's answer to an expired link.
pub(crate) fn expired() -> Reply {
    Reply::bytes(403, "application/xml", "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
}
