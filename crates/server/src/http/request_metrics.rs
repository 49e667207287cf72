//! Counts every request and times it, hung-up ones too.
//!
//! The invariant: what is counted is the route's template and one of the known methods, never what a stranger wrote.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web::Data,
};

use crate::http::metrics::RequestMetrics;

/// What stands for a path that is none of ours.
const NO_ROUTE: &str = "none";

/// The middleware.
pub(crate) async fn count(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let metrics = request.app_data::<Data<RequestMetrics>>().cloned();
    let mut counted = Counted {
        metrics,
        method: method(request.method()),
        route: request.match_pattern(),
        status: "hung up".into(),
        started: Instant::now(),
    };
    let response = next.call(request).await;
    counted.status = match &response {
        Ok(response) => response.status().as_str().to_owned(),
        Err(error) => error.as_response_error().status_code().as_str().to_owned(),
    };
    response
}

struct Counted {
    metrics: Option<Data<RequestMetrics>>,
    method: &'static str,
    route: Option<String>,
    status: String,
    started: Instant,
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Actix drops the handler's future when the client is gone; such a request counts too.
        if let Some(metrics) = &self.metrics {
            let route = self.route.as_deref().filter(|route| !route.is_empty()).unwrap_or(NO_ROUTE);
            metrics.count(self.method, route, &self.status, self.started.elapsed());
        }
    }
}

fn method(method: &Method) -> &'static str {
    let known = ["GET", "POST", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
