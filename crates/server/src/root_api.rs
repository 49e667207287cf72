//! `GET /`: what runs here, and where to find the rest.

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
    let endpoints = Endpoints {
        generate_image: "/generate".into(),
        generate_video: "/generate-video".into(),
        video_info: "/generate-video/info".into(),
        animate: "/animate".into(),
        health: "/health".into(),
        docs: "/docs".into(),
        redoc: "/redoc".into(),
        openapi: "/openapi.json".into(),
    };
    Json(RootResponse { status: "running".into(), device, model, endpoints })
}
