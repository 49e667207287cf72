//! `GET /`: what runs here, and where to find the rest.
//!
//! The keys are those of four services whose clients may ask: what they call alike stands once, and their endpoints stand together.

use actix_web::web::{Data, Json};
use generation::EngineStatus;

use crate::{
    app::ApiState,
    wire::{Endpoints, RootResponse},
};

/// What stands for the device until the model is loaded.
pub(crate) const NO_DEVICE: &str = "not set";

/// What runs here, and where to find the rest.
#[utoipa::path(get, path = "/", tag = "service", responses((status = 200, description = "The service runs", body = RootResponse)))]
pub(crate) async fn root(state: Data<ApiState>) -> Json<RootResponse> {
    let (device, model) = match state.engine.status() {
        EngineStatus::Ready(info) => (info.device.clone(), Some(info.name.clone())),
        EngineStatus::Loading | EngineStatus::Failed(_) => (NO_DEVICE.to_owned(), None),
    };
    Json(RootResponse {
        status: "running".into(),
        device,
        model,
        name: "framewright".into(),
        message: "Framewright is running".into(),
        description: "Pictures and videos from text, made on this machine.".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        docs: "/docs".into(),
        redoc: "/redoc".into(),
        endpoints: Endpoints::default(),
    })
}
