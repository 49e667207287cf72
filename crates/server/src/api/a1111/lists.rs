//! What there is, as the web UI lists it. What this server does not have is an empty list.

use std::future::{Ready, ready};

use actix_web::web::{self, Data, Json};
use diffusion_core::{
    pipelines::LatentResize,
    schedulers::{SchedulerKind, SchedulerName},
    weights::UpscalerConfig,
};
use generation::{ModelInfo, Upscaler, sampler};
use serde_json::Map;

use super::{
    models::checkpoints,
    wire::{
        WebUiEmbeddings, WebUiLora, WebUiMemory, WebUiModel, WebUiName, WebUiRealEsrgan, WebUiSampler, WebUiScheduler, WebUiScripts,
        WebUiUpscaler, WebUiVae,
    },
};
use crate::{access::Caller, http::Problem, state::ApiState};

/// The web UI's factor of upscalers that have none of their own.
const SCALE: f64 = 4.0;

/// The samplers.
#[utoipa::path(get, path = "/sdapi/v1/samplers", tag = "automatic1111", responses((status = 200, description = "The samplers", body = [WebUiSampler])))]
pub(crate) fn samplers() -> Ready<Json<Vec<WebUiSampler>>> {
    let of_kind = |kind: SchedulerKind| WebUiSampler {
        name: sampler(kind.into()).0,
        aliases: SchedulerName::all().into_iter().filter(|name| name.kind == kind).map(|name| name.to_string()).collect(),
        options: Map::new(),
    };
    ready(Json(SchedulerKind::ALL.into_iter().map(of_kind).collect()))
}

/// The schedules that samplers are combined with.
#[utoipa::path(get, path = "/sdapi/v1/schedulers", tag = "automatic1111", responses((status = 200, description = "The schedules", body = [WebUiScheduler])))]
pub(crate) fn schedulers() -> Ready<Json<Vec<WebUiScheduler>>> {
    let all = [
        ("automatic", "Automatic", -1.0),
        ("uniform", "Uniform", -1.0),
        ("karras", "Karras", 7.0),
        ("exponential", "Exponential", -1.0),
        ("beta", "Beta", -1.0),
    ];
    let of = |(name, label, default_rho)| WebUiScheduler { name, label, aliases: None, default_rho, need_inner_model: false };
    ready(Json(all.map(of).into()))
}

/// The models that make pictures.
#[utoipa::path(get, path = "/sdapi/v1/sd-models", tag = "automatic1111", responses((status = 200, description = "The models", body = [WebUiModel])))]
pub(crate) fn sd_models(state: Data<ApiState>) -> Ready<Json<Vec<WebUiModel>>> {
    let models = checkpoints(&state).into_iter().map(|view| {
        let title = state.services.name_of(&view.name).to_owned();
        WebUiModel { model_name: title.clone(), filename: title.clone(), title, hash: None, sha256: None, config: None }
    });
    ready(Json(models.collect()))
}

/// The autoencoders of the models.
#[utoipa::path(get, path = "/sdapi/v1/sd-vae", tag = "automatic1111", responses((status = 200, description = "The autoencoders", body = [WebUiVae])))]
pub(crate) fn sd_vae(state: Data<ApiState>) -> Ready<Json<Vec<WebUiVae>>> {
    let mut names: Vec<&'static str> = Vec::new();
    for info in checkpoints(&state).into_iter().filter_map(|view| view.info) {
        for vae in &info.vaes {
            if !names.contains(&vae.name()) {
                names.push(vae.name());
            }
        }
    }
    ready(Json(names.into_iter().map(|name| WebUiVae { model_name: name, filename: name }).collect()))
}

/// The adapters that prompts may name.
///
/// Adapters whose files cannot be used are not listed.
#[utoipa::path(get, path = "/sdapi/v1/loras", tag = "automatic1111", responses((status = 200, description = "The adapters", body = [WebUiLora])))]
pub(crate) async fn loras(state: Data<ApiState>) -> Result<Json<Vec<WebUiLora>>, Problem> {
    let infos: Vec<_> = checkpoints(&state).into_iter().filter_map(|view| view.info).collect();
    // Files are read for it.
    let usable = web::block(move || infos.iter().map(|info| ModelInfo::usable_adapters(info)).find(|names| !names.is_empty()));
    let names = usable.await?.unwrap_or_default();
    let of = |name: String| WebUiLora { alias: name.clone(), path: name.clone(), name, metadata: Map::new() };
    Ok(Json(names.into_iter().map(of).collect()))
}

/// Embeddings: they are words of prompts, and not listed.
#[utoipa::path(get, path = "/sdapi/v1/embeddings", tag = "automatic1111", responses((status = 200, description = "None", body = WebUiEmbeddings)))]
pub(crate) fn embeddings() -> Ready<Json<WebUiEmbeddings>> {
    ready(Json(WebUiEmbeddings::default()))
}

/// What enlarges pictures: the built-in ones, and the networks of the operator's folder.
#[utoipa::path(get, path = "/sdapi/v1/upscalers", tag = "automatic1111", responses((status = 200, description = "The upscalers", body = [WebUiUpscaler])))]
pub(crate) async fn upscalers(state: Data<ApiState>) -> Result<Json<Vec<WebUiUpscaler>>, Problem> {
    let of = |name: &str, model_name, scale| WebUiUpscaler { name: name.to_owned(), model_name, model_path: None, model_url: None, scale };
    let mut all: Vec<WebUiUpscaler> = Upscaler::OF_IMAGES.iter().map(|upscaler| of(upscaler.name(), None, SCALE)).collect();
    all.extend(
        networks(&state).await?.into_iter().map(|(name, config)| of(&name, Some(config.family().to_owned()), config.scale() as f64)),
    );
    Ok(Json(all))
}

/// The usable networks of the operator's folder. A file that is new or has changed is read.
async fn networks(state: &ApiState) -> Result<Vec<(String, UpscalerConfig)>, Problem> {
    let Some(folder) = state.local().upscalers().folder().cloned() else { return Ok(Vec::new()) };
    // A folder that cannot be read has none; a request that names one is told why.
    Ok(web::block(move || folder.usable()).await?.unwrap_or_default())
}

/// What enlarges latents between the two passes of a picture.
#[utoipa::path(get, path = "/sdapi/v1/latent-upscale-modes", tag = "automatic1111", responses((status = 200, description = "The modes", body = [WebUiName])))]
pub(crate) fn latent_upscale_modes() -> Ready<Json<Vec<WebUiName>>> {
    ready(Json(LatentResize::ALL.into_iter().map(|way| WebUiName { name: way.name() }).collect()))
}

/// Hypernetworks: none.
#[utoipa::path(get, path = "/sdapi/v1/hypernetworks", tag = "automatic1111", responses((status = 200, description = "An empty list", body = [WebUiName])))]
pub(crate) fn hypernetworks() -> Ready<Json<Vec<WebUiName>>> {
    ready(Json(Vec::new()))
}

/// Prompt styles: none.
#[utoipa::path(get, path = "/sdapi/v1/prompt-styles", tag = "automatic1111", responses((status = 200, description = "An empty list", body = [WebUiName])))]
pub(crate) fn prompt_styles() -> Ready<Json<Vec<WebUiName>>> {
    ready(Json(Vec::new()))
}

/// Models that restore faces: none.
#[utoipa::path(get, path = "/sdapi/v1/face-restorers", tag = "automatic1111", responses((status = 200, description = "An empty list", body = [WebUiName])))]
pub(crate) fn face_restorers() -> Ready<Json<Vec<WebUiName>>> {
    ready(Json(Vec::new()))
}

/// The networks of the operator's folder: files of ESRGAN and Real-ESRGAN, which have one architecture.
#[utoipa::path(get, path = "/sdapi/v1/realesrgan-models", tag = "automatic1111", responses((status = 200, description = "The networks", body = [WebUiRealEsrgan])))]
pub(crate) async fn realesrgan_models(state: Data<ApiState>) -> Result<Json<Vec<WebUiRealEsrgan>>, Problem> {
    let of = |(name, config): (String, UpscalerConfig)| WebUiRealEsrgan { path: name.clone(), name, scale: config.scale() as u64 };
    Ok(Json(networks(&state).await?.into_iter().map(of).collect()))
}

/// Scripts: none.
#[utoipa::path(get, path = "/sdapi/v1/scripts", tag = "automatic1111", responses((status = 200, description = "Empty lists", body = WebUiScripts)))]
pub(crate) fn scripts() -> Ready<Json<WebUiScripts>> {
    ready(Json(WebUiScripts::default()))
}

/// Scripts in detail: none.
#[utoipa::path(get, path = "/sdapi/v1/script-info", tag = "automatic1111", responses((status = 200, description = "An empty list", body = [WebUiName])))]
pub(crate) fn script_info() -> Ready<Json<Vec<WebUiName>>> {
    ready(Json(Vec::new()))
}

/// Extensions: none.
#[utoipa::path(get, path = "/sdapi/v1/extensions", tag = "automatic1111", responses((status = 200, description = "An empty list", body = [WebUiName])))]
pub(crate) fn extensions() -> Ready<Json<Vec<WebUiName>>> {
    ready(Json(Vec::new()))
}

/// The web UI's flags: none, because this server has settings of its own.
#[utoipa::path(get, path = "/sdapi/v1/cmd-flags", tag = "automatic1111", responses((status = 200, description = "An empty object", body = Object)))]
pub(crate) fn cmd_flags() -> Ready<Json<Map<String, serde_json::Value>>> {
    ready(Json(Map::new()))
}

/// The memory of this server and its models.
#[utoipa::path(get, path = "/sdapi/v1/memory", tag = "automatic1111", responses((status = 200, description = "The memory", body = WebUiMemory)))]
pub(crate) fn memory(_caller: Caller, state: Data<ApiState>) -> Ready<Json<WebUiMemory>> {
    let is_loaded = |view: &generation::ModelView| matches!(view.state, generation::ModelState::Ready);
    let models = state.local().models().iter().filter(|view| is_loaded(view)).map(|view| view.bytes).sum();
    ready(Json(WebUiMemory::of((state.resident_memory)(), models)))
}
