//! `GET /v1/models` and `/v1/models/{model}`: the names that requests may use in `model`, and what each can do.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::web::{self, Data, Json, Path};
use generation::ModelView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::models::wire::Model,
    http::{ErrorBody, Problem},
    state::ApiState,
};

/// What a model of images can do, with its motion model; routes and parameters of this API.
const IMAGE_CAPABILITIES: [&str; 7] =
    ["images.generations", "images.edits", "images.edits.mask", "images.variations", "images.stream", "videos", "videos.input_reference"];
/// What a motion model without a model of images can do.
const MOTION_CAPABILITIES: [&str; 1] = ["videos.input_reference"];
/// What an upscaler can do.
const UPSCALER_CAPABILITIES: [&str; 1] = ["images.upscale"];
/// What a service can do. Whether it takes a picture depends on its model.
const SERVICE_CAPABILITIES: [&str; 1] = ["videos"];

/// The models that requests may name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiModels {
    /// "list".
    #[schema(example = "list")]
    pub(crate) object: &'static str,
    /// The models, the default one first, and the upscalers last.
    pub(crate) data: Vec<OpenAiModel>,
}

/// A model that requests may name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiModel {
    /// The name by which requests select it in `model`.
    #[schema(example = "turbo")]
    pub(crate) id: String,
    /// "model".
    #[schema(example = "model")]
    pub(crate) object: &'static str,
    /// When this server started, in seconds since 1970: a model's own age is not known.
    #[schema(example = 1_768_127_400)]
    pub(crate) created: u64,
    /// "local" for a model of this machine, else the service that runs it.
    #[schema(example = "local")]
    pub(crate) owned_by: String,
    /// What it can do: `images.generations`, `images.edits`, `images.edits.mask`, `images.variations`, `images.stream`, `images.upscale`,
    /// `videos`, and `videos.input_reference`: videos that start from a picture.
    #[schema(example = json!(IMAGE_CAPABILITIES))]
    pub(crate) capabilities: Vec<&'static str>,
    /// The model as `GET /models` has it; absent for a service's and for an upscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Model>,
}

/// The models that requests may name.
#[utoipa::path(get, path = "/v1/models", operation_id = "openai_list_models", tag = "openai", responses((status = 200, description = "The models", body = OpenAiModels)))]
pub(crate) async fn list(state: Data<ApiState>) -> Json<OpenAiModels> {
    Json(OpenAiModels { object: "list", data: models(&state).await })
}

/// A model that requests may name.
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    operation_id = "openai_show_model",
    tag = "openai",
    params(("model" = String, Path, description = "The model's name, as `GET /v1/models` has it", example = "turbo")),
    responses(
        (status = 200, description = "The model", body = OpenAiModel),
        (status = 404, description = "There is no such model: the message names the known ones", body = ErrorBody),
    )
)]
pub(crate) async fn show(name: Path<String>, state: Data<ApiState>) -> Result<Json<OpenAiModel>, Problem> {
    let models = models(&state).await;
    let known = || {
        format!("there is no such model here; there are {}", models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", "))
    };
    let found = models.iter().position(|model| model.id == *name).ok_or_else(|| Problem::model_not_found(&name, &known()));
    found.and_then(|index| models.into_iter().nth(index).map(Json).ok_or_else(Problem::internal))
}

async fn models(state: &ApiState) -> Vec<OpenAiModel> {
    let created = seconds(state.started);
    let local = state.local().models().into_iter().map(|view| {
        let name = state.services.name_of(&view.name).to_owned();
        of_machine(name, view, created)
    });
    let services = state.services.services.iter().map(|service| OpenAiModel {
        id: service.name(),
        object: "model",
        created,
        owned_by: service.provider.name().to_owned(),
        capabilities: SERVICE_CAPABILITIES.to_vec(),
        details: None,
    });
    let mut models: Vec<OpenAiModel> = local.chain(services).collect();
    models.extend(upscalers(state).await.into_iter().map(|id| OpenAiModel {
        id,
        object: "model",
        created,
        owned_by: "local".to_owned(),
        capabilities: UPSCALER_CAPABILITIES.to_vec(),
        details: None,
    }));
    models
}

/// The names of the usable upscalers. A file that is new or has changed is read.
async fn upscalers(state: &ApiState) -> Vec<String> {
    let Some(folder) = state.local().upscalers().folder().cloned() else { return Vec::new() };
    // A folder that cannot be read has none; a request that names one is told why.
    let usable = web::block(move || folder.usable()).await;
    usable.ok().and_then(Result::ok).unwrap_or_default().into_iter().map(|(name, _)| name).collect()
}

fn of_machine(id: String, view: ModelView, created: u64) -> OpenAiModel {
    // A model that only sets pictures in motion has no size for pictures. What is not known yet is assumed to make them.
    let makes_images = view.info.as_ref().is_none_or(|info| info.default_width > 0);
    OpenAiModel {
        id,
        object: "model",
        created,
        owned_by: "local".to_owned(),
        capabilities: if makes_images { IMAGE_CAPABILITIES.to_vec() } else { MOTION_CAPABILITIES.to_vec() },
        details: Some(Model::from(view)),
    }
}

/// Whole seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
