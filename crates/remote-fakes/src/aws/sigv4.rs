//! Signature Version 4: the canonical request and its signature.
//!
//! Reference: "Create a signed AWS API request" in Amazon's IAM user guide.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The name of the algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a request that a signature covers.
#[derive(Clone, Debug)]
pub(crate) struct Canonical<'a> {
    pub(crate) method: &'a str,
    /// Encoded as the service requires: S3 uses the path as sent, all other services encode it once more.
    pub(crate) path: String,
    /// Decoded, in any order.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case, in any order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body's digest, or its substitute.
    pub(crate) payload: String,
}

/// Day, region and service of a derived key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

impl Canonical<'_> {
    /// The signature in hexadecimal digits.
    pub(crate) fn sign(&self, secret: &str, scope: &Scope, stamp: &str) -> String {
        let request = hex(&Sha256::digest(self.text()));
        let signed = format!("{ALGORITHM}\n{stamp}\n{}\n{request}", scope.text());
        let mut key = mac(format!("AWS4{secret}").as_bytes(), &scope.date);
        for part in [&scope.region, &scope.service, "aws4_request"] {
            key = mac(&key, part);
        }
        hex(&mac(&key, &signed))
    }

    /// The names of the signed headers, sorted and joined with semicolons.
    pub(crate) fn signed_headers(&self) -> String {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.join(";")
    }

    fn text(&self) -> String {
        let mut query: Vec<_> = self.query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        query.sort_unstable();
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}:{}\n", squeeze(value))).collect();
        headers.sort_unstable();
        let Self { method, path, payload, .. } = self;
        format!("{method}\n{path}\n{}\n{}\n{}\n{payload}", query.join("&"), headers.concat(), self.signed_headers())
    }
}

/// Percent-encodes everything except letters, digits and `-_.~`, with upper-case hexadecimal digits.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The same, but keeps slashes.
pub(crate) fn encode_path(text: &str) -> String {
    text.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// The SHA-256 digest in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

/// Trims spaces and reduces runs of spaces to one.
fn squeeze(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Canonical, Scope, digest};

    /// Amazon's example of a GET of S3 with a range, from "Authenticating Requests: Using the Authorization Header".
    #[test]
    fn amazons_example_has_amazons_signature() {
        let empty = digest(b"");
        let headers = [
            ("host", "examplebucket.s3.amazonaws.com"),
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", empty.as_str()),
            ("x-amz-date", "20130524T000000Z"),
        ];
        let canonical = Canonical {
            method: "GET",
            path: "/test.txt".to_owned(),
            query: Vec::new(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            payload: empty.clone(),
        };
        let scope = Scope { date: "20130524".to_owned(), region: "us-east-1".to_owned(), service: "s3".to_owned() };
        let signature = canonical.sign("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope, "20130524T000000Z");
        assert_eq!(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }
}
