//! Provider errors: the reason for the caller, and advice.
//!
//! The invariant: no error contains a secret, a signed link or a header; a provider's own text is cut to one line.

use std::{fmt, time::Duration};

/// The longest quotation of a provider's own text, in characters; AWS's failure messages have at most 2048 bytes.
const MAX_REASON: usize = 512;

/// The longest retry delay that is accepted from a provider: it is added to instants, which can overflow.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// The result of a provider call.
pub type Result<T, E = ProviderError> = std::result::Result<T, E>;

/// The kind of a provider error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The provider rejects the request as it is.
    InvalidRequest,
    /// The provider's content filter blocked the prompt, the image or the result.
    ContentFilter,
    /// The key is missing, wrong or expired.
    Credentials,
    /// The key lacks the permission.
    Forbidden,
    /// The provider does not know the model, the bucket or the job.
    NotFound,
    /// Too many requests at present.
    RateLimited,
    /// The account's quota or credit is used up.
    Quota,
    /// The provider cannot be reached, or has an internal error.
    Unavailable,
    /// The video was not ready within the time that the operator allows.
    Deadline,
    /// The provider's job failed.
    Failed,
    /// The provider's answer violates its API.
    Protocol,
    /// The result is larger than the operator allows.
    TooLarge,
    /// The result cannot be fetched, or is not a video.
    Result,
    /// The job may or may not have started: the answer to the start was lost, and the provider cannot be asked again without paying twice.
    Uncertain,
    /// The operator's settings are incomplete or invalid.
    Settings,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::InvalidRequest,
        Self::ContentFilter,
        Self::Credentials,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::Quota,
        Self::Unavailable,
        Self::Deadline,
        Self::Failed,
        Self::Protocol,
        Self::TooLarge,
        Self::Result,
        Self::Uncertain,
        Self::Settings,
    ];

    /// Whether the same request may succeed later.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited | Self::Unavailable | Self::Deadline | Self::Result => true,
            Self::InvalidRequest
            | Self::ContentFilter
            | Self::Credentials
            | Self::Forbidden
            | Self::NotFound
            | Self::Quota
            | Self::Failed
            | Self::Protocol
            | Self::TooLarge
            | Self::Uncertain
            | Self::Settings => false,
        }
    }

    /// What the user can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::InvalidRequest => "change the request",
            Self::ContentFilter => "change the prompt or the image",
            Self::Credentials => "the operator has to check the provider's key",
            Self::Forbidden => "the operator has to give the key access to this model",
            Self::NotFound => "the operator has to check the model's name, the region and the base URL",
            Self::RateLimited | Self::Unavailable => "try again later",
            Self::Quota => "the operator has to raise the account's quota or add credit",
            Self::Deadline => "try again, or ask the operator to allow more time",
            Self::Failed => "try again with another prompt or image",
            Self::Protocol => "the operator has to check the provider's base URL",
            Self::TooLarge => "ask for a shorter video, or ask the operator to allow more bytes",
            Self::Result => "try again; the provider may still have the video",
            Self::Uncertain => "look at the provider's console before asking again: the video may have been paid for",
            Self::Settings => "the operator has to complete the provider's settings",
        }
    }
}

/// Why a provider gives no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ProviderError {
    /// The provider's name: "bedrock", "veo".
    pub provider: &'static str,
    /// The kind.
    pub kind: ErrorKind,
    /// The reason in one line, without secrets.
    pub reason: String,
    /// The provider's own error code: "ThrottlingException".
    pub code: Option<String>,
    /// The provider's retry delay, at most a day.
    pub retry_after: Option<Duration>,
    /// Whether the request may have been accepted anyway: the answer was lost after the request was sent, or an internal error of the
    /// provider hides the outcome.
    pub may_have_started: bool,
    /// Whether a retry helps, if that differs from the kind's default.
    pub retryable: Option<bool>,
}

impl ProviderError {
    /// An error of this kind. The reason is cut to one line of at most 512 characters.
    pub fn new(provider: &'static str, kind: ErrorKind, reason: impl AsRef<str>) -> Self {
        let reason = one_line(reason.as_ref());
        Self { provider, kind, reason, code: None, retry_after: None, may_have_started: false, retryable: None }
    }

    /// Adds the provider's own error code.
    #[must_use]
    pub fn with_code(mut self, code: impl AsRef<str>) -> Self {
        self.code = Some(one_line(code.as_ref()));
        self
    }

    /// Adds a retry delay, capped at a day.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after.map(|after| after.min(MAX_RETRY_AFTER));
        self
    }

    /// Marks that the request may have been accepted anyway.
    #[must_use]
    pub fn maybe_started(mut self) -> Self {
        self.may_have_started = true;
        self
    }

    /// Overrides whether a retry helps.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = Some(retryable);
        self
    }

    /// Marks that certainly nothing was started.
    #[must_use]
    pub(crate) fn not_started(mut self) -> Self {
        self.may_have_started = false;
        self
    }

    /// Adapts an error of a query about an existing job: the query starts nothing, and NotFound refers to the job.
    #[must_use]
    pub(crate) fn about_job(mut self) -> Self {
        if self.kind == ErrorKind::NotFound {
            self.reason = one_line(&format!("the provider does not know the job any more: {}", self.reason));
        }
        self.not_started()
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.retryable.unwrap_or_else(|| self.kind.is_retryable())
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.reason)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        write!(f, "; {}", self.kind.advice())
    }
}

/// The text in one line, without control characters, cut to [`MAX_REASON`] characters.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= MAX_REASON { line } else { line.chars().take(MAX_REASON - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ErrorKind, ProviderError};

    #[test]
    fn a_retry_delay_is_capped_at_a_day() {
        let delay = |after| ProviderError::new("veo", ErrorKind::RateLimited, "later").retry_after(after).retry_after;
        assert_eq!(delay(Some(Duration::MAX)), Some(Duration::from_secs(86_400)));
        assert_eq!(delay(Some(Duration::from_secs(86_399))), Some(Duration::from_secs(86_399)));
        assert_eq!(delay(None), None);
    }
}
