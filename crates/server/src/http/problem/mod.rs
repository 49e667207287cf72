//! A problem: everything that a handler can answer but success.
//!
//! It must not know the rooms above: each turns its own errors into problems beside those errors, by a `From` that is exhaustive, and
//! [`generation`] does so for the errors of the crate below. The invariants: a problem is complete when it is made, and stays in its
//! response's extensions, from which [`crate::routes`] renders it for the APIs whose shape is not FastAPI's.

pub(crate) mod documented;
mod generation;

use std::time::Duration;

use ::generation::jobs::DiskFault;
use actix_web::{
    HttpResponse, ResponseError,
    error::BlockingError,
    http::{
        StatusCode,
        header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde_json::Value;

use crate::http::{
    error_bodies::{BudgetBody, ErrorBody, ValidationErrorBody, ValidationErrorDetail},
    request_memory::{BUSY_SECONDS, Busy},
};

/// What went wrong, for every API to say in its own shape.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The status.
    pub(crate) status: StatusCode,
    /// A word for programs, which stays as it is: `queue_full`.
    pub(crate) code: &'static str,
    /// A sentence for people: what is wrong, the limit, what to do.
    pub(crate) message: String,
    /// Every fault of the request's fields, in order; none where the request is not at fault by a field.
    pub(crate) fields: Vec<ValidationErrorDetail>,
    /// When it is worth asking again, in seconds, where that is known.
    pub(crate) retry_after: Option<u64>,
    /// The methods that the path has, where it lacks the one that was asked.
    pub(crate) allow: Option<String>,
    /// What there is to say of a service, where one was to make it.
    pub(crate) about: Option<Box<AboutService>>,
}

/// What there is to say of a service; apart, because few problems have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AboutService {
    /// The service that is to blame, where it is not this machine.
    pub(crate) service: Option<&'static str>,
    /// How a month's budget stands, where that has no room for what was asked for.
    pub(crate) budget: Option<BudgetBody>,
}

impl Problem {
    /// With a status, a code and a sentence.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new(), retry_after: None, allow: None, about: None }
    }

    /// The same, with when to ask again.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, with the service that is to blame.
    pub(crate) fn of_service(self, service: &'static str) -> Self {
        Self { about: Some(Box::new(AboutService { service: Some(service), budget: None })), ..self }
    }

    /// The same, with the budget that has no room for it.
    pub(crate) fn over_budget(self, budget: BudgetBody) -> Self {
        Self { about: Some(Box::new(AboutService { service: None, budget: Some(budget) })), ..self }
    }

    /// How a month's budget stands, where that has no room for what was asked for.
    pub(crate) fn budget(&self) -> Option<&BudgetBody> {
        self.about.as_ref()?.budget.as_ref()
    }

    /// There is no such path.
    pub(crate) fn not_found() -> Self {
        Self::missing("Not Found")
    }

    /// There is no such thing, or it is another's; the sentence says which.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The path has no such method.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method Not Allowed") }
    }

    /// The body is announced as something else than the route takes.
    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    /// The body could not be received.
    pub(crate) fn unreadable_body(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unreadable_body", format!("The request body could not be read: {reason}"))
    }

    /// The body is longer than `limit` bytes.
    pub(crate) fn body_too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("Request body too large: the limit is {limit} bytes"))
    }

    /// The body does not come to its end.
    pub(crate) fn body_too_slow(timeout: Duration) -> Self {
        let message = format!("Request body too slow: it did not arrive within {} s", timeout.as_secs_f64());
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
    }

    /// Fields of the request are wrong: all of them, in order.
    pub(crate) fn invalid(fields: Vec<ValidationErrorDetail>) -> Self {
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", "Request validation failed") }
    }

    /// A disk or the store on it cannot be used. It is 503 (RFC 9110, 15.6.4) and not 507: a full disk is an operator's to mend and comes
    /// back, clients and proxies send the request again after `Retry-After`, and 507 (RFC 4918, 11.5) forbids them to do so unasked.
    pub(crate) fn disk(fault: DiskFault, message: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message).retry_after(seconds_until_mended(fault))
    }

    /// A fault of ours.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal Server Error")
    }
}

/// How an API says a problem: the body of the answer.
pub(crate) type Renderer = fn(&Problem) -> Value;

/// When it is worth asking again, in seconds: another program's transaction is a moment, room is made by a person.
fn seconds_until_mended(fault: DiskFault) -> u64 {
    match fault {
        DiskFault::Locked => 2,
        DiskFault::Full | DiskFault::ReadOnly | DiskFault::TooManyFiles | DiskFault::Gone | DiskFault::Damaged | DiskFault::Failing => 30,
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", busy.to_string()).retry_after(BUSY_SECONDS)
    }
}

/// Work on a thread of its own panicked.
impl From<BlockingError> for Problem {
    fn from(_: BlockingError) -> Self {
        Self::internal()
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, allow.as_str()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // Bearer alone: a browser that is offered Basic asks people for a password, and then sends it to every page's liking.
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"framewright\""));
        }
        let mut response = match self.fields.as_slice() {
            [] => response.json(ErrorBody { detail: self.message.clone(), budget: self.budget().cloned() }),
            fields => response.json(ValidationErrorBody { detail: fields.to_vec() }),
        };
        response.extensions_mut().insert(self.clone());
        response
    }
}
