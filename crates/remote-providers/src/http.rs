//! HTTP client for providers' APIs: JSON in and out, bounded, with the same error mapping for all providers.
//!
//! The base addresses are the operator's settings, so they are not guarded; links in answers are. It must not know any provider.

use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{HeaderValue, RETRY_AFTER},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::{ErrorKind, ProviderError, Result};

/// The largest answer, in bytes: the extreme case is a video in base64 within JSON.
const MAX_ANSWER: usize = 256 << 20;

/// A client for a provider's API: no redirects, no retries, and no proxy except the environment's.
pub(crate) fn client(timeout: Duration) -> Client {
    let builder = Client::builder()
        .user_agent(guarded_http::USER_AGENT)
        .connect_timeout(Duration::from_secs(10))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    builder.build().unwrap_or_default()
}

/// A header value that contains a key after `prefix`; marked sensitive, so that it is never printed.
pub(crate) fn secret_header(provider: &'static str, prefix: &str, key: &SecretString) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", key.expose_secret()))
        .map_err(|_| ProviderError::new(provider, ErrorKind::Settings, "the key has characters that a header cannot have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A provider's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The media type, in lower case, without parameters; empty if it is not given.
    pub media_type: String,
    /// The target of a redirect.
    pub location: Option<String>,
    /// The retry delay.
    pub retry_after: Option<Duration>,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null if it does not parse.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
}

/// Sends a request and reads the answer, with any status.
pub(crate) async fn send(provider: &'static str, request: RequestBuilder) -> Result<Answer> {
    send_wanting(provider, request, |_, _| true).await
}

/// Sends a request, and reads the body only if its status and media type are wanted: a video is left to a streaming download.
pub(crate) async fn send_wanting(
    provider: &'static str,
    request: RequestBuilder,
    is_wanted: impl FnOnce(StatusCode, &str) -> bool + Send,
) -> Result<Answer> {
    let mut response = request.send().await.map_err(|error| transport(provider, &error))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let media_type = header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // Replicate announces the end of a rate limit in its own header.
    let retry_after = header(RETRY_AFTER.as_str()).or_else(|| header("ratelimit-reset").filter(|_| response.status().as_u16() == 429));
    let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let (status, location) = (response.status(), header("location"));
    let mut bytes = Vec::new();
    if !is_wanted(status, &media_type) {
        return Ok(Answer { status, media_type, location, retry_after, bytes });
    }
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(provider, &error))? {
        if bytes.len().saturating_add(chunk.len()) > MAX_ANSWER {
            let reason = format!("the answer has more than {MAX_ANSWER} bytes");
            return Err(ProviderError::new(provider, ErrorKind::TooLarge, reason).maybe_started());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Answer { status, media_type, location, retry_after, bytes })
}

/// Maps a transport error. The address is left out, because it may contain a secret.
fn transport(provider: &'static str, error: &reqwest::Error) -> ProviderError {
    if error.is_builder() {
        return ProviderError::new(provider, ErrorKind::Settings, "the request cannot be built; its base URL or its key is malformed");
    }
    if error.is_connect() {
        return ProviderError::new(provider, ErrorKind::Unavailable, "cannot connect");
    }
    let reason = if error.is_timeout() { "no answer in time" } else { "the connection broke off" };
    ProviderError::new(provider, ErrorKind::Unavailable, reason).maybe_started()
}

/// The error for a status, unless the provider's own message determines a better one.
pub(crate) fn status_error(provider: &'static str, answer: &Answer, reason: &str) -> ProviderError {
    let status = answer.status.as_u16();
    let (kind, may_have_started) = match status {
        // Redirects are not followed: the key and the request are meant for the operator's address.
        300..=399 => (ErrorKind::Protocol, false),
        400 | 405..=406 | 409..=422 => (ErrorKind::InvalidRequest, false),
        401 => (ErrorKind::Credentials, false),
        402 => (ErrorKind::Quota, false),
        403 => (ErrorKind::Forbidden, false),
        404 => (ErrorKind::NotFound, false),
        429 => (ErrorKind::RateLimited, false),
        // Statuses above 504 come from proxies: 520 to 527 are Cloudflare's.
        408 | 500 | 502 | 504..=599 => (ErrorKind::Unavailable, true),
        503 => (ErrorKind::Unavailable, false),
        _ => (ErrorKind::Protocol, true),
    };
    let reason = match (status, reason) {
        (300..=399, _) => format!("the base URL redirects to another address (status {status})"),
        (_, "") => format!("status {status}"),
        (_, reason) => reason.to_owned(),
    };
    let error = ProviderError::new(provider, kind, reason).retry_after(answer.retry_after);
    if may_have_started { error.maybe_started() } else { error }
}
