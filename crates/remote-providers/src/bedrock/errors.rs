//! Maps Amazon's errors: by the name in `x-amzn-ErrorType`, by the status if the name is unknown, else by how the request failed.
//!
//! The invariant: a reason contains no part of a signed request. Amazon's answer to a bad signature repeats the canonical request, session
//! token included, and its answer to a malformed header repeats the header; both are cut off.

use std::{error::Error, io, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_bedrockruntime::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use super::NAME;
use crate::{ErrorKind, ProviderError};

/// The common part of the content filters' messages, at the start and at the end of a job.
const FILTERED: &str = "blocked by our content filter";
/// Texts after which a message repeats the request.
const REPEATS: [&str; 3] = ["The Canonical String", "The String-to-Sign", "Authorization="];

/// Maps the error of a failed call.
pub(super) fn of<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> ProviderError {
    match error {
        SdkError::ServiceError(failed) => of_answer(failed.err(), failed.raw()),
        SdkError::TimeoutError(_) => ProviderError::new(NAME, ErrorKind::Unavailable, "no answer in time").maybe_started(),
        // The SDK reports unreadable bodies this way; a body that is read but does not parse is a service error to it.
        SdkError::ResponseError(failed) => {
            let status = failed.raw().status().as_u16();
            ProviderError::new(NAME, ErrorKind::Unavailable, format!("the answer with status {status} broke off")).maybe_started()
        }
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => of_dispatch(error),
        _ => ProviderError::new(NAME, ErrorKind::Protocol, "the call failed for a reason that is not known").maybe_started(),
    }
}

/// The error of an accepted invocation that failed.
pub(super) fn of_failure(message: Option<&str>) -> ProviderError {
    let message = message.map(str::trim).filter(|message| !message.is_empty()).unwrap_or("the invocation failed without a reason");
    let kind = if is_filtered(message) { ErrorKind::ContentFilter } else { ErrorKind::Failed };
    ProviderError::new(NAME, kind, message)
}

fn of_answer<E: ProvideErrorMetadata>(error: &E, raw: &HttpResponse) -> ProviderError {
    let status = raw.status().as_u16();
    let message = error.message().unwrap_or_default();
    if (200..300).contains(&status) {
        // The SDK reports an answer that lacks a field as a service error.
        return ProviderError::new(NAME, ErrorKind::Protocol, "the answer is malformed, or lacks what it must have").maybe_started();
    }
    let (kind, may_have_started) = match error.code() {
        Some(code) => by_code(code, message).unwrap_or_else(|| by_status(status)),
        None => by_status(status),
    };
    let reason = without_request(message);
    let reason = if reason.is_empty() { format!("status {status}") } else { reason.to_owned() };
    let seconds = raw.headers().get("retry-after").and_then(|text| text.trim().parse().ok());
    let failed = ProviderError::new(NAME, kind, reason).retry_after(seconds.map(Duration::from_secs));
    let failed = error.code().map_or(failed.clone(), |code| failed.with_code(code));
    if may_have_started { failed.maybe_started() } else { failed }
}

/// The kind, and whether the job may have started anyway.
fn by_code(code: &str, message: &str) -> Option<(ErrorKind, bool)> {
    let words = message.to_ascii_lowercase();
    Some(match code {
        "ValidationException" if is_filtered(message) => (ErrorKind::ContentFilter, false),
        "ValidationException" if words.contains("model identifier") || words.contains("invocation arn") => (ErrorKind::NotFound, false),
        "ValidationException" if words.contains("output config") || words.contains("s3uri") || words.contains("s3 bucket") => {
            (ErrorKind::Settings, false)
        }
        "ValidationException" | "SerializationException" => (ErrorKind::InvalidRequest, false),
        "ResourceNotFoundException" => (ErrorKind::NotFound, false),
        // Bedrock rejects API keys under the same name as missing permissions.
        "AccessDeniedException" if words.contains("api key") || words.contains("bearer token") => (ErrorKind::Credentials, false),
        "AccessDeniedException" | "AccessDenied" | "OptInRequired" => (ErrorKind::Forbidden, false),
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "NotAuthorized" => (ErrorKind::Credentials, false),
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" => (ErrorKind::RateLimited, false),
        "ServiceQuotaExceededException" => (ErrorKind::Quota, false),
        "ServiceUnavailableException" | "ServiceUnavailable" | "ModelNotReadyException" => (ErrorKind::Unavailable, false),
        "InternalServerException" | "InternalFailure" | "ModelTimeoutException" => (ErrorKind::Unavailable, true),
        "ModelErrorException" => (ErrorKind::Failed, false),
        // An invocation with this token exists, but with different parameters.
        "ConflictException" => (ErrorKind::Uncertain, true),
        "UnknownOperationException" => (ErrorKind::Protocol, false),
        _ => return None,
    })
}

fn by_status(status: u16) -> (ErrorKind, bool) {
    match status {
        400 | 405 | 406 | 409..=422 => (ErrorKind::InvalidRequest, false),
        401 => (ErrorKind::Credentials, false),
        403 => (ErrorKind::Forbidden, false),
        404 => (ErrorKind::NotFound, false),
        429 => (ErrorKind::RateLimited, false),
        503 => (ErrorKind::Unavailable, false),
        408 | 500 | 502 | 504 => (ErrorKind::Unavailable, true),
        _ => (ErrorKind::Protocol, true),
    }
}

/// The error of a request that got no answer, or was not sent.
fn of_dispatch(error: &(dyn Error + 'static)) -> ProviderError {
    if let Some(error) = cause::<CredentialsError>(error) {
        let reason = match error {
            CredentialsError::CredentialsNotLoaded(_) => "no credentials are set: neither keys, nor a profile, a role or a bearer token",
            CredentialsError::ProviderTimedOut(_) => "the credentials' provider did not answer in time",
            CredentialsError::InvalidConfiguration(_) => "the credentials' configuration is invalid",
            CredentialsError::ProviderError(_) | CredentialsError::Unhandled(_) | _ => "the credentials cannot be loaded",
        };
        return ProviderError::new(NAME, ErrorKind::Credentials, reason);
    }
    if cause::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return ProviderError::new(NAME, ErrorKind::Unavailable, "cannot connect");
    }
    ProviderError::new(NAME, ErrorKind::Unavailable, "the connection broke off or could not be made").maybe_started()
}

/// The first error of type `T` among an error and its sources.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn is_filtered(message: &str) -> bool {
    message.contains(FILTERED)
}

/// The message up to the point where it repeats the request.
fn without_request(message: &str) -> &str {
    let end = REPEATS.iter().filter_map(|start| message.find(start)).min().unwrap_or(message.len());
    message.get(..end).unwrap_or_default().trim()
}
