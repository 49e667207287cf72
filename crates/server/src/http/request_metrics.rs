//! Counts and times every request, including those whose client hung up.
//!
//! The invariant: the labels are the route's template and a known method, never a client's text.

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

/// The route label of unknown paths.
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
        // actix drops the handler's future when the client has hung up; such a request counts too.
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
