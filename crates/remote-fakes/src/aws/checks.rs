//! Checks whether a request is signed by the account, for this region and service, at about this time.
//!
//! Refusals use the names and texts of Amazon's services; S3 has its own texts for the same faults.

use std::time::{Duration, SystemTime};

use super::{
    Account,
    sigv4::{ALGORITHM, Canonical, Scope, digest, encode_path},
    stamp, unstamp,
};
use crate::Recorded;

/// Maximum difference between a signature's time and the server's clock.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// The maximum lifetime of a presigned URL, in seconds.
const LONGEST: u64 = 604_800;

/// Why a signature is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request is not signed.
    Missing,
    /// It lacks a part, or a part is malformed.
    Incomplete(String),
    /// The access key or the session token is unknown.
    UnknownKey,
    /// The session token has expired.
    ExpiredToken,
    /// Made for another region, service or day; the text says which.
    Scope(String),
    /// Signed too long ago, or in the future.
    Time(String),
    /// The presigned URL expired at this time.
    ExpiredUrl(SystemTime),
    /// The signature does not match this request.
    Mismatch,
    /// The body does not match the digest in its header.
    Payload,
}

/// Checks the `authorization` header of a request.
pub(crate) fn check_header(request: &Recorded, account: &Account, service: &str, now: SystemTime) -> Result<(), Refusal> {
    let header = request.header("authorization").ok_or(Refusal::Missing)?;
    let incomplete = |what: &str| Refusal::Incomplete(format!("Authorization header requires '{what}' parameter."));
    let parts = header.strip_prefix(ALGORITHM).ok_or_else(|| Refusal::Incomplete("Unsupported AWS 'algorithm'".to_owned()))?;
    let part = |name: &str| {
        let mut parts = parts.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).ok_or_else(|| incomplete(name))
    };
    let (credential, names, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let sent = request.header("x-amz-date").ok_or_else(|| incomplete("X-Amz-Date"))?;
    let scope = check_credential(&credential, sent, account, service)?;
    check_token(request.header("x-amz-security-token"), account, now)?;
    check_time(sent, now)?;
    let body = digest(&request.body);
    let payload = match request.header("x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
        Some(claimed) if claimed != body => return Err(Refusal::Payload),
        Some(_) | None => body,
    };
    let canonical = canonical(request, &names, request.query_pairs(), service, payload)?;
    if canonical.sign(&account.secret_key, &scope, sent) == signature { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// Whether the query contains a signature.
pub(crate) fn is_presigned(request: &Recorded) -> bool {
    request.query_pairs().iter().any(|(name, _)| name == "X-Amz-Signature")
}

/// Checks a presigned URL.
pub(crate) fn check_query(request: &Recorded, account: &Account, service: &str, now: SystemTime) -> Result<(), Refusal> {
    let mut query = request.query_pairs();
    let missing = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, \
                   X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    let part = |name: &str| request.query_value(name).ok_or_else(|| Refusal::Incomplete(missing.to_owned()));
    if part("X-Amz-Algorithm")? != ALGORITHM {
        return Err(Refusal::Incomplete("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"".to_owned()));
    }
    let (sent, seconds) = (part("X-Amz-Date")?, part("X-Amz-Expires")?);
    let seconds: u64 = seconds.parse().map_err(|_| Refusal::Incomplete("X-Amz-Expires should be a number".to_owned()))?;
    if seconds > LONGEST {
        return Err(Refusal::Incomplete("X-Amz-Expires must be less than a week (in seconds)".to_owned()));
    }
    let scope = check_credential(&part("X-Amz-Credential")?, &sent, account, service)?;
    check_token(request.query_value("X-Amz-Security-Token").as_deref(), account, now)?;
    let signed_at = unstamp(&sent).ok_or_else(|| Refusal::Incomplete("X-Amz-Date must be in the ISO8601 Long Format".to_owned()))?;
    if signed_at > now + SKEW {
        return Err(Refusal::Time("Request is not valid yet".to_owned()));
    }
    let end = signed_at + Duration::from_secs(seconds);
    if end < now {
        return Err(Refusal::ExpiredUrl(end));
    }
    query.retain(|(name, _)| name != "X-Amz-Signature");
    let canonical = canonical(request, &part("X-Amz-SignedHeaders")?, query, service, "UNSIGNED-PAYLOAD".to_owned())?;
    if canonical.sign(&account.secret_key, &scope, &sent) == part("X-Amz-Signature")? { Ok(()) } else { Err(Refusal::Mismatch) }
}

fn canonical<'a>(
    request: &'a Recorded,
    names: &str,
    query: Vec<(String, String)>,
    service: &str,
    payload: String,
) -> Result<Canonical<'a>, Refusal> {
    let names: Vec<_> = names.split(';').collect();
    let unsigned =
        request.headers.iter().find(|(name, _)| (name == "host" || name.starts_with("x-amz-")) && !names.contains(&name.as_str()));
    if let Some((name, _)) = unsigned {
        return Err(Refusal::Incomplete(format!("'{name}' must be a signed header")));
    }
    let header = |name: &str| {
        let value = request.header(name).ok_or_else(|| Refusal::Incomplete(format!("The signed header '{name}' is missing")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let headers = names.iter().map(|name| header(name)).collect::<Result<_, Refusal>>()?;
    // S3 signs the path as sent; all other services sign it encoded once more.
    let path = if service == "s3" { request.path.clone() } else { encode_path(&request.path) };
    Ok(Canonical { method: &request.method, path, query, headers, payload })
}

/// Parses the scope, which must have the account's key, this region, this service and the day of the request.
fn check_credential(credential: &str, sent: &str, account: &Account, service: &str) -> Result<Scope, Refusal> {
    let [key, date, region, named, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err(Refusal::Incomplete(format!("Credential must have exactly 5 slash-delimited elements, got '{credential}'")));
    };
    if key != account.access_key {
        return Err(Refusal::UnknownKey);
    }
    if region != account.region {
        return Err(Refusal::Scope(format!("Credential should be scoped to a valid region, not '{region}'.")));
    }
    if named != service {
        return Err(Refusal::Scope(format!("Credential should be scoped to correct service: '{service}'.")));
    }
    if !sent.starts_with(date) || date.len() != 8 {
        return Err(Refusal::Scope(format!("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: '{date}'")));
    }
    Ok(Scope { date: date.to_owned(), region: region.to_owned(), service: named.to_owned() })
}

fn check_token(sent: Option<&str>, account: &Account, now: SystemTime) -> Result<(), Refusal> {
    if sent != account.session_token.as_deref() {
        return Err(Refusal::UnknownKey);
    }
    if account.expires.is_some_and(|expires| expires <= now) { Err(Refusal::ExpiredToken) } else { Ok(()) }
}

fn check_time(sent: &str, now: SystemTime) -> Result<(), Refusal> {
    let time = unstamp(sent).ok_or_else(|| Refusal::Incomplete("Date must be in ISO-8601 'basic format'".to_owned()))?;
    let (server, oldest, latest) = (stamp(now), stamp(now - SKEW), stamp(now + SKEW));
    if time < now - SKEW {
        return Err(Refusal::Time(format!("Signature expired: {sent} is now earlier than {oldest} ({server} - 5 min.)")));
    }
    if time > now + SKEW {
        return Err(Refusal::Time(format!("Signature not yet current: {sent} is still later than {latest} ({server} + 5 min.)")));
    }
    Ok(())
}
