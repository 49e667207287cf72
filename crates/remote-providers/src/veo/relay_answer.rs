//! Interprets relays' answers: OpenAI's video object, new-api's unified form, and resellers' variants.
//!
//! It sends nothing. The status words are those that new-api merges when it reads other relays; the error classes are those of the Tasks
//! API's original client with two fixes: filtered audio is not retried, and the words are also found within a sentence ("Content policy
//! violation").

use secrecy::SecretString;
use serde_json::Value;

use super::fault;
use crate::{
    ErrorKind, ProviderError,
    fields::{MAX_ID, public},
    http::{self, Answer},
};

/// Maximum nesting depth of a video's address in an answer.
const MAX_DEPTH: u32 = 4;

/// The meaning of a status word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Finished,
    Failed,
    /// An unknown word.
    Unknown(String),
}

impl State {
    /// Parses a status word, in any case.
    pub(super) fn read(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "queued" | "pending" | "submitted" | "not_start" | "preparing" | "unknown" | "notstarted" | "created" | "starting" => {
                Self::Pending
            }
            "processing" | "in_progress" | "running" | "generating" => Self::Pending,
            "completed" | "complete" | "success" | "succeeded" | "finished" => Self::Finished,
            "failed" | "failure" | "fail" | "error" | "cancelled" | "canceled" => Self::Failed,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// A job as described by an answer.
#[derive(Debug)]
pub(super) struct Job {
    /// Its id, if the answer has one that a store can keep.
    pub(super) id: Option<String>,
    /// Its state; pending if the answer has none.
    pub(super) state: State,
    /// Progress in percent.
    pub(super) progress: Option<u32>,
    /// The video's address, unresolved.
    pub(super) url: Option<String>,
    /// Why it failed.
    pub(super) failure: ProviderError,
}

impl Job {
    /// Parses an answer.
    ///
    /// # Errors
    /// The error of the request itself, from the status or the body.
    pub(super) fn read(answer: &Answer, key: &SecretString) -> Result<Self, ProviderError> {
        let body = answer.json();
        if !answer.status.is_success() {
            return Err(refusal(answer, &body, key));
        }
        if !body.is_object() {
            let reason = format!("the answer is no JSON object but {}", or_nothing(&answer.media_type));
            return Err(fault(ErrorKind::Protocol, reason).maybe_started());
        }
        let job = unwrapped(&body);
        let word = job.get("status").and_then(Value::as_str).or_else(|| body.get("status").and_then(Value::as_str));
        if word.is_none() && has_failed(&body) {
            return Err(failure(&body, key));
        }
        let state = word.map_or(State::Pending, State::read);
        let url = address(job, 0).or_else(|| address(&body, 0)).or_else(|| {
            // Older relays put the address where a failure's reason belongs.
            let reason = job.get("fail_reason").and_then(Value::as_str);
            reason.filter(|text| state == State::Finished && (text.starts_with("http") || text.starts_with("data:")))
        });
        let progress = job.get("progress").or_else(|| body.get("progress")).and_then(percent);
        let url = url.map(str::to_owned);
        Ok(Self { id: id(job).or_else(|| id(&body)), state, progress, url, failure: failure(job, key) })
    }
}

/// The job within new-api's `{code, message, data}`, or the body itself.
fn unwrapped(body: &Value) -> &Value {
    let is_job = |data: &&Value| data.get("status").is_some() || id(data).is_some();
    if body.get("status").is_some_and(Value::is_string) { body } else { body.get("data").filter(is_job).unwrap_or(body) }
}

fn id(job: &Value) -> Option<String> {
    // Older relays answer a start with only the id, as its data.
    let found = ["id", "task_id", "data"].iter().find_map(|name| job.get(*name).and_then(Value::as_str).filter(|id| !id.is_empty()))?;
    let is_usable = found.len() <= MAX_ID && !found.chars().any(char::is_control) && found != "." && found != "..";
    is_usable.then(|| found.to_owned())
}

/// 45, 45.0, "45" or "45%".
fn percent(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().trim_end_matches('%').trim_end().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (0..=100).rev().find(|percent| f64::from(*percent) <= number)
}

/// The video's address, under the names that relays use.
fn address(value: &Value, depth: u32) -> Option<&str> {
    if depth > MAX_DEPTH {
        return None;
    }
    match value {
        Value::Object(fields) => {
            let own =
                ["video_url", "result_url", "url"].iter().filter_map(|name| fields.get(*name)?.as_str()).find(|text| !text.is_empty());
            let nested = ["metadata", "data", "result", "output", "video", "videos"];
            own.or_else(|| nested.iter().filter_map(|name| fields.get(*name)).find_map(|inner| address(inner, depth + 1)))
        }
        Value::Array(items) => items.iter().find_map(|item| address(item, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The video's address in an answer of `/content`.
pub(super) fn content_address(answer: &Answer) -> Option<String> {
    address(&answer.json(), 0).map(str::to_owned)
}

/// Whether an answer with a success status reports a failed request.
fn has_failed(body: &Value) -> bool {
    let has_error = body.get("error").is_some_and(|error| !error.is_null() && error.as_str() != Some(""));
    let is_good = |code: &str| ["success", "200", "0", ""].iter().any(|good| good.eq_ignore_ascii_case(code));
    has_error || text(body.get("code")).is_some_and(|code| !is_good(&code))
}

/// Maps an answer with an error status.
pub(super) fn refusal(answer: &Answer, body: &Value, key: &SecretString) -> ProviderError {
    let (code, reason) = code_and_message(body, key);
    let mut error = http::status_error(super::NAME, answer, &reason);
    // For permissions, the status is the best indication.
    if !matches!(answer.status.as_u16(), 401 | 402 | 404)
        && let Some((kind, retryable)) = class(&format!("{code} {reason}"))
    {
        error.kind = kind;
        error.retryable = retryable;
        if matches!(kind, ErrorKind::ContentFilter | ErrorKind::InvalidRequest | ErrorKind::Quota) {
            error.may_have_started = false;
        }
    }
    if code.is_empty() { error } else { error.with_code(code) }
}

/// The error of a failed job; an unknown reason may be transient.
fn failure(job: &Value, key: &SecretString) -> ProviderError {
    let (code, reason) = code_and_message(job, key);
    let (kind, retryable) = class(&format!("{code} {reason}")).unwrap_or((ErrorKind::Failed, Some(true)));
    let mut error = fault(kind, if reason.is_empty() { "the video failed, and the relay does not say why" } else { &reason });
    error.retryable = retryable;
    if code.is_empty() { error } else { error.with_code(code) }
}

/// The (code, message) of an error in any of the relays' forms: `error` as an object or a text, `{code, message}`, `fail_reason`, `detail`;
/// without the key.
fn code_and_message(body: &Value, key: &SecretString) -> (String, String) {
    let error = body.get("error").filter(|error| !error.is_null());
    let within = error.filter(|error| error.is_object()).unwrap_or(body);
    let code = text(within.get("code")).or_else(|| text(within.get("type"))).filter(|code| code != "success");
    let message = error.and_then(Value::as_str).map(str::to_owned).or_else(|| {
        let names = ["message", "fail_reason", "detail"];
        names.iter().filter_map(|name| text(within.get(*name))).find(|message| !message.is_empty())
    });
    (public(&code.unwrap_or_default(), key), public(&message.unwrap_or_default(), key))
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn or_nothing(media_type: &str) -> &str {
    if media_type.is_empty() { "of no type" } else { media_type }
}

/// The kind of an error by its words, and whether a retry helps if that differs from the kind's default.
fn class(words: &str) -> Option<(ErrorKind, Option<bool>)> {
    const CLASSES: [(&str, ErrorKind, Option<bool>); 19] = [
        ("PROMINENT_PEOPLE_FILTER_FAILED", ErrorKind::ContentFilter, None),
        ("CONTENT_POLICY", ErrorKind::ContentFilter, None),
        ("NSFW_CONTENT", ErrorKind::ContentFilter, None),
        ("COPYRIGHT_VIOLATION", ErrorKind::ContentFilter, None),
        ("AUDIO_FILTERED", ErrorKind::ContentFilter, None),
        ("UNSAFE_GENERATION", ErrorKind::ContentFilter, None),
        ("MODERATION_BLOCKED", ErrorKind::ContentFilter, None),
        ("CONTENT_FILTER", ErrorKind::ContentFilter, None),
        ("INVALID_INPUT", ErrorKind::InvalidRequest, None),
        ("INVALID_PROMPT", ErrorKind::InvalidRequest, None),
        ("INSUFFICIENT_USER_QUOTA", ErrorKind::Quota, None),
        // The Tasks API's original client retries: some relays' quotas are per minute.
        ("INSUFFICIENT_QUOTA", ErrorKind::Quota, Some(true)),
        ("RATE_LIMIT", ErrorKind::RateLimited, None),
        ("TOO_MANY_REQUESTS", ErrorKind::RateLimited, None),
        ("SERVICE_UNAVAILABLE", ErrorKind::Unavailable, None),
        ("TEMPORARILY_UNAVAILABLE", ErrorKind::Unavailable, None),
        ("INTERNAL_ERROR", ErrorKind::Unavailable, None),
        ("TIMED_OUT", ErrorKind::Unavailable, None),
        ("TIMEOUT", ErrorKind::Unavailable, None),
    ];
    let words = words.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    CLASSES.iter().find(|(word, ..)| words.contains(word)).map(|(_, kind, retryable)| (*kind, *retryable))
}
