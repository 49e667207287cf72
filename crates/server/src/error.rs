//! Every error of the API as HTTP: the one place that knows status codes and error bodies.
//!
//! Bodies have FastAPI's two shapes: `{"detail": [{"type", "loc", "msg", "input", "ctx"}]}` for 422 and `{"detail": "text"}` for the rest.
//! The mapping is exhaustive: a new error below does not compile until it has a status here.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use generation::{
    GenerationError, SubmitError, TooLarge,
    field_error::ContextValue,
    jobs::{DiskFault, JobError, JobState, StoreError, SubmitJobError},
};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::{
    access::Refusal,
    uploads::UploadError,
    wire::{ErrorBody, ValidationErrorBody, ValidationErrorDetail},
};

/// When it is worth sending a large request again, in seconds.
const BUSY_SECONDS: u64 = 5;
/// When it is worth asking again for what failed and need not fail again, in seconds: memory or room may be free by then.
const FAILED_SECONDS: u64 = 30;

/// Everything that a handler can answer but success.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No such path.
    #[error("Not Found")]
    NotFound,
    /// The path has no such method.
    #[error("Method Not Allowed")]
    MethodNotAllowed {
        /// The methods that it has.
        allow: String,
    },
    /// The body is announced as something other than JSON.
    #[error("Unsupported Media Type: send the body as application/json, not {0}")]
    UnsupportedMediaType(String),
    /// The body is no JSON; the text says where.
    #[error("Malformed JSON: {0}")]
    MalformedJson(String),
    /// The body could not be received.
    #[error("The request body could not be read: {0}")]
    UnreadableBody(String),
    /// The body is too long.
    #[error("Request body too large: the limit is {limit} bytes")]
    BodyTooLarge {
        /// The longest body, in bytes.
        limit: usize,
    },
    /// The body does not come to its end.
    #[error("Request body too slow: it did not arrive within {} s", timeout.as_secs_f64())]
    BodyTooSlow {
        /// How long it may take.
        timeout: Duration,
    },
    /// Other large requests take all the memory that there is for them.
    #[error("The server is busy with other large requests; try again in {} s", BUSY_SECONDS)]
    Busy,
    /// Fields of the body are wrong: all of them, in order.
    #[error("{} invalid field(s)", .0.len())]
    Invalid(Vec<ValidationErrorDetail>),
    /// A video wants scenes to join.
    #[error("At least 2 scenes required")]
    TooFewScenes,
    /// The folder for videos in the making cannot be used.
    #[error("Video generation failed: the folder for videos in the making cannot be used: {}", DiskFault::of_io(.0))]
    Scratch(std::io::Error),
    /// A stored file cannot be read.
    #[error("The file cannot be read: {0}")]
    Unreadable(DiskFault),
    /// What was made waits for the disk, and is stored by itself as soon as that lets it.
    #[error("The picture cannot be stored now: {0}")]
    HeldUp(DiskFault),
    /// The engine does not take the job.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The engine took the job and has no picture.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The engine took the job and has no video.
    #[error(transparent)]
    Video(GenerationError),
    /// The gate does not let the request in.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An uploaded file is not taken.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// There is no such task, or it is another's.
    #[error("Task not found: {0}")]
    TaskNotFound(String),
    /// The task has ended, and stays as it ended.
    #[error("Task {id} {}", how_it_ended(.state))]
    TaskEnded {
        /// Its id.
        id: String,
        /// How it ended.
        state: JobState,
    },
    /// The task that is waited for was called off.
    #[error("Task {0} has been cancelled")]
    TaskCancelled(String),
    /// The task that is waited for could not be done.
    #[error("{} failed: {}", .what, .error.message)]
    TaskFailed {
        /// What was made: "Image generation".
        what: &'static str,
        /// Why.
        error: JobError,
    },
    /// The file was there once.
    #[error("{0} is no longer kept: it was removed for its age or to make room")]
    FileExpired(String),
    /// The job is not taken.
    #[error(transparent)]
    Job(#[from] SubmitJobError),
    /// What is stored of jobs cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller follows as many tasks as they may.
    #[error("you follow {limit} tasks at once, which is the limit; close one of the streams")]
    TooManyStreams {
        /// The most.
        limit: usize,
    },
    /// There is no such job, or it is another's; the sentence says so.
    #[error("{0}")]
    NoSuchJob(&'static str),
    /// The operator has asked for what this program does not do yet; the sentence says what.
    #[error("{0}")]
    NotServed(&'static str),
    /// A fault of ours.
    #[error("Internal Server Error")]
    Internal,
}

fn how_it_ended(state: &JobState) -> &'static str {
    match state {
        JobState::Completed => "is completed already",
        JobState::Failed => "has failed already",
        JobState::Cancelled => "has been cancelled already",
        JobState::Queued | JobState::Running => "has not ended",
    }
}

/// The two shapes of an error's body.
#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    Sentence(ErrorBody),
    Fields(ValidationErrorBody),
}

impl ApiError {
    /// What only the model can judge, such as steps that a scheduler cannot space, or a scheduler file that a scheduler cannot run.
    fn refusal(&self) -> Option<ValidationErrorDetail> {
        let (Self::Generation(error) | Self::Video(error)) = self else { return None };
        let (field, reason) = error.refusal()?;
        Some(ValidationErrorDetail {
            kind: "value_error".into(),
            loc: vec!["body".into(), field.into()],
            msg: format!("Value error, {reason}"),
            input: Value::Null,
            ctx: Some(Map::from_iter([("error".to_owned(), Value::from(reason))])),
        })
    }

    /// What is wrong with the disk or the store, if that is why. It is answered 503 (RFC 9110, 15.6.4) and not 507: a full disk is an
    /// operator's to mend and comes back, clients and proxies send the request again after `Retry-After`, and 507 (RFC 4918, 11.5) forbids
    /// them to do so unasked.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other error is a disk's")]
    fn disk_fault(&self) -> Option<DiskFault> {
        match self {
            Self::Store(StoreError::ShuttingDown) | Self::Job(SubmitJobError::Store(StoreError::ShuttingDown)) => None,
            Self::Store(error) | Self::Job(SubmitJobError::Store(error)) => Some(error.fault()),
            Self::Scratch(error) | Self::Upload(UploadError::Store(error)) => Some(DiskFault::of_io(error)),
            Self::Unreadable(fault) | Self::HeldUp(fault) => Some(*fault),
            Self::Generation(error) | Self::Video(error) => disk_fault(error),
            _ => None,
        }
    }

    fn body(&self) -> Body {
        let sentence = |detail: String| Body::Sentence(ErrorBody { detail });
        if let Some(detail) = self.refusal() {
            return Body::Fields(ValidationErrorBody { detail: vec![detail] });
        }
        match self {
            Self::Invalid(details) => Body::Fields(ValidationErrorBody { detail: details.clone() }),
            Self::Generation(GenerationError::Cancelled) | Self::Video(GenerationError::Cancelled) => {
                sentence("The server is shutting down".into())
            }
            Self::Upload(UploadError::NoSuchPart(field)) => {
                let detail = ValidationErrorDetail {
                    kind: "missing".into(),
                    loc: vec!["body".into(), (*field).into()],
                    msg: "Field required".into(),
                    input: Value::Null,
                    ctx: None,
                };
                Body::Fields(ValidationErrorBody { detail: vec![detail] })
            }
            Self::Job(SubmitJobError::IdempotencyConflict { .. }) => Body::Fields(ValidationErrorBody { detail: vec![conflict(self)] }),
            // Where it lies is for the log.
            Self::Store(error) | Self::Job(SubmitJobError::Store(error)) if !matches!(error, StoreError::ShuttingDown) => {
                sentence(format!("The store of jobs cannot be used: {}", error.fault()))
            }
            Self::Submit(SubmitError::TooLarge(error)) | Self::Job(SubmitJobError::Submit(SubmitError::TooLarge(error))) => {
                Body::Fields(ValidationErrorBody { detail: vec![too_large(error)] })
            }
            Self::Job(SubmitJobError::IdTaken(_) | SubmitJobError::BadId(_)) => sentence(Self::Internal.to_string()),
            Self::Generation(error) => sentence(format!("Generation failed: {}", for_clients(error))),
            Self::Video(error) => sentence(format!("Video generation failed: {}", for_clients(error))),
            Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::UnsupportedMediaType(_)
            | Self::MalformedJson(_)
            | Self::UnreadableBody(_)
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow { .. }
            | Self::Busy
            | Self::TooFewScenes
            | Self::Scratch(_)
            | Self::Unreadable(_)
            | Self::HeldUp(_)
            | Self::Submit(_)
            | Self::Refused(_)
            | Self::Upload(_)
            | Self::TaskNotFound(_)
            | Self::NoSuchJob(_)
            | Self::NotServed(_)
            | Self::TaskEnded { .. }
            | Self::TaskCancelled(_)
            | Self::TaskFailed { .. }
            | Self::FileExpired(_)
            | Self::Job(_)
            | Self::Store(_)
            | Self::TooManyStreams { .. }
            | Self::Internal => sentence(self.to_string()),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        if self.refusal().is_some() {
            return StatusCode::UNPROCESSABLE_ENTITY;
        }
        match self {
            Self::NotFound | Self::TaskNotFound(_) | Self::NoSuchJob(_) | Self::Refused(Refusal::LinkForged) => StatusCode::NOT_FOUND,
            Self::Refused(Refusal::Unauthorized) => StatusCode::UNAUTHORIZED,
            Self::Refused(Refusal::ForeignOrigin(_) | Refusal::LinkExpired) => StatusCode::FORBIDDEN,
            Self::Refused(Refusal::ForeignHost(_)) => StatusCode::MISDIRECTED_REQUEST,
            Self::Upload(error) => error.status_code(),
            Self::TaskEnded { .. } => StatusCode::CONFLICT,
            Self::FileExpired(_) | Self::TaskCancelled(_) => StatusCode::GONE,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MalformedJson(_) | Self::UnreadableBody(_) | Self::TooFewScenes | Self::Refused(Refusal::MalformedHost) => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) | Self::Job(SubmitJobError::IdempotencyConflict { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Submit(SubmitError::TooLarge(_)) | Self::Job(SubmitJobError::Submit(SubmitError::TooLarge(_))) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Submit(SubmitError::QueueFull { .. } | SubmitError::TooManyWaiting { .. })
            | Self::Job(SubmitJobError::Submit(SubmitError::QueueFull { .. } | SubmitError::TooManyWaiting { .. }))
            | Self::TooManyStreams { .. }
            | Self::Refused(Refusal::TooManyRequests { .. } | Refusal::TooManyAtOnce { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Submit(SubmitError::Loading | SubmitError::Failed(_) | SubmitError::ShuttingDown)
            | Self::Job(
                SubmitJobError::Submit(SubmitError::Loading | SubmitError::Failed(_) | SubmitError::ShuttingDown)
                | SubmitJobError::Store(_),
            )
            | Self::Store(_)
            | Self::Scratch(_)
            | Self::Unreadable(_)
            | Self::HeldUp(_)
            | Self::NotServed(_)
            | Self::Busy
            | Self::Generation(GenerationError::Cancelled)
            | Self::Video(GenerationError::Cancelled) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TaskFailed { error, .. } if error.retryable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Generation(error) | Self::Video(error) if disk_fault(error).is_some() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Generation(_)
            | Self::Video(_)
            | Self::TaskFailed { .. }
            | Self::Job(SubmitJobError::IdTaken(_) | SubmitJobError::BadId(_))
            | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(fault) = self.disk_fault() {
            response.insert_header((RETRY_AFTER, seconds_until_mended(fault)));
        }
        match self {
            Self::MethodNotAllowed { allow } => {
                response.insert_header((ALLOW, allow.as_str()));
            }
            Self::Submit(SubmitError::QueueFull { retry_after, .. })
            | Self::Job(SubmitJobError::Submit(SubmitError::QueueFull { retry_after, .. })) => {
                // Whole seconds, rounded up: zero would ask for a storm.
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                response.insert_header((RETRY_AFTER, seconds.max(1)));
            }
            Self::Submit(SubmitError::Loading | SubmitError::TooManyWaiting { .. })
            | Self::Job(SubmitJobError::Submit(SubmitError::Loading | SubmitError::TooManyWaiting { .. }))
            | Self::TooManyStreams { .. } => {
                response.insert_header((RETRY_AFTER, 1));
            }
            Self::Busy => {
                response.insert_header((RETRY_AFTER, BUSY_SECONDS));
            }
            Self::TaskFailed { error, .. } if error.retryable => {
                response.insert_header((RETRY_AFTER, FAILED_SECONDS));
            }
            Self::Scratch(error) => tracing::error!(%error, "the folder for videos in the making cannot be used"),
            Self::Generation(error) | Self::Video(error) => {
                if !matches!(error, GenerationError::Cancelled) && error.refusal().is_none() {
                    tracing::error!(%error, "a picture or a video that was waited for could not be made");
                }
            }
            Self::Store(error) | Self::Job(SubmitJobError::Store(error)) => {
                if !matches!(error, StoreError::ShuttingDown) {
                    tracing::error!(%error, "what is stored of jobs cannot be used");
                }
            }
            Self::Refused(refusal) => {
                if *refusal == Refusal::Unauthorized {
                    // Bearer alone: a browser that is offered Basic asks people for a password, and then sends it to every page's liking.
                    response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"framewright\""));
                }
                if let Some(seconds) = refusal.retry_after() {
                    response.insert_header((RETRY_AFTER, seconds));
                }
            }
            Self::NotFound
            | Self::Unreadable(_)
            | Self::HeldUp(_)
            | Self::UnsupportedMediaType(_)
            | Self::MalformedJson(_)
            | Self::UnreadableBody(_)
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow { .. }
            | Self::Upload(_)
            | Self::Invalid(_)
            | Self::TooFewScenes
            | Self::Submit(SubmitError::Failed(_) | SubmitError::ShuttingDown | SubmitError::TooLarge(_))
            | Self::TaskNotFound(_)
            | Self::NoSuchJob(_)
            | Self::NotServed(_)
            | Self::TaskEnded { .. }
            | Self::TaskCancelled(_)
            | Self::TaskFailed { .. }
            | Self::FileExpired(_)
            | Self::Job(_)
            | Self::Internal => {}
        }
        response.json(self.body())
    }
}

/// The fault of a request whose name another request has.
fn conflict(error: &ApiError) -> ValidationErrorDetail {
    ValidationErrorDetail {
        kind: "value_error".into(),
        loc: vec!["header".into(), "Idempotency-Key".into()],
        msg: format!("Value error, {error}"),
        input: Value::Null,
        ctx: None,
    }
}

/// The fault of a request that there is not enough memory for.
fn too_large(error: &TooLarge) -> ValidationErrorDetail {
    ValidationErrorDetail {
        kind: "value_error".into(),
        loc: vec!["body".into(), error.field().into()],
        msg: format!("Value error, {error}"),
        input: Value::Null,
        ctx: None,
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

/// When it is worth asking again, in seconds: another program's transaction is a moment, room is made by a person.
pub(crate) fn seconds_until_mended(fault: DiskFault) -> u64 {
    match fault {
        DiskFault::Locked => 2,
        DiskFault::Full | DiskFault::ReadOnly | DiskFault::TooManyFiles | DiskFault::Gone | DiskFault::Damaged | DiskFault::Failing => 30,
    }
}

/// What clients are told of a failure: nothing of where files lie, which is the operator's business and stands in the log.
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

/// A limit of the validation as JSON.
pub(crate) fn context_value(value: ContextValue) -> Value {
    match value {
        ContextValue::Integer(value) => Number::from_i128(value).map_or(Value::Null, Value::Number),
        ContextValue::Float(value) => Value::from(value),
        ContextValue::Text(text) => Value::from(text),
    }
}

#[cfg(test)]
mod tests;
