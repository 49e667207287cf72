//! Signs requests by hand, so that a test can make mistakes that no SDK makes.

use std::time::SystemTime;

use super::{
    Account,
    sigv4::{ALGORITHM, Canonical, Scope, digest, encode_path},
    stamp,
};

/// A request to sign; tests may set any field to a wrong value.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// The method.
    pub method: &'static str,
    /// The path as sent.
    pub path: String,
    /// The path as signed; `None` is the right one for the service.
    pub signed_path: Option<String>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// The body as signed; `None` is the body as sent.
    pub signed_body: Option<Vec<u8>>,
    /// The region that the key is derived for.
    pub region: String,
    /// The service that the key is derived for.
    pub service: String,
    /// The time of the signature.
    pub time: SystemTime,
    /// Headers in addition to those that every signature has; they are signed too.
    pub headers: Vec<(String, String)>,
}

impl SignedRequest {
    /// A correct request for the account's region.
    pub fn new(account: &Account, service: &str, method: &'static str, path: impl Into<String>, time: SystemTime) -> Self {
        let (region, service) = (account.region.clone(), service.to_owned());
        let (path, body, headers) = (path.into(), Vec::new(), Vec::new());
        Self { method, path, signed_path: None, body, signed_body: None, region, service, time, headers }
    }

    /// All headers of the signed request to this host ("127.0.0.1:40000") except `host`, which the client adds.
    pub fn sign(&self, account: &Account, host: &str) -> Vec<(String, String)> {
        let time = stamp(self.time);
        let mut headers = self.headers.clone();
        headers.push(("x-amz-date".to_owned(), time.clone()));
        headers.extend(account.session_token.clone().map(|token| ("x-amz-security-token".to_owned(), token)));
        let payload = digest(self.signed_body.as_ref().unwrap_or(&self.body));
        let mut path = self.signed_path.clone().unwrap_or_else(|| encode_path(&self.path));
        if self.service == "s3" {
            headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
            path.clone_from(&self.path);
        }
        let signed = headers.iter().cloned().chain([("host".to_owned(), host.to_owned())]).collect();
        let canonical = Canonical { method: self.method, path, query: Vec::new(), headers: signed, payload };
        let date = time.split('T').next().unwrap_or_default().to_owned();
        let scope = Scope { date, region: self.region.clone(), service: self.service.clone() };
        let signature = canonical.sign(&account.secret_key, &scope, &time);
        let (key, scope, names) = (&account.access_key, scope.text(), canonical.signed_headers());
        let value = format!("{ALGORITHM} Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}");
        headers.push(("authorization".to_owned(), value));
        headers
    }
}
