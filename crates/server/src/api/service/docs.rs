//! The documentation for programs: `/openapi.json`, from the handlers and the wire types.
//!
//! A new API's handlers are listed here; where its problems have a shape of their own, a modifier puts that in the place of FastAPI's.

use std::sync::OnceLock;

use actix_web::{HttpResponse, http::header::ContentType, web::Bytes};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ComponentsBuilder, ContentBuilder, Header, HeaderBuilder, Object, Ref, RefOr, ResponseBuilder, Type,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    access,
    api::{
        tasks::{
            problems::rendered,
            wire::{PictureTaskResponse, PreviewData, TaskErrorBody, TaskValidationErrorBody},
        },
        videos::wire::Scene,
    },
    http::{
        ErrorBody, Problem, ValidationErrorBody,
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
        crate::api::tasks::images::generate_from_picture,
        crate::api::tasks::images::services,
        crate::api::tasks::handlers::list,
        crate::api::tasks::handlers::show,
        crate::api::tasks::handlers::cancel,
        crate::api::tasks::events::events,
        crate::api::tasks::files::file
    ),
    tags(
        (name = "generation", description = "Making pictures and videos"),
        (name = "characters", description = "Characters in motion: uploads, and videos as jobs"),
        (name = "tasks", description = "Videos and pictures as tasks that outlive their connection"),
        (name = "models", description = "The models of this machine"),
        (name = "service", description = "The service itself")
    ),
    components(schemas(Scene, PictureTaskResponse, PreviewData, ErrorBody, ValidationErrorBody, TaskErrorBody, TaskValidationErrorBody)),
    modifiers(&Keys, &GateAnswers, &NoteHeaders, &RetryHeaders, &TaskProblems)
)]
pub(crate) struct ApiDoc;

/// Says how a key is sent, so that the pages have a place to enter one. It is wanted only where the operator has set one.
struct Keys;

impl Modify for Keys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, where the server has any")).build();
        let components = api.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
        let with_key = ComponentsBuilder::from(components).security_scheme("key", SecurityScheme::Http(scheme)).build();
        api.components = Some(with_key);
        let no_scopes: [&str; 0] = [];
        api.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("key", no_scopes)]);
    }
}

/// Adds to every route what the gate before it may answer, where the route does not tell of that status itself.
struct GateAnswers;

/// What the gate answers on every route.
const ON_EVERY_ROUTE: [(&str, &str); 3] = [
    ("400", "The request's host cannot be understood"),
    ("403", "A page of another site sent the request, or a signed link has expired"),
    ("421", "The request names a host that is none of this server's"),
];
/// What it answers where a key is wanted, if the server has any.
const ON_ROUTES_WITH_KEYS: [(&str, &str); 2] =
    [("401", "There is no valid key in the request"), ("429", "Too many requests with this key, in a minute or at once")];

impl Modify for GateAnswers {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (path, operation) in operations(api) {
            tell(operation, &ON_EVERY_ROUTE);
            if !access::is_open(path) {
                tell(operation, &ON_ROUTES_WITH_KEYS);
            }
        }
    }
}

fn tell(operation: &mut Operation, answers: &[(&str, &str)]) {
    for (status, description) in answers {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
        let answer = ResponseBuilder::new().description(*description).content("application/json", content).build();
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| answer.into());
    }
}

/// Adds the headers that say something of a request's body to every answer of success to one.
struct NoteHeaders;

impl Modify for NoteHeaders {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        // A form has one field, and a route of its own.
        let operations =
            api.paths.paths.iter_mut().filter(|(path, _)| *path != "/upload-character").filter_map(|(_, item)| item.post.as_mut());
        for (status, answer) in operations.flat_map(|operation| operation.responses.responses.iter_mut()) {
            if let (true, RefOr::T(answer)) = (status.starts_with('2'), answer) {
                answer.headers.insert(
                    IGNORED_FIELDS.into(),
                    header(
                        Type::String,
                        "Keys of the body that no field has, each with the field that was probably meant (an RFC 9651 list); else absent",
                    ),
                );
                answer.headers.insert(REMARKS.into(), header(Type::String, "What the request may not do as it seems to; else absent"));
            }
        }
    }
}

/// Adds when to ask again to every 503: a disk that is full or gone has that header wherever it is met.
struct RetryHeaders;

impl Modify for RetryHeaders {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (_, operation) in operations(api) {
            if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("503") {
                let seconds = || header(Type::Integer, "Seconds until it is worth asking again; absent if nobody can tell");
                answer.headers.entry("Retry-After".into()).or_insert_with(seconds);
            }
        }
    }
}

/// Describes the problems of the Tasks API as it renders them.
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
                    *example = rendered(&Problem::new(status, "", message));
                }
            }
        }
    }
}

/// All operations, each with its path.
fn operations(api: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    api.paths.paths.iter_mut().flat_map(|(path, item)| {
        let methods = [&mut item.get, &mut item.post, &mut item.delete].into_iter();
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
