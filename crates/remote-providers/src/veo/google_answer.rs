//! Interprets Google's answers: operation names, operation states, and errors.
//!
//! It sends nothing. The invariants: an operation's name becomes part of an address only if it is a relative path of plain segments; an
//! error repeats Google's message without the key.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::{NAME, fault};
use crate::{
    ErrorKind, ProviderError,
    fields::{MAX_ID, public},
    http::{self, Answer},
};

/// A running or finished operation.
#[derive(Debug)]
pub(super) enum Operation {
    Running,
    Failed(ProviderError),
    /// The first video's object in the answer.
    Finished(Value),
}

/// The operation's name from the answer to a start.
///
/// # Errors
/// The error in the answer, or [`ErrorKind::Protocol`] if there is no name that is safe in an address.
pub(super) fn operation_name(answer: &Answer, key: &SecretString) -> Result<String, ProviderError> {
    let body = answer.json();
    if !answer.status.is_success() {
        return Err(refusal(answer, &body, key));
    }
    let name = body.get("name").and_then(Value::as_str).filter(|name| is_operation(name));
    let name = name.ok_or_else(|| fault(ErrorKind::Protocol, "the answer to the start names no operation that can be asked for"));
    name.map(str::to_owned).map_err(ProviderError::maybe_started)
}

/// Whether this is an operation name such as `models/veo/operations/abc`: no scheme, no host, no query, no dot segments.
pub(super) fn is_operation(name: &str) -> bool {
    let is_plain = |segment: &str| {
        let is_name = !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c));
        is_name && segment != "." && segment != ".."
    };
    name.len() <= MAX_ID && name.split('/').all(is_plain) && name.split('/').rev().nth(1) == Some("operations")
}

/// The state of an operation.
///
/// # Errors
/// The error in the answer to the query.
pub(super) fn operation(answer: &Answer, key: &SecretString) -> Result<Operation, ProviderError> {
    let mut body = answer.json();
    if !answer.status.is_success() {
        return Err(refusal(answer, &body, key));
    }
    if !body.is_object() {
        return Err(fault(ErrorKind::Protocol, "the operation is no JSON object"));
    }
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        return Ok(Operation::Failed(operation_error(error, key)));
    }
    if body.get("done").and_then(Value::as_bool) != Some(true) {
        return Ok(Operation::Running);
    }
    // Moved out instead of copied: a video in base64 can have hundreds of megabytes.
    let field = |object: &mut Value, name: &str| object.get_mut(name).map(Value::take);
    let mut response = field(&mut body, "response").unwrap_or_default();
    response = field(&mut response, "generateVideoResponse").unwrap_or(response);
    let mut first = |name: &str| response.get_mut(name).and_then(|videos| videos.get_mut(0)).map(Value::take);
    if let Some(mut sample) = first("generatedSamples") {
        return Ok(Operation::Finished(field(&mut sample, "video").unwrap_or(sample)));
    }
    if let Some(video) = first("videos") {
        return Ok(Operation::Finished(video));
    }
    Ok(Operation::Failed(filtered(&response, key)))
}

/// The error of an operation that is done without a video: Google then reports its filter in place of the videos, and no error.
fn filtered(response: &Value, key: &SecretString) -> ProviderError {
    let reasons = response.get("raiMediaFilteredReasons").and_then(Value::as_array);
    let reasons: Vec<_> = reasons.into_iter().flatten().filter_map(Value::as_str).collect();
    let count = response.get("raiMediaFilteredCount").and_then(Value::as_u64).unwrap_or_default();
    if !reasons.is_empty() {
        return fault(ErrorKind::ContentFilter, public(&reasons.join(" "), key));
    }
    if count > 0 {
        return fault(ErrorKind::ContentFilter, format!("Google's filter kept {count} of the videos back, and does not say why"));
    }
    fault(ErrorKind::Failed, "the operation is done, but has no video").with_retryable(true)
}

/// The error of an operation: a google.rpc status with a gRPC code.
fn operation_error(error: &Value, key: &SecretString) -> ProviderError {
    let (status, message) = status_and_message(error, key);
    let message = if message.is_empty() { "the operation failed, and Google does not say why".to_owned() } else { message };
    let kind = if is_filter(&message) { Some(ErrorKind::ContentFilter) } else { kind_of(&status) };
    let error = fault(kind.unwrap_or(ErrorKind::Failed), message);
    if status.is_empty() { error } else { error.with_code(status) }
}

/// Maps an answer with an error status: `{"error": {code, message, status, details}}`, on Vertex sometimes in a list.
fn refusal(answer: &Answer, body: &Value, key: &SecretString) -> ProviderError {
    let error = body.get("error").or_else(|| body.get(0).and_then(|first| first.get("error")));
    let error = error.unwrap_or(&Value::Null);
    let (status, message) = status_and_message(error, key);
    let mut known = http::status_error(NAME, answer, &message);
    known.kind = kind_of(&status).unwrap_or(known.kind);
    let asked = known.retry_after.or_else(|| retry_delay(error));
    known = known.retry_after(asked);
    if has_reason(error, "API_KEY_INVALID") || message.starts_with("API key not valid") {
        // Google reports a wrong key as an invalid argument.
        known.kind = ErrorKind::Credentials;
    } else if is_filter(&message) {
        known.kind = ErrorKind::ContentFilter;
    } else if known.kind == ErrorKind::RateLimited && is_daily_quota(error) {
        known.kind = ErrorKind::Quota;
    }
    if status.is_empty() { known } else { known.with_code(status) }
}

/// The (status, message) of an error. An operation's error has gRPC's number instead of the status name.
fn status_and_message(error: &Value, key: &SecretString) -> (String, String) {
    let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str()).unwrap_or_default();
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| usize::try_from(code).ok());
    let status = error.get("status").and_then(Value::as_str).or_else(|| STATUSES.get(code?).map(|(name, _)| *name));
    (public(status.unwrap_or_default(), key), public(message, key))
}

/// gRPC's statuses in the order of their numbers, and their kinds. Source: google/rpc/code.proto.
const STATUSES: [(&str, ErrorKind); 17] = [
    ("OK", ErrorKind::Protocol),
    ("CANCELLED", ErrorKind::Failed),
    ("UNKNOWN", ErrorKind::Unavailable),
    ("INVALID_ARGUMENT", ErrorKind::InvalidRequest),
    ("DEADLINE_EXCEEDED", ErrorKind::Unavailable),
    ("NOT_FOUND", ErrorKind::NotFound),
    ("ALREADY_EXISTS", ErrorKind::InvalidRequest),
    ("PERMISSION_DENIED", ErrorKind::Forbidden),
    ("RESOURCE_EXHAUSTED", ErrorKind::RateLimited),
    ("FAILED_PRECONDITION", ErrorKind::Forbidden),
    ("ABORTED", ErrorKind::Unavailable),
    ("OUT_OF_RANGE", ErrorKind::InvalidRequest),
    ("UNIMPLEMENTED", ErrorKind::NotFound),
    ("INTERNAL", ErrorKind::Unavailable),
    ("UNAVAILABLE", ErrorKind::Unavailable),
    ("DATA_LOSS", ErrorKind::Failed),
    ("UNAUTHENTICATED", ErrorKind::Credentials),
];

fn kind_of(status: &str) -> Option<ErrorKind> {
    STATUSES.iter().find(|(name, _)| *name == status).map(|(_, kind)| *kind)
}

/// Whether the message reports a filter: Google has no code for it.
fn is_filter(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["responsible ai", "usage guidelines", "safety filter", "safety settings", "prohibited use"].iter().any(|words| message.contains(words))
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error.get("details").and_then(Value::as_array).into_iter().flatten()
}

fn has_reason(error: &Value, reason: &str) -> bool {
    details(error).any(|detail| detail.get("reason").and_then(Value::as_str) == Some(reason))
}

/// google.rpc.RetryInfo: "37s" or "37.5s".
fn retry_delay(error: &Value) -> Option<Duration> {
    let delay = details(error).find_map(|detail| detail.get("retryDelay").and_then(Value::as_str))?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

/// google.rpc.QuotaFailure: a daily quota does not recover in a moment.
fn is_daily_quota(error: &Value) -> bool {
    let violations = details(error).filter_map(|detail| detail.get("violations").and_then(Value::as_array)).flatten();
    violations.filter_map(|violation| violation.get("quotaId").and_then(Value::as_str)).any(|quota| quota.contains("PerDay"))
}
