//! The header `X-Process-Time` of the web UI's answers: the seconds until the answer began.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
};

use super::PREFIX;

const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

/// The middleware.
pub(crate) async fn add(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = request.path().starts_with(PREFIX).then(Instant::now);
    let mut response = next.call(request).await?;
    if let Some(started) = started
        && let Ok(seconds) = HeaderValue::from_str(&format!("{:.4}", started.elapsed().as_secs_f64()))
    {
        response.headers_mut().insert(X_PROCESS_TIME, seconds);
    }
    Ok(response)
}
