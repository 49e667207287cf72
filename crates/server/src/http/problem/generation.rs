//! Maps the errors of the crate below to problems.
//!
//! The mapping is exhaustive: a new error below does not compile until it has a status here. The invariant: no answer contains a path of a
//! file; only the operator's log does.

use actix_web::http::StatusCode;
use generation::{
    BackendError, Refusal, SubmitError,
    field_error::shortened,
    jobs::{DiskFault, JobError, JobErrorKind, StoreError},
};
use remote_providers::{ErrorKind, ProviderError};
use serde_json::{Map, Value};

use super::Problem;
use crate::http::error_bodies::{BudgetBody, ValidationErrorDetail, place_of, usd};

/// `Retry-After` of failures that may be temporary, in seconds: by then memory may be free.
const FAILED_SECONDS: u64 = 30;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::TooLarge(error) => Self::invalid(vec![value_error("body", error.field(), &message, false)]),
            Refusal::OtherKind { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_served", message),
            Refusal::UnknownModel { .. } => Self::new(StatusCode::NOT_FOUND, MODEL_NOT_FOUND, message),
            Refusal::Unfit { field, reason } => Self::invalid(vec![value_error("body", field, &reason, false)]),
            Refusal::Loading => Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_loading", message).retry_after(1),
            Refusal::Failed(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_unavailable", message),
            Refusal::Provider(ref error) => provider_problem(error, refusal.field()),
            Refusal::UnknownProvider { .. } => Self::invalid(vec![value_error("body", "model", &message, false)]),
            Refusal::StoredOnly { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_served", message),
        }
    }
}

/// A provider's error before the video was requested; `field` is the field at fault, if any.
fn provider_problem(error: &ProviderError, field: Option<&str>) -> Problem {
    let message = error.to_string();
    let problem = |status, code| Problem::new(status, code, message.clone()).of_service(error.provider);
    match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::ContentFilter | ErrorKind::TooLarge => {
            Problem::invalid(vec![value_error("body", field.unwrap_or("model"), &message, false)])
        }
        ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Deadline | ErrorKind::Result => {
            let seconds = error.retry_after.map_or(FAILED_SECONDS, |after| after.as_secs().max(1));
            problem(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable").retry_after(seconds)
        }
        ErrorKind::Credentials
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Quota
        | ErrorKind::Failed
        | ErrorKind::Protocol
        | ErrorKind::Uncertain
        | ErrorKind::Settings => problem(StatusCode::BAD_GATEWAY, "service_failed"),
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let message = error.to_string();
        match error {
            SubmitError::QueueFull { retry_after, .. } => {
                // Whole seconds, rounded up: zero would cause a retry storm.
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message).retry_after(seconds.max(1))
            }
            SubmitError::TooManyWaiting { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_waiting", message).retry_after(1),
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::ShuttingDown => Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message),
            SubmitError::IdempotencyConflict { .. } => Self::invalid(vec![value_error("header", "Idempotency-Key", &message, false)]),
            // 402 is reserved (RFC 9110, 15.5.3), but it is what paid services use.
            SubmitError::OverBudget(over) => {
                let budget = BudgetBody {
                    service: over.provider.clone(),
                    is_yours: over.is_owners,
                    month: over.month.to_string(),
                    cap_usd: usd(over.cap),
                    spent_usd: usd(over.spent),
                    left_usd: usd(over.cap.saturating_sub(over.spent)),
                    price_usd: usd(over.price),
                };
                Self::new(StatusCode::PAYMENT_REQUIRED, "over_budget", message).over_budget(budget)
            }
            SubmitError::NoPrice(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_price", message),
            SubmitError::IdTaken(_) | SubmitError::BadId(_) => Self::internal(),
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::ShuttingDown) {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", error.to_string());
        }
        tracing::error!(%error, "the job store cannot be used");
        let fault = error.fault();
        Self::disk(fault, format!("The store of jobs cannot be used: {fault}"))
    }
}

/// The code of a request for an unknown model.
const MODEL_NOT_FOUND: &str = "model_not_found";

impl Problem {
    /// The request names an unknown model; `known` lists the known ones.
    pub(crate) fn model_not_found(model: &str, known: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, MODEL_NOT_FOUND, format!("Model {:?}: {known}", shortened(model)))
    }

    /// A held job has no result; `what` is the operation.
    pub(crate) fn held_job_failed(what: &str, error: &BackendError) -> Self {
        if let BackendError::Cancelled = error {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "The server is shutting down");
        }
        // Faults that only the model can detect, such as a step count that a scheduler cannot space, or a scheduler file that it cannot
        // run.
        if let Some((field, reason)) = error.refusal() {
            return Self::invalid(vec![value_error("body", field, &reason, true)]);
        }
        tracing::error!(%error, "a held job failed");
        let message = match error {
            BackendError::Internal(_) => error.to_string(),
            BackendError::Cancelled
            | BackendError::NotLoaded { .. }
            | BackendError::Model(_)
            | BackendError::Encode(_)
            | BackendError::Video(_)
            | BackendError::Remote(_) => JobError::from(error).message,
        };
        let message = format!("{what} failed: {message}");
        match DiskFault::of(error).filter(|_| error.is_of_output()) {
            Some(fault) => Self::disk(fault, message),
            None if matches!(error, BackendError::NotLoaded { .. }) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_unavailable", message).retry_after(FAILED_SECONDS)
            }
            None => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "generation_failed", message),
        }
    }

    /// A service does not start a video. If another request would succeed, it is the caller's fault, like Bedrock's own
    /// ValidationException.
    pub(crate) fn start_failed(error: &JobError) -> Self {
        let message = format!("Failed to start video generation: {}", error.message);
        match error.kind {
            JobErrorKind::Refused | JobErrorKind::ContentFilter => Self::new(StatusCode::BAD_REQUEST, "service_refused", message),
            JobErrorKind::Provider
            | JobErrorKind::Deadline
            | JobErrorKind::Uncertain
            | JobErrorKind::OutOfMemory
            | JobErrorKind::Model
            | JobErrorKind::Encoder
            | JobErrorKind::Internal
            | JobErrorKind::Crashed => match error.retryable {
                true => Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message).retry_after(FAILED_SECONDS),
                false => Self::new(StatusCode::BAD_GATEWAY, "service_failed", message),
            },
        }
    }

    /// A stored job has failed; `what` is the operation.
    pub(crate) fn job_failed(what: &str, error: &JobError) -> Self {
        let message = format!("{what} failed: {}", error.message);
        match error.retryable {
            true => Self::new(StatusCode::SERVICE_UNAVAILABLE, "generation_failed", message).retry_after(FAILED_SECONDS),
            false => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "generation_failed", message),
        }
    }
}

/// The fault of a field that only the backend can detect; with `explained`, the context has the reason too.
fn value_error(place: &str, field: &str, reason: &str, explained: bool) -> ValidationErrorDetail {
    ValidationErrorDetail {
        kind: "value_error".into(),
        loc: place_of(place, field),
        msg: format!("Value error, {reason}"),
        input: Value::Null,
        ctx: explained.then(|| Map::from_iter([("error".to_owned(), Value::from(reason))])),
    }
}
