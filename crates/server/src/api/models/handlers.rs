//! Listing, loading and unloading models.
//!
//! It must not know how a model is loaded. The invariant: an answer shows the current state, and never waits for a load.

use std::future::{Future, ready};

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Data, Json, Path},
};
use generation::ModelInfo;

use super::wire::{Model, Models, MotionModel};
use crate::{
    http::{ErrorBody, Problem},
    state::ApiState,
};

/// The models of this machine.
///
/// Each with its state. A request selects one by its name in `model`. Adapters, ControlNets and upscalers whose files cannot be used are not listed: the
/// log names them at the start, and a request that chooses one is told why.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "models", responses((status = 200, description = "The models", body = Models)))]
pub(crate) async fn list(state: Data<ApiState>) -> Result<Json<Models>, Problem> {
    let views = state.local().models();
    let folder = state.local().upscalers().folder().cloned();
    let infos: Vec<_> = views.iter().filter_map(|view| view.info.clone()).collect();
    // Files are read for it.
    let usable = web::block(move || {
        let of = |usable: fn(&ModelInfo) -> Vec<String>| infos.iter().map(|info| usable(info)).find(|names| !names.is_empty());
        // A folder that cannot be read has none; a request that names one is told why.
        let upscalers = folder.and_then(|folder| folder.usable().ok()).unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        (of(ModelInfo::usable_adapters).unwrap_or_default(), of(ModelInfo::usable_controlnets).unwrap_or_default(), upscalers)
    });
    let (adapters, controlnets, upscalers) = usable.await?;
    let motion = state.local().motion().map(MotionModel::from);
    Ok(Json(Models { models: views.into_iter().map(Model::from).collect(), adapters, controlnets, upscalers, motion }))
}

/// Loads a model.
///
/// Answers at once; `GET /models` shows the progress. If memory is short, the least recently used models are unloaded for it, once the
/// running job has ended.
#[utoipa::path(
    post,
    path = "/models/{name}/load",
    operation_id = "load_model",
    tag = "models",
    params(("name" = String, Path, description = "The model's name, as `GET /models` has it", example = "turbo")),
    responses(
        (status = 202, description = "It is loaded, or will be", body = Model),
        (status = 404, description = "There is no such model: `detail` names the known ones", body = ErrorBody),
        (status = 503, description = "The device is lost", body = ErrorBody),
    )
)]
pub(crate) fn load(name: Path<String>, state: Data<ApiState>) -> impl Future<Output = Result<HttpResponse, Problem>> {
    ready(state.local().load_model(&name).map_err(Problem::from).and_then(|()| accepted(&name, &state)))
}

/// Unloads a model.
///
/// Answers at once. A job that runs with it ends first; a load is stopped. It is loaded again when a request needs it.
#[utoipa::path(
    post,
    path = "/models/{name}/unload",
    operation_id = "unload_model",
    tag = "models",
    params(("name" = String, Path, description = "The model's name, as `GET /models` has it", example = "turbo")),
    responses(
        (status = 202, description = "It is unloaded, or will be", body = Model),
        (status = 404, description = "There is no such model: `detail` names the known ones", body = ErrorBody),
    )
)]
pub(crate) fn unload(name: Path<String>, state: Data<ApiState>) -> impl Future<Output = Result<HttpResponse, Problem>> {
    ready(state.local().unload_model(&name).map_err(Problem::from).and_then(|()| accepted(&name, &state)))
}

fn accepted(name: &str, state: &ApiState) -> Result<HttpResponse, Problem> {
    let view = state.local().models().into_iter().find(|view| view.name == name).ok_or_else(Problem::internal)?;
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(Model::from(view)))
}
