//! `GET /ready` and `GET /metrics`, for orchestration and monitoring.
//!
//! `/health` says that the program answers, and waits for nothing; `/ready` says that it accepts work.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, RETRY_AFTER, VARY},
    web::Data,
};
use generation::ModelStatus;

use crate::{
    api::service::wire::ReadyResponse,
    http::{ErrorBody, Problem, metrics::Now, metrics_format::Format},
    state::ApiState,
};

/// The time that the store has to answer; a slower one is not ready.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the server accepts work: the model is loaded, jobs and files can be stored, and the server is not shutting down.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "service",
    responses(
        (status = 200, description = "The server accepts work", body = ReadyResponse),
        (
            status = 503,
            description = "It does not: `detail` says why",
            body = ReadyResponse,
            headers(("Retry-After" = u64, description = "Seconds until a retry is worthwhile"))
        ),
    )
)]
pub(crate) async fn ready(state: Data<ApiState>) -> HttpResponse {
    let model = match state.local().status() {
        ModelStatus::Ready(_) => Ok(()),
        ModelStatus::Loading => Err("Model not loaded yet".to_owned()),
        ModelStatus::Failed(_) => Err("The model cannot be used".to_owned()),
    };
    let check = async {
        match tokio::time::timeout(STORE_TIMEOUT, state.jobs.check_writable()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // The error may name folders, which only the operator should see.
                tracing::error!(%error, "not ready: the store of jobs cannot be written to");
                Err(format!("The store of jobs cannot be written to: {}", error.fault()))
            }
            Err(_) => Err("The store of jobs does not answer".to_owned()),
        }
    };
    let is_stopping = *state.jobs.stopping().borrow();
    let store = match is_stopping {
        true => Err("The server is shutting down".to_owned()),
        false => state.store_check.result(Instant::now, check).await,
    };
    let answer = ReadyResponse {
        ready: model.is_ok() && store.is_ok(),
        model_loaded: model.is_ok(),
        store_writable: store.is_ok(),
        detail: store.err().filter(|_| is_stopping || model.is_ok()).or(model.err()),
    };
    if answer.ready {
        HttpResponse::Ok().json(answer)
    } else {
        HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, 1)).json(answer)
    }
}

/// Metrics for Prometheus.
///
/// In OpenMetrics' text format if `Accept` names it, as Prometheus does; else in Prometheus' text format 0.0.4.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses(
        (
            status = 200,
            description = "The metrics",
            content((String = "text/plain"), (String = "application/openmetrics-text")),
            headers(("Vary" = String, description = "Accept"))
        ),
        (status = 500, description = "They could not be written", body = ErrorBody),
    )
)]
pub(crate) async fn metrics(request: HttpRequest, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let stats = match tokio::time::timeout(STORE_TIMEOUT, state.jobs.stats()).await {
        Ok(Ok(stats)) => Some(stats),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store of jobs cannot be read");
            None
        }
        Err(_) => None,
    };
    let providers = state.jobs.provider_metrics();
    let usage = match providers.is_empty() {
        true => Vec::new(),
        // If the store is too slow now, the next scrape has the numbers.
        false => tokio::time::timeout(STORE_TIMEOUT, state.jobs.usage(None, state.jobs.month()))
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default(),
    };
    let (active, waiting) = (state.jobs.active(), state.jobs.waiting());
    let now = Now {
        model_loaded: matches!(state.local().status(), ModelStatus::Ready(_)),
        waiting,
        running: active.saturating_sub(waiting),
        jobs: state.jobs.metrics(),
        steps: state.local().metrics(),
        providers,
        usage,
        stats,
        resident_memory: (state.resident_memory)(),
    };
    let text = state.requests.text(now).map_err(|_| Problem::internal())?;
    let format = Format::wanted(&request);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, format.media_type())).insert_header((VARY, "Accept")).body(format.of(text)))
}
