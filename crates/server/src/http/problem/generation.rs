//! What the errors of the crate below mean over HTTP.
//!
//! The mapping is exhaustive: a new error below does not compile until it has a status here. The invariant: no answer tells where files
//! lie, which is the operator's business and stands in the log.

use actix_web::http::StatusCode;
use generation::{
    GenerationError, SubmitError,
    jobs::{DiskFault, StoreError, SubmitJobError},
};
use serde_json::{Map, Value};

use super::Problem;
use crate::http::error_bodies::ValidationErrorDetail;

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let message = error.to_string();
        match error {
            SubmitError::QueueFull { retry_after, .. } => {
                // Whole seconds, rounded up: zero would ask for a storm.
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message).retry_after(seconds.max(1))
            }
            SubmitError::TooManyWaiting { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_waiting", message).retry_after(1),
            SubmitError::TooLarge(error) => Self::invalid(vec![value_error("body", error.field(), &message, false)]),
            SubmitError::Loading => Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_loading", message).retry_after(1),
            SubmitError::Failed(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_unavailable", message),
            SubmitError::ShuttingDown => Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message),
        }
    }
}

impl From<SubmitJobError> for Problem {
    fn from(error: SubmitJobError) -> Self {
        let message = error.to_string();
        match error {
            SubmitJobError::Submit(error) => error.into(),
            SubmitJobError::Store(error) => error.into(),
            SubmitJobError::IdempotencyConflict { .. } => Self::invalid(vec![value_error("header", "Idempotency-Key", &message, false)]),
            SubmitJobError::IdTaken(_) | SubmitJobError::BadId(_) => Self::internal(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::ShuttingDown) {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", error.to_string());
        }
        tracing::error!(%error, "what is stored of jobs cannot be used");
        let fault = error.fault();
        Self::disk(fault, format!("The store of jobs cannot be used: {fault}"))
    }
}

/// Of a picture that was waited for.
impl From<GenerationError> for Problem {
    fn from(error: GenerationError) -> Self {
        Self::not_made("Generation", &error)
    }
}

impl Problem {
    /// Of what was waited for, in words.
    pub(crate) fn not_made(what: &str, error: &GenerationError) -> Self {
        if let GenerationError::Cancelled = error {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "The server is shutting down");
        }
        // What only the model can judge, such as steps that a scheduler cannot space, or a scheduler file that a scheduler cannot run.
        if let Some((field, reason)) = error.refusal() {
            return Self::invalid(vec![value_error("body", field, &reason, true)]);
        }
        tracing::error!(%error, "a picture or a video that was waited for could not be made");
        let message = format!("{what} failed: {}", for_clients(error));
        match disk_fault(error) {
            Some(fault) => Self::disk(fault, message),
            None => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "generation_failed", message),
        }
    }
}

/// The fault of a field that only the engine can judge; `explained` says the reason in its context, too.
fn value_error(place: &str, field: &str, reason: &str, explained: bool) -> ValidationErrorDetail {
    ValidationErrorDetail {
        kind: "value_error".into(),
        loc: vec![place.into(), field.into()],
        msg: format!("Value error, {reason}"),
        input: Value::Null,
        ctx: explained.then(|| Map::from_iter([("error".to_owned(), Value::from(reason))])),
    }
}

/// What is wrong with the disk, if that is why a picture or a video was not made.
fn disk_fault(error: &GenerationError) -> Option<DiskFault> {
    match error {
        GenerationError::Store(error) => Some(error.fault()),
        GenerationError::Video(_) | GenerationError::Encode(_) | GenerationError::Model(diffusion_core::Error::Sink(_)) => {
            DiskFault::of(error)
        }
        GenerationError::Cancelled | GenerationError::Model(_) | GenerationError::Internal(_) => None,
    }
}

/// What clients are told of a failure.
fn for_clients(error: &GenerationError) -> String {
    match error {
        GenerationError::Video(error) => match DiskFault::of(error) {
            Some(fault) => format!("the video could not be written: {fault}"),
            None => "the video could not be written".to_owned(),
        },
        GenerationError::Encode(_) => "the picture could not be written".to_owned(),
        GenerationError::Store(error) => format!("what is stored of the job cannot be used: {}", error.fault()),
        // Some tensor errors carry a backtrace behind their first line, which belongs in the log.
        GenerationError::Cancelled | GenerationError::Model(_) | GenerationError::Internal(_) => {
            error.to_string().lines().next().unwrap_or_default().to_owned()
        }
    }
}
