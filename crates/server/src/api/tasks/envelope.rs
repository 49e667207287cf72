//! The `error` object of every error below `/api/v1`, beside FastAPI's `detail`.
//!
//! It must not know where an error comes from: a handler, the gate before it, or a path that there is not. The invariant: `detail` stays as
//! it was, and what the answer holds on to (the rest of a request's body, a caller's place) it holds on to still.

use std::pin::Pin;

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web::Bytes,
};
use serde_json::{Map, Value, json};

use crate::http::request_body::holding;

/// Longer bodies are no errors of ours.
const MAX_BYTES: usize = 1 << 20;

/// The middleware.
pub(crate) async fn add(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_ours = request.path().starts_with("/api/v1/");
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    if !is_ours || !(status.is_client_error() || status.is_server_error()) {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (head, mut body) = response.into_parts();
    let read = read(&mut body).await;
    let body = match read.and_then(|bytes| enveloped(status, &bytes)) {
        Some(bytes) => holding(BoxBody::new(bytes), body),
        // It was no JSON of ours; there is none such, and one that was read is gone.
        None => body,
    };
    Ok(ServiceResponse::new(request, head.set_body(body)))
}

async fn read(body: &mut BoxBody) -> Option<Bytes> {
    let mut bytes = Vec::new();
    while let Some(piece) = std::future::poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await {
        bytes.extend_from_slice(&piece.ok()?);
        if bytes.len() > MAX_BYTES {
            return None;
        }
    }
    Some(bytes.into())
}

fn enveloped(status: StatusCode, bytes: &[u8]) -> Option<Bytes> {
    let Ok(Value::Object(mut body)) = serde_json::from_slice::<Value>(bytes) else { return None };
    let detail = body.get("detail").cloned().unwrap_or_default();
    body.insert("error".to_owned(), error(status, &detail));
    serde_json::to_vec(&body).ok().map(Bytes::from)
}

/// The object, in the vocabulary of the service that these clients know.
fn error(status: StatusCode, detail: &Value) -> Value {
    let sentence = detail.as_str().unwrap_or("Request validation failed");
    let code = match status.as_u16() {
        404 if sentence.starts_with("Task not found") => "TASK_NOT_FOUND",
        410 if sentence.starts_with("Task ") => "TASK_CANCELLED",
        422 => "VALIDATION_ERROR",
        429 => "RATE_LIMIT_EXCEEDED",
        500 => "INTERNAL_ERROR",
        503 => "SERVICE_ERROR",
        _ => "HTTP_ERROR",
    };
    let details = match code {
        "VALIDATION_ERROR" => detail.clone(),
        "SERVICE_ERROR" => json!({"service": super::wire::SERVICE, "retryable": true}),
        _ => Value::Object(Map::new()),
    };
    json!({"code": code, "message": sentence, "details": details})
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_detail_stays_beside_the_error() {
        let added = |status: u16, body: Value| -> Value {
            let bytes = enveloped(StatusCode::from_u16(status).unwrap(), body.to_string().as_bytes()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        let error = json!({"code": "TASK_NOT_FOUND", "message": "Task not found: a", "details": {}});
        assert_eq!(added(404, json!({"detail": "Task not found: a"})), json!({"detail": "Task not found: a", "error": error}));
        let faults = json!([{"type": "missing", "loc": ["body", "image"]}]);
        let error = json!({"code": "VALIDATION_ERROR", "message": "Request validation failed", "details": faults});
        assert_eq!(added(422, json!({"detail": faults})), json!({"detail": faults, "error": error}));
        assert_eq!(added(503, json!({"detail": "x"}))["error"]["details"], json!({"service": "local", "retryable": true}));
        assert_eq!(added(405, json!({"detail": "Method Not Allowed"}))["error"]["code"], "HTTP_ERROR");
        assert_eq!(enveloped(StatusCode::NOT_FOUND, b"no json"), None);
    }
}
