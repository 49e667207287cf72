//! One log line per request: its id, method, path, status and milliseconds; or that the client hung up.
//!
//! Queries and headers are not logged, because they contain keys and signatures. All other log lines of a request are in its span, and so
//! have its id.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
};

use tracing::Instrument as _;

use crate::http::request_id::{RequestId, X_REQUEST_ID};

/// The middleware.
pub(crate) async fn log(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let mut line = Line { id, method, path, started: Instant::now(), answered: false };
    // At error level, so that warnings and errors have the id at every log level.
    let span = tracing::error_span!("request", id = line.id.as_str());
    let mut response = next.call(request).instrument(span).await;
    line.answered = true;
    if let (Ok(response), Some(id)) = (&mut response, line.id.header()) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    tracing::info!(id = line.id.as_str(), method = %line.method, path = %line.path, status = status.as_u16(), ms = line.milliseconds(), "answered");
    response
}

struct Line {
    id: RequestId,
    method: Method,
    path: String,
    started: Instant,
    answered: bool,
}

impl Line {
    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // actix drops the handler's future when the client has hung up.
        if !self.answered {
            tracing::info!(id = self.id.as_str(), method = %self.method, path = %self.path, ms = self.milliseconds(), "the client hung up");
        }
    }
}
