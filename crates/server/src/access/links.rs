//! Signed links: anyone who has one can open one file until it expires. They exist because a browser's `<video>` cannot send a key.
//!
//! The signature is an HMAC-SHA256 over owner, path and expiry. The owner is not in the link: the check tries every owner, of whom there
//! are few, so a link dies with its owner's key. The invariants: the signature is compared in constant time; a path is signed and checked
//! only in its canonical spelling; the expiry is checked only after the signature, so that "expired" never reveals that a link was once
//! valid.

use std::{
    fmt, io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::keys::from_hex;
use crate::files::secret_file;

/// The key that signs links.
#[derive(Clone)]
pub struct LinkSecret([u8; 32]);

impl LinkSecret {
    /// Derived from a text that the operator chose: servers with the same text accept each other's links.
    pub fn from_text(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// A new random secret, valid for as long as it is kept.
    pub fn random() -> Self {
        // A version 4 UUID has 122 random bits from the operating system.
        let drawn = [(); 3].map(|()| Uuid::new_v4().into_bytes());
        Self(Sha256::digest(drawn.as_flattened()).into())
    }

    /// The secret kept in a file; if the file does not exist, it is created with a random secret and readable by its owner only.
    ///
    /// # Errors
    /// If the file cannot be read or created, or has other contents.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        let text = secret_file::load_or_create(path, || Ok(Self::random().0.iter().map(|byte| format!("{byte:02x}")).collect()))?;
        let secret = from_hex(text.trim()).map(Self);
        secret.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not contain 64 hexadecimal digits; remove it to create a new secret, which invalidates all existing links",
            )
        })
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret")
    }
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// This server did not sign it.
    #[error("the link is not signed by this server")]
    Forged,
    /// This server signed it, but it has expired.
    #[error("the link has expired")]
    Expired,
}

/// Signs links and checks them.
#[derive(Clone, Debug)]
pub struct SignedLinks {
    secret: LinkSecret,
}

impl SignedLinks {
    /// Signs with this secret.
    pub fn new(secret: LinkSecret) -> Self {
        Self { secret }
    }

    /// The query, with its question mark, that opens `owner`'s file at `path` until `expires_at` (whole seconds).
    pub fn sign(&self, owner: &str, path: &str, expires_at: SystemTime) -> String {
        let expires = seconds(expires_at);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.mac(owner, path, expires).finalize().into_bytes());
        format!("?expires={expires}&signature={signature}")
    }

    /// The owner whose file at `path` this query (without its question mark) opens.
    ///
    /// # Errors
    /// [`LinkError::Forged`] if it is not our signature of this path and expiry, or the query has other parameters; [`LinkError::Expired`]
    /// if the signature is valid but `now` is not before the expiry.
    pub fn check<'a>(
        &self,
        owners: impl IntoIterator<Item = &'a str>,
        path: &str,
        query: &str,
        now: SystemTime,
    ) -> Result<&'a str, LinkError> {
        let (expires, signature) = parse(query).ok_or(LinkError::Forged)?;
        if !is_canonical(path) {
            return Err(LinkError::Forged);
        }
        let mut found = None;
        for owner in owners {
            if self.mac(owner, path, expires).verify_slice(&signature).is_ok() {
                found = Some(owner);
            }
        }
        match found {
            None => Err(LinkError::Forged),
            Some(_) if seconds(now) >= expires => Err(LinkError::Expired),
            Some(owner) => Ok(owner),
        }
    }

    fn mac(&self, owner: &str, path: &str, expires: u64) -> Hmac<Sha256> {
        // RFC 2104 pads a shorter key with zeros to the block length.
        let mut key = [0; 64];
        for (to, from) in key.iter_mut().zip(self.secret.0) {
            *to = from;
        }
        let mut mac = Hmac::<Sha256>::new(&key.into());
        // Neither an owner's name nor a canonical path contains a line break.
        mac.update(format!("framewright link 1\n{owner}\n{path}\n{expires}").as_bytes());
        mac
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Expiry and signature of a query that has exactly these two.
fn parse(query: &str) -> Option<(u64, Vec<u8>)> {
    let (mut expires, mut signature) = (None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=')?;
        let place = match name {
            "expires" => &mut expires,
            "signature" => &mut signature,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let expires = expires.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((expires.parse().ok()?, BASE64_URL_SAFE_NO_PAD.decode(signature?).ok()?))
}

/// Whether the path has the canonical spelling: plain names between single slashes.
fn is_canonical(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = |name: &str| !name.is_empty() && name.bytes().all(plain) && name.bytes().any(|byte| byte != b'.');
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(name))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const PATH: &str = "/files/vid_0123456789ab/video.mp4";
    const OWNERS: [&str; 3] = ["alice", "bob", ""];

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_link_opens_its_file_until_it_expires() {
        let links = SignedLinks::new(LinkSecret::from_text("secret"));
        for owner in OWNERS {
            let query = links.sign(owner, PATH, at(1_000));
            let query = query.strip_prefix('?').unwrap();
            assert_eq!(links.check(OWNERS, PATH, query, at(999)), Ok(owner));
            assert_eq!(links.check(OWNERS, PATH, query, at(1_000)), Err(LinkError::Expired));
            let (expires, signature) = query.split_once('&').unwrap();
            assert_eq!(links.check(OWNERS, PATH, &format!("{signature}&{expires}"), at(0)), Ok(owner));
        }
    }

    #[test]
    fn the_signature_is_an_hmac_that_others_can_compute() {
        // Python: hmac.new(hashlib.sha256(b"secret").digest(), b"framewright link 1\nalice\n/files/a/b.png\n1000", "sha256")
        let links = SignedLinks::new(LinkSecret::from_text("secret"));
        let query = links.sign("alice", "/files/a/b.png", at(1_000));
        assert_eq!(query, "?expires=1000&signature=dxma5ofBmP7t955vH2NrZd5BrVqB8OvNTfSs3cIgXes");
    }

    #[test]
    fn the_secret_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("link-secret");
        let drawn = LinkSecret::load_or_create(&path).unwrap();
        assert_eq!(LinkSecret::load_or_create(&path).unwrap().0, drawn.0);
        std::fs::write(&path, "short").unwrap();
        assert!(LinkSecret::load_or_create(&path).is_err());
        assert_ne!(LinkSecret::random().0, LinkSecret::random().0);
        assert_eq!(format!("{drawn:?}"), "LinkSecret");
    }
}
