//! Problems: all answers of handlers except successful ones.
//!
//! It must not know the modules above: each converts its own errors to problems by an exhaustive `From` beside them, and [`generation`]
//! converts the errors of the crate below. The invariants: a problem is complete when it is created, and stays in its response's
//! extensions, from which [`crate::routes`] renders it for the APIs whose format is not FastAPI's.

pub(crate) mod documented;
mod generation;

use std::time::Duration;

use ::generation::jobs::DiskFault;
use actix_web::{
    HttpResponse, ResponseError,
    dev::ResponseHead,
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

/// An error, which every API renders in its own format.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The status.
    pub(crate) status: StatusCode,
    /// A stable word for programs: `queue_full`.
    pub(crate) code: &'static str,
    /// A sentence for people: what is wrong, the limit, what to do.
    pub(crate) message: String,
    /// Every fault of the request's fields, in order; empty if no field is at fault.
    pub(crate) fields: Vec<ValidationErrorDetail>,
    /// The seconds after which a retry is worthwhile, if known.
    pub(crate) retry_after: Option<u64>,
    /// The methods of the path, if it lacks the requested one.
    pub(crate) allow: Option<String>,
    /// Details about the service that should have run the job, if any.
    pub(crate) about: Option<Box<AboutService>>,
    /// Whether the job has run, so that a client must not send the request again by itself.
    pub(crate) has_run: bool,
}

/// Details about a service; boxed, because few problems have them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AboutService {
    /// The service at fault, if it is not this machine.
    pub(crate) service: Option<&'static str>,
    /// The state of a month's budget that the request would exceed.
    pub(crate) budget: Option<BudgetBody>,
}

impl Problem {
    /// A problem with a status, a code and a sentence.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new(), retry_after: None, allow: None, about: None, has_run: false }
    }

    /// Sets `Retry-After`.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Marks the end of a job that was accepted.
    pub(crate) fn of_run(self) -> Self {
        Self { has_run: true, ..self }
    }

    /// Sets the service at fault.
    pub(crate) fn of_service(self, service: &'static str) -> Self {
        Self { about: Some(Box::new(AboutService { service: Some(service), budget: None })), ..self }
    }

    /// Sets the exceeded budget.
    pub(crate) fn over_budget(self, budget: BudgetBody) -> Self {
        Self { about: Some(Box::new(AboutService { service: None, budget: Some(budget) })), ..self }
    }

    /// The state of a month's budget that the request would exceed.
    pub(crate) fn budget(&self) -> Option<&BudgetBody> {
        self.about.as_ref()?.budget.as_ref()
    }

    /// There is no such path.
    pub(crate) fn not_found() -> Self {
        Self::missing("Not Found")
    }

    /// The resource does not exist, or belongs to another key; the sentence says which kind it is.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The path has no such method.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method Not Allowed") }
    }

    /// The body is declared as a type that the route does not accept.
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

    /// The body did not arrive in time.
    pub(crate) fn body_too_slow(timeout: Duration) -> Self {
        let message = format!("Request body too slow: it did not arrive within {} s", timeout.as_secs_f64());
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
    }

    /// Fields of the request are wrong: all of them, in order.
    pub(crate) fn invalid(fields: Vec<ValidationErrorDetail>) -> Self {
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", "Request validation failed") }
    }

    /// A disk or the store on it is unusable. It is 503 (RFC 9110, 15.6.4) rather than 507: a full disk is temporary, because the operator
    /// can free it, and clients and proxies retry a 503 after `Retry-After`, which 507 (RFC 4918, 11.5) forbids without a user's action.
    pub(crate) fn disk(fault: DiskFault, message: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", message).retry_after(retry_seconds(fault))
    }

    /// An internal fault.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal Server Error")
    }
}

/// Renders a problem as an API's body.
pub(crate) type Renderer = fn(&Problem) -> Value;
/// Adapts the status and the headers of a problem's answer to an API.
pub(crate) type HeadRenderer = fn(&Problem, &mut ResponseHead);

/// The seconds after which a retry is worthwhile: another program's transaction is short, but a person has to free disk space.
fn retry_seconds(fault: DiskFault) -> u64 {
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

/// A blocking task panicked.
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
            // Bearer only: a browser that is offered Basic prompts for a password, and then sends it with the requests of any page.
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
