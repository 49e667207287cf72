//! One log line a request: method, path, status and milliseconds; or that the client hung up.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
};

/// The middleware.
pub(crate) async fn log(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut line = Line { method: request.method().clone(), path: request.path().to_owned(), started: Instant::now(), answered: false };
    let response = next.call(request).await;
    line.answered = true;
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    tracing::info!(method = %line.method, path = %line.path, status = status.as_u16(), ms = line.milliseconds(), "answered");
    response
}

struct Line {
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
        // Actix drops the handler's future when the client is gone.
        if !self.answered {
            tracing::info!(method = %self.method, path = %self.path, ms = self.milliseconds(), "the client hung up");
        }
    }
}
