//! `GET /health`: answers at once, whatever the device is doing.

use actix_web::web::{Data, Json};
use generation::ModelStatus;
use jiff::{Timestamp, Unit};

use crate::{api::service::wire::HealthResponse, state::ApiState};

/// The device until the model is loaded.
pub(crate) const NO_DEVICE: &str = "not set";

/// Whether the service is up, and whether its model is loaded.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, description = "The service is up", body = HealthResponse)))]
pub(crate) async fn health(state: Data<ApiState>) -> Json<HealthResponse> {
    let device = match state.local().status() {
        ModelStatus::Ready(info) => Some(info.device.clone()),
        ModelStatus::Loading | ModelStatus::Failed(_) => None,
    };
    let now = Timestamp::now();
    Json(HealthResponse {
        status: "healthy".into(),
        service: "framewright".into(),
        model_loaded: device.is_some(),
        device: device.unwrap_or_else(|| NO_DEVICE.to_owned()),
        version: env!("CARGO_PKG_VERSION").into(),
        // Rounding fails only at the limits of the time range.
        timestamp: now.round(Unit::Millisecond).unwrap_or(now).to_string(),
        jobs: state.jobs.active(),
    })
}
