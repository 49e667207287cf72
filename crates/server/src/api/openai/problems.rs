//! OpenAI's format of problems: an `error` object, whose message is all that its clients show.
//!
//! The invariants: a field at fault is in the message and in `param`; a fault of the request is 400; nothing asks a client to repeat a job
//! that has run, or to wait longer than the clients do.

use actix_web::{
    dev::ResponseHead,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{Problem, ValidationErrorDetail};

/// The longest `Retry-After` in seconds: a client that is told to wait longer gives up at once.
const LONGEST_WAIT: u64 = 120;
/// Tells a client whether to repeat a request.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiErrorBody {
    pub(crate) error: OpenAiError,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiError {
    /// A sentence with the field, its value and its limit.
    #[schema(example = "n: Input should be less than or equal to 10 (it is 11)")]
    pub(crate) message: String,
    /// The kind: `invalid_request_error`, `rate_limit_error`, `insufficient_quota` or `server_error`.
    #[serde(rename = "type")]
    #[schema(example = "invalid_request_error")]
    pub(crate) kind: &'static str,
    /// The first field at fault; null if none is.
    #[schema(example = "n")]
    pub(crate) param: Option<String>,
    /// A stable word for programs.
    #[schema(example = "invalid_value")]
    pub(crate) code: Option<String>,
}

/// The body of a problem.
pub(crate) fn render(problem: &Problem) -> Value {
    let param = match problem.fields.first() {
        Some(fault) => Some(fault.field()),
        None => (problem.code == "model_not_found").then(|| "model".to_owned()),
    };
    let message = match problem.fields.as_slice() {
        [] => problem.message.clone(),
        faults => {
            let mut sentences: Vec<String> = faults.iter().map(ValidationErrorDetail::sentence).collect();
            // A size is one field here: its width and its height may have the same fault.
            sentences.dedup();
            sentences.join("; ")
        }
    };
    let code = match (problem.fields.first(), problem.code) {
        (Some(fault), _) if fault.kind == "missing" => "missing_required_parameter",
        (Some(_), _) => "invalid_value",
        (None, "unauthorized") => "invalid_api_key",
        (None, "over_budget") => "insufficient_quota",
        (None, code) => code,
    };
    let kind = match status(problem).as_u16() {
        402 => "insufficient_quota",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    let code = Some(code.to_owned()).filter(|code| !code.is_empty());
    // It contains nothing that JSON cannot represent.
    serde_json::to_value(OpenAiErrorBody { error: OpenAiError { message, kind, param, code } }).unwrap_or_default()
}

/// Adapts the status and the headers to these clients.
pub(crate) fn adapt_head(problem: &Problem, head: &mut ResponseHead) {
    head.status = status(problem);
    if problem.retry_after.is_some_and(|seconds| seconds > LONGEST_WAIT) {
        head.headers_mut().insert(RETRY_AFTER, HeaderValue::from(LONGEST_WAIT));
    }
    if problem.has_run {
        head.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
}

fn status(problem: &Problem) -> StatusCode {
    if problem.status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { problem.status }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inputs::faults::detail;

    #[test]
    fn the_message_names_the_field_the_value_and_the_limit() {
        let faults = vec![
            detail("less_than_equal", vec!["body".into(), "n".into()], "Input should be less than or equal to 10".into(), 11.into()),
            detail("missing", vec!["body".into(), "loras".into(), 0.into(), "name".into()], "Field required".into(), json!({})),
            detail("value_error", vec!["body".into(), "size".into()], "Value error, it is odd".into(), "1x".into()),
        ];
        let message =
            "n: Input should be less than or equal to 10 (it is 11); loras.0.name: Field required; size: it is odd (it is \"1x\")";
        let error = json!({"message": message, "type": "invalid_request_error", "param": "n", "code": "invalid_value"});
        assert_eq!(render(&Problem::invalid(faults)), json!({"error": error}));
    }

    #[test]
    fn a_client_repeats_no_job_that_has_run_and_waits_no_longer_than_it_can() {
        let head = |problem: &Problem| {
            let mut head = ResponseHead::new(problem.status);
            adapt_head(problem, &mut head);
            let text = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            (head.status.as_u16(), text("retry-after"), text("x-should-retry"))
        };
        assert_eq!(head(&Problem::invalid(Vec::new())), (400, None, None));
        let busy = Problem::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", "full");
        assert_eq!(head(&busy.clone().retry_after(500)), (429, Some("120".into()), None));
        assert_eq!(
            head(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "generation_failed", "no").of_run()),
            (503, None, Some("false".into()))
        );
        assert_eq!(render(&busy)["error"]["type"], "rate_limit_error");
        assert_eq!(render(&Problem::model_not_found("a", "there are b"))["error"]["param"], "model");
    }
}
