//! `/openapi.json`: the API documentation for programs, generated from the handlers and the wire types.
//!
//! A new API's handlers are listed here. If its problems have their own format, a modifier replaces FastAPI's with it.

use std::{collections::BTreeMap, sync::OnceLock};

use actix_web::{HttpResponse, http::header::ContentType, web::Bytes};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ComponentsBuilder, ContentBuilder, Header, HeaderBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Type,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    access,
    api::{
        a1111::{
            self,
            problems::{WebUiErrorBody, render as render_web_ui},
        },
        openai::{
            images::wire::{OpenAiImageEvent, OpenAiImages, OpenAiUpscaledImages},
            problems::{self, OpenAiErrorBody},
            videos::wire::OpenAiVideo,
        },
        tasks::{
            bundle::BundledFile,
            parts_wire::ScenePartData,
            problems::render,
            wire::{ImageTaskResponse, PreviewData, TaskErrorBody, TaskValidationErrorBody},
        },
        videos::wire::Scene,
    },
    http::{
        ErrorBody, Problem, Renderer, ValidationErrorBody,
        request_notes::{IGNORED_FIELDS, REMARKS},
    },
};

/// The API's description, generated from the handlers and the wire types.
#[derive(OpenApi)]
#[openapi(
    info(title = "Framewright", description = "Pictures and videos from text, made on this machine.", license(name = "MIT OR Apache-2.0")),
    paths(
        crate::api::service::root::root,
        crate::api::service::health::health,
        crate::api::images::generate::generate,
        crate::api::service::ops::ready,
        crate::api::service::ops::metrics,
        crate::api::service::usage::usage,
        crate::api::service::machine::machine,
        crate::api::models::handlers::list,
        crate::api::models::handlers::load,
        crate::api::models::handlers::unload,
        crate::api::i2v::handlers::generate,
        crate::api::videos::generate_video::generate_video,
        crate::api::videos::scenes::video_info,
        crate::api::text_video::handlers::video_status,
        crate::api::videos::animate::animate,
        crate::api::characters::handlers::upload_character,
        crate::api::characters::handlers::generation,
        crate::api::characters::handlers::generations,
        crate::api::characters::handlers::uploaded,
        crate::api::videos::stored_video::video,
        crate::api::tasks::videos::generate,
        crate::api::tasks::videos::status,
        crate::api::tasks::images::generate,
        crate::api::tasks::images::generate_from_image,
        crate::api::tasks::images::services,
        crate::api::tasks::handlers::list,
        crate::api::tasks::handlers::show,
        crate::api::tasks::handlers::cancel,
        crate::api::tasks::priority::change,
        crate::api::tasks::events::of_task::events,
        crate::api::tasks::events::of_all::all_events,
        crate::api::tasks::thumbnail::thumbnail,
        crate::api::tasks::bundle::bundle,
        crate::api::tasks::files::file,
        crate::api::openai::images::handlers::generations,
        crate::api::openai::images::handlers::edits,
        crate::api::openai::images::handlers::variations,
        crate::api::openai::images::upscale::upscale,
        crate::api::openai::videos::handlers::create,
        crate::api::openai::videos::handlers::remix,
        crate::api::openai::videos::reading::list,
        crate::api::openai::videos::reading::show,
        crate::api::openai::videos::reading::delete,
        crate::api::openai::videos::content::content,
        crate::api::openai::videos::unsupported::create_character,
        crate::api::openai::videos::unsupported::character,
        crate::api::openai::videos::unsupported::edit,
        crate::api::openai::videos::unsupported::extend,
        crate::api::openai::models::list,
        crate::api::openai::models::show,
        crate::api::a1111::txt2img::txt2img,
        crate::api::a1111::img2img::img2img,
        crate::api::a1111::progress::progress,
        crate::api::a1111::progress::interrupt,
        crate::api::a1111::progress::skip,
        crate::api::a1111::options::show,
        crate::api::a1111::options::change,
        crate::api::a1111::lists::samplers,
        crate::api::a1111::lists::schedulers,
        crate::api::a1111::lists::sd_models,
        crate::api::a1111::lists::sd_vae,
        crate::api::a1111::lists::loras,
        crate::api::a1111::lists::embeddings,
        crate::api::a1111::lists::upscalers,
        crate::api::a1111::lists::latent_upscale_modes,
        crate::api::a1111::lists::hypernetworks,
        crate::api::a1111::lists::prompt_styles,
        crate::api::a1111::lists::face_restorers,
        crate::api::a1111::lists::realesrgan_models,
        crate::api::a1111::lists::scripts,
        crate::api::a1111::lists::script_info,
        crate::api::a1111::lists::extensions,
        crate::api::a1111::lists::cmd_flags,
        crate::api::a1111::lists::memory,
        crate::api::a1111::models::refresh_checkpoints,
        crate::api::a1111::models::refresh_vae,
        crate::api::a1111::models::refresh_loras,
        crate::api::a1111::models::refresh_embeddings,
        crate::api::a1111::models::unload_checkpoint,
        crate::api::a1111::models::reload_checkpoint,
        crate::api::a1111::controlnet::routes::version,
        crate::api::a1111::controlnet::routes::settings,
        crate::api::a1111::controlnet::routes::model_list,
        crate::api::a1111::controlnet::routes::module_list,
        crate::api::a1111::controlnet::routes::detect,
        crate::api::a1111::extras::single,
        crate::api::a1111::extras::batch,
        crate::api::a1111::png_info::png_info,
        crate::api::a1111::png_info::interrogate
    ),
    tags(
        (name = "generation", description = "Making pictures and videos"),
        (name = "characters", description = "Characters in motion: uploads, and videos as jobs"),
        (name = "tasks", description = "Videos and pictures as tasks that outlive their connection"),
        (name = "openai", description = "OpenAI's API, for programs that use its clients"),
        (name = "automatic1111", description = "The API of AUTOMATIC1111's web UI, for programs that were written for it"),
        (name = "models", description = "The models of this machine"),
        (name = "service", description = "The service itself")
    ),
    components(schemas(
        Scene,
        ImageTaskResponse,
        OpenAiImages,
        OpenAiImageEvent,
        OpenAiUpscaledImages,
        OpenAiVideo,
        PreviewData,
        BundledFile,
        ScenePartData,
        ErrorBody,
        ValidationErrorBody,
        TaskErrorBody,
        TaskValidationErrorBody,
        OpenAiErrorBody,
        WebUiErrorBody
    )),
    modifiers(&Keys, &GateAnswers, &NoteHeaders, &RetryHeaders, &TaskProblems, &OpenAiProblems, &WebUiProblems)
)]
pub(crate) struct ApiDoc;

/// Declares how a key is sent, so that the documentation pages can ask for one. It is optional, because the server may have no keys.
struct Keys;

impl Modify for Keys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, if the server has any")).build();
        let components = api.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
        let with_key = ComponentsBuilder::from(components).security_scheme("key", SecurityScheme::Http(scheme)).build();
        api.components = Some(with_key);
        let no_scopes: [&str; 0] = [];
        api.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("key", no_scopes)]);
    }
}

/// Adds the gate's answers to every route that does not document the status itself.
struct GateAnswers;

/// Answers of the gate on every route.
const ON_EVERY_ROUTE: [(&str, &str); 3] = [
    ("400", "The request's host cannot be understood"),
    ("403", "A page of another site sent the request, or a signed link has expired"),
    ("421", "The request names a host that is not this server's"),
];
/// Its further answers on routes that need a key, if the server has any.
const ON_ROUTES_WITH_KEYS: [(&str, &str); 2] =
    [("401", "There is no valid key in the request"), ("429", "Too many requests with this key, per minute or at once")];

impl Modify for GateAnswers {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (path, operation) in operations(api) {
            document(operation, &ON_EVERY_ROUTE);
            if !access::is_open(path) {
                document(operation, &ON_ROUTES_WITH_KEYS);
            }
        }
    }
}

fn document(operation: &mut Operation, answers: &[(&str, &str)]) {
    for (status, description) in answers {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
        let answer = ResponseBuilder::new().description(*description).content("application/json", content).build();
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| answer.into());
    }
}

/// Adds the headers about ignored fields and remarks to every successful POST answer.
struct NoteHeaders;

impl Modify for NoteHeaders {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        // The upload form has one field and no notes.
        let operations =
            api.paths.paths.iter_mut().filter(|(path, _)| *path != "/upload-character").filter_map(|(_, item)| item.post.as_mut());
        for (status, answer) in operations.flat_map(|operation| operation.responses.responses.iter_mut()) {
            if let (true, RefOr::T(answer)) = (status.starts_with('2'), answer) {
                answer.headers.insert(
                    IGNORED_FIELDS.into(),
                    header(
                        Type::String,
                        "Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent",
                    ),
                );
                answer
                    .headers
                    .insert(REMARKS.into(), header(Type::String, "Ways in which the request may not do what it seems to; else absent"));
            }
        }
    }
}

/// Adds `Retry-After` to every 503: any of them may come from a disk that is full or missing.
struct RetryHeaders;

impl Modify for RetryHeaders {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (_, operation) in operations(api) {
            if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("503") {
                let seconds = || header(Type::Integer, "Seconds until a retry is worthwhile; absent if unknown");
                answer.headers.entry("Retry-After".into()).or_insert_with(seconds);
            }
        }
    }
}

/// Describes the problems of the Tasks API in its own format.
struct TaskProblems;

impl Modify for TaskProblems {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let operations = operations(api).filter(|(path, _)| path.starts_with("/api/v1/"));
        for (status, answer) in operations.flat_map(|(_, operation)| operation.responses.responses.iter_mut()) {
            let RefOr::T(answer) = answer else { continue };
            for content in answer.content.values_mut() {
                let RefOr::T(content) = content else { continue };
                let Some(RefOr::Ref(schema)) = &mut content.schema else { continue };
                let tasks = match schema.ref_location.rsplit('/').next() {
                    Some("ErrorBody") => "TaskErrorBody",
                    Some("ValidationErrorBody") => "TaskValidationErrorBody",
                    Some(_) | None => continue,
                };
                *schema = Ref::from_schema_name(tasks);
                if let (Some(example), Ok(status)) = (&mut content.example, status.parse()) {
                    let message = example["detail"].as_str().unwrap_or_default();
                    *example = render(&Problem::new(status, "", message));
                }
            }
        }
    }
}

/// Describes the problems of OpenAI's API in its own format; faults of fields are 400 there.
struct OpenAiProblems;

impl Modify for OpenAiProblems {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (_, operation) in operations(api).filter(|(path, _)| path.starts_with("/v1/")) {
            let answers = &mut operation.responses.responses;
            if answers.remove("422").is_some()
                && let Some(RefOr::T(answer)) = answers.get_mut("400")
            {
                answer.description = "The body is malformed, or fields of the request are wrong: the message names each".into();
            }
            render_all(answers, "OpenAiErrorBody", problems::render);
        }
    }
}

/// Describes the problems of the web UI's API in its own format.
struct WebUiProblems;

impl Modify for WebUiProblems {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (_, operation) in
            operations(api).filter(|(path, _)| [a1111::PREFIX, a1111::EXTENSION_PREFIX].iter().any(|start| path.starts_with(start)))
        {
            render_all(&mut operation.responses.responses, "WebUiErrorBody", render_web_ui);
        }
    }
}

/// Replaces FastAPI's bodies of problems by an API's own.
fn render_all(answers: &mut BTreeMap<String, RefOr<Response>>, name: &str, render: Renderer) {
    for (status, answer) in answers {
        let RefOr::T(answer) = answer else { continue };
        for content in answer.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            let Some(RefOr::Ref(schema)) = &mut content.schema else { continue };
            if !schema.ref_location.ends_with("ErrorBody") {
                continue;
            }
            *schema = Ref::from_schema_name(name);
            if let (Some(example), Ok(status)) = (&mut content.example, status.parse()) {
                let message = example["detail"].as_str().unwrap_or_default();
                *example = render(&Problem::new(status, "", message));
            }
        }
    }
}

/// All operations, each with its path.
fn operations(api: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    api.paths.paths.iter_mut().flat_map(|(path, item)| {
        let methods = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter();
        methods.flatten().map(move |operation| (path.as_str(), operation))
    })
}

fn header(kind: Type, description: &str) -> RefOr<Header> {
    HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(description)).build().into()
}

pub(crate) async fn openapi_json() -> HttpResponse {
    static JSON: OnceLock<Option<Bytes>> = OnceLock::new();
    let json = JSON.get_or_init(|| ApiDoc::openapi().to_json().ok().map(Bytes::from));
    match json {
        Some(json) => HttpResponse::Ok().content_type(ContentType::json()).body(json.clone()),
        None => HttpResponse::from_error(Problem::internal()),
    }
}
