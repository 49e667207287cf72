//! Signed links that expire, as object storages give them out.
//!
//! It must not know any provider. The signature is a digest of the path, the time and a fixed secret: nothing rests on it.

use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::{Clock, Recorded, Reply};

/// How long a link is good.
const LIFE: Duration = Duration::from_secs(3600);

/// Makes links and judges them.
#[derive(Clone, Debug)]
pub(crate) struct Links(Clock);

impl Links {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(clock)
    }

    /// A link to a path of an origin.
    pub(crate) fn sign(&self, origin: &str, path: &str) -> String {
        let until = self.seconds() + LIFE.as_secs();
        format!("{origin}{path}?Expires={until}&Signature={}", signature(path, until))
    }

    /// Whether a request brings a good link.
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

/// What S3 says of a link that is not good any more.
pub(crate) fn expired() -> Reply {
    Reply::bytes(403, "application/xml", "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
}
