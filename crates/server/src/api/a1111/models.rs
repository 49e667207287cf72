//! The web UI's checkpoints: this machine's models by their names, and loading and unloading them.

use std::future::{Ready, ready};

use actix_web::web::{Data, Json};
use generation::ModelView;
use serde_json::{Map, Value};

use super::overrides::Overrides;
use crate::{
    access::Caller,
    http::{ErrorBody, Problem},
    state::ApiState,
};

/// The endings of names that clients of the web UI know a checkpoint by.
const ENDINGS: [&str; 2] = [".safetensors", ".ckpt"];

/// The models that make pictures.
pub(super) fn checkpoints(state: &ApiState) -> Vec<ModelView> {
    // A model that only sets pictures in motion has no size for pictures. What is not known yet is assumed to make them.
    let makes_images = |view: &ModelView| view.info.as_ref().is_none_or(|info| info.default_width > 0);
    state.local().models().into_iter().filter(makes_images).collect()
}

/// The model of this machine with a title: its name, or that with the web UI's ending or hash behind it.
///
/// # Errors
/// 404 with the known names.
pub(super) fn request_model(state: &ApiState, title: &str) -> Result<Option<String>, Problem> {
    let title = title.trim();
    let without_hash = title.split_once(" [").map_or(title, |(name, _)| name);
    let without_ending = ENDINGS.iter().find_map(|ending| without_hash.strip_suffix(ending)).unwrap_or(without_hash);
    let found = [title, without_hash, without_ending].into_iter().find_map(|name| state.services.local_model(Some(name)).ok());
    found.map_or_else(|| state.services.local_model(Some(title)), Ok)
}

/// The name in the pool of the model with a title.
///
/// # Errors
/// As [`request_model`].
pub(super) fn pool_name(state: &ApiState, title: &str) -> Result<String, Problem> {
    let name = request_model(state, title)?;
    let view = state.local().models().into_iter().find(|view| name.as_ref().map_or(view.is_default, |name| view.name == *name));
    view.map(|view| view.name).ok_or_else(Problem::internal)
}

/// The title of a model by its name in requests; `None` for the default one.
pub(super) fn title_of(state: &ApiState, name: Option<&str>) -> String {
    let models = state.local().models();
    let found = models.iter().find(|view| name.map_or(view.is_default, |name| view.name == name));
    found.map_or_else(|| name.unwrap_or("local").to_owned(), |view| state.services.name_of(&view.name).to_owned())
}

/// The title of a caller's model.
pub(super) fn current(state: &ApiState, owner: &str) -> String {
    let options = Overrides::new(state.web_ui.options(owner), Map::new());
    options.model().map_or_else(|| title_of(state, None), str::to_owned)
}

/// Nothing to do: the models are those that the operator has set up.
#[utoipa::path(post, path = "/sdapi/v1/refresh-checkpoints", tag = "automatic1111", responses((status = 200, description = "null", body = Option<bool>)))]
pub(crate) fn refresh_checkpoints() -> Ready<Json<Value>> {
    ready(Json(Value::Null))
}

/// Nothing to do: the autoencoders are those of the models.
#[utoipa::path(post, path = "/sdapi/v1/refresh-vae", tag = "automatic1111", responses((status = 200, description = "null", body = Option<bool>)))]
pub(crate) fn refresh_vae() -> Ready<Json<Value>> {
    ready(Json(Value::Null))
}

/// Nothing to do: the folder of adapters is read for each list and each request.
#[utoipa::path(post, path = "/sdapi/v1/refresh-loras", tag = "automatic1111", responses((status = 200, description = "null", body = Option<bool>)))]
pub(crate) fn refresh_loras() -> Ready<Json<Value>> {
    ready(Json(Value::Null))
}

/// Nothing to do: embeddings are read when a model is loaded.
#[utoipa::path(post, path = "/sdapi/v1/refresh-embeddings", tag = "automatic1111", responses((status = 200, description = "null", body = Option<bool>)))]
pub(crate) fn refresh_embeddings() -> Ready<Json<Value>> {
    ready(Json(Value::Null))
}

/// Unloads your model once no job runs with it. The next request loads it again.
#[utoipa::path(
    post,
    path = "/sdapi/v1/unload-checkpoint",
    tag = "automatic1111",
    responses((status = 200, description = "An empty object", body = Object), (status = 404, description = "The model is gone", body = ErrorBody))
)]
pub(crate) fn unload_checkpoint(caller: Caller, state: Data<ApiState>) -> Ready<Result<Json<Value>, Problem>> {
    ready(name_of(&state, &caller).and_then(|name| Ok(state.local().unload_model(&name)?)).map(|()| empty()))
}

/// Loads your model.
///
/// Answers at once; `GET /sdapi/v1/progress` does not show the loading, `GET /models` does.
#[utoipa::path(
    post,
    path = "/sdapi/v1/reload-checkpoint",
    tag = "automatic1111",
    responses(
        (status = 200, description = "An empty object", body = Object),
        (status = 404, description = "The model is gone", body = ErrorBody),
        (status = 503, description = "The device is lost", body = ErrorBody)
    )
)]
pub(crate) fn reload_checkpoint(caller: Caller, state: Data<ApiState>) -> Ready<Result<Json<Value>, Problem>> {
    ready(name_of(&state, &caller).and_then(|name| Ok(state.local().load_model(&name)?)).map(|()| empty()))
}

fn empty() -> Json<Value> {
    Json(Value::Object(Map::new()))
}

/// The name in the pool of a caller's model.
fn name_of(state: &ApiState, caller: &Caller) -> Result<String, Problem> {
    pool_name(state, &current(state, &caller.owner))
}
