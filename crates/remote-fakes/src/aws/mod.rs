//! The common part of Amazon's services: the account, and the check of its signatures.
//!
//! The signatures follow Amazon's description of Signature Version 4, without any code of the SDK.

mod checks;
mod client;
pub(crate) mod sigv4;

use std::time::SystemTime;

use jiff::Timestamp;

pub(crate) use checks::{Refusal, check_header, check_query, is_presigned};
pub use client::SignedRequest;

/// The account that the fakes know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The access key's id.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token, if the keys are temporary.
    pub session_token: Option<String>,
    /// The expiry of temporary keys, by the fakes' clock.
    pub expires: Option<SystemTime>,
    /// The Bedrock API key.
    pub bearer: Option<String>,
    /// The fakes' region.
    pub region: String,
}

impl Default for Account {
    /// Amazon's own example keys, in us-east-1, which has Nova Reel 1.1.
    fn default() -> Self {
        Self {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
            expires: None,
            bearer: None,
            region: "us-east-1".to_owned(),
        }
    }
}

/// Formats a time as signatures do: "20261129T071500Z".
pub(crate) fn stamp(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string()).unwrap_or_default()
}

/// Parses a [`stamp`].
pub(crate) fn unstamp(text: &str) -> Option<SystemTime> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(jiff::tz::Offset::UTC.to_timestamp(time).ok()?.into())
}

/// Formats a time as Amazon's JSON does: "2026-11-29T07:15:00Z".
pub(crate) fn iso(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}
