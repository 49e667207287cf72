//! The problems that many routes share, for /openapi.json: a route lists their families, then its exceptions.
//!
//! The bodies are FastAPI's; [`crate::api::service::docs`] replaces them for APIs with their own format.
#![expect(dead_code, reason = "it only documents answers")]

use utoipa::IntoResponses;

use crate::http::error_bodies::{ErrorBody, ValidationErrorBody};

/// Problems of routes with a JSON body.
#[derive(IntoResponses)]
pub(crate) enum JsonBodyProblems {
    /// The body is not JSON
    #[response(status = 400, example = json!({"detail": "Malformed JSON: trailing comma at line 2 column 1"}))]
    Malformed(ErrorBody),
    /// The body did not arrive in time
    #[response(status = 408, example = json!({"detail": "Request body too slow: it did not arrive within 30 s"}))]
    TooSlow(ErrorBody),
    /// The body is too large
    #[response(status = 413, example = json!({"detail": "Request body too large: the limit is 1048576 bytes"}))]
    TooLarge(ErrorBody),
    /// The body is declared as something other than JSON
    #[response(
        status = 415,
        example = json!({"detail": "Unsupported Media Type: send the body as application/json, not text/plain"})
    )]
    OtherType(ErrorBody),
    /// Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each
    #[response(status = 422)]
    Invalid(ValidationErrorBody),
}

/// Problems of routes whose body may name a model or a provider.
#[derive(IntoResponses)]
#[response(
    status = 404,
    description = "There is no such model: `detail` names those that there are",
    example = json!({"detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"})
)]
pub(crate) struct ModelProblems(ErrorBody);

/// Problems of routes that make a job.
#[derive(IntoResponses)]
pub(crate) enum QueueProblems {
    /// The queue is full, or you have as many jobs waiting as the limit allows
    #[response(
        status = 429,
        headers(("Retry-After" = u64, description = "Seconds until a place is likely to be free")),
        example = json!({"detail": "the queue is full (16 places); try again in about 5 s"})
    )]
    Full(ErrorBody),
    /// The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why
    #[response(status = 503, example = json!({"detail": "Model not loaded yet"}))]
    Unavailable(ErrorBody),
}

/// Problems of routes whose job a service may run.
#[derive(IntoResponses)]
pub(crate) enum ServiceProblems {
    /// The video would exceed the month's budget for the service, or yours: `budget` has the sums
    #[response(
        status = 402,
        example = json!({
            "detail": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
            "budget": {
                "service": "bedrock", "is_yours": false, "month": "2026-11",
                "cap_usd": 5.0, "spent_usd": 4.8, "left_usd": 0.2, "price_usd": 0.48
            }
        })
    )]
    OverBudget(ErrorBody),
    /// The service has failed, or its settings are incomplete: `detail` says why
    #[response(status = 502, example = json!({"detail": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key"}))]
    ServiceFailed(ErrorBody),
}

/// Problems of routes that wait for a job.
#[derive(IntoResponses)]
pub(crate) enum HeldJobProblems {
    /// The task was cancelled meanwhile
    #[response(status = 410, example = json!({"detail": "Task img_abc123def456 has been cancelled"}))]
    Cancelled(ErrorBody),
    /// The job failed: `detail` says why
    #[response(status = 500, example = json!({"detail": "Generation failed: internal error"}))]
    Failed(ErrorBody),
}

/// Problems of routes that use the job store or the disk.
#[derive(IntoResponses)]
#[response(
    status = 503,
    description = "The server is shutting down, or its disk or its job store cannot be used: `detail` says why",
    example = json!({"detail": "The store of jobs cannot be used: the disk is full"})
)]
pub(crate) struct StoreProblems(ErrorBody);

/// Answers of routes that serve a file, to requests with conditions or a range.
#[derive(IntoResponses)]
pub(crate) enum FileAnswers {
    /// The client already has this version: `If-None-Match` names its ETag
    #[response(status = 304)]
    Unchanged,
    /// Precondition failed: `If-Match` does not match its ETag
    #[response(status = 412)]
    Another,
    /// The requested range is outside the file
    #[response(status = 416)]
    NoSuchPart,
}
