//! The documentation: `/openapi.json` from the types, Swagger UI at `/docs` and Redoc at `/redoc`.
//!
//! Both pages work with no network: their scripts are compiled into the program (Swagger UI's by utoipa-swagger-ui, Redoc's by aide), and a
//! content security policy keeps the browser from asking anyone else.

use std::sync::{Arc, OnceLock};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentType, LOCATION},
    web::{Bytes, Path},
};
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
    error::ApiError,
    request_notes::{IGNORED_FIELDS, REMARKS},
};

/// The API's description, generated from the handlers and the wire types.
#[derive(OpenApi)]
#[openapi(
    info(title = "Framewright", description = "Pictures and videos from text, made on this machine.", license(name = "MIT OR Apache-2.0")),
    paths(
        crate::root_api::root,
        crate::health_api::health,
        crate::generate_api::generate,
        crate::ops_api::ready,
        crate::ops_api::metrics,
        crate::dispatch_api::generate_video,
        crate::video_api::video_info,
        crate::text_video_api::video_status,
        crate::animate_api::animate,
        crate::character_api::upload_character,
        crate::character_api::generation,
        crate::character_api::generations,
        crate::character_api::uploaded,
        crate::stored_video::video,
        crate::tasks::videos_api::generate,
        crate::tasks::videos_api::status,
        crate::tasks::images_api::generate,
        crate::tasks::images_api::generate_from_picture,
        crate::tasks::images_api::services,
        crate::tasks::tasks_api::list,
        crate::tasks::tasks_api::show,
        crate::tasks::tasks_api::cancel,
        crate::tasks::events_api::events,
        crate::artifact_file::file
    ),
    tags(
        (name = "generation", description = "Making pictures and videos"),
        (name = "characters", description = "Characters in motion: uploads, and videos as jobs"),
        (name = "tasks", description = "Videos and pictures as tasks that outlive their connection"),
        (name = "service", description = "The service itself")
    ),
    modifiers(&Keys, &GateAnswers, &NoteHeaders, &RetryHeaders)
)]
pub(crate) struct ApiDoc;

/// A boat at sunset, 128 x 128 pixels: what stands in examples for a picture of the reader's own, so that they can be tried as they are.
pub(crate) const EXAMPLE_PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+Rz\
    pNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQ\
    BowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4w\
    w4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTk\
    SuQmCC";

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
        for (path, item) in &mut api.paths.paths {
            let body = if path.starts_with("/api/v1/") { "TaskErrorBody" } else { "ErrorBody" };
            let operations = [&mut item.get, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                tell(operation, &ON_EVERY_ROUTE, body);
                if !access::is_open(path) {
                    tell(operation, &ON_ROUTES_WITH_KEYS, body);
                }
            }
        }
    }
}

fn tell(operation: &mut Operation, answers: &[(&str, &str)], body: &str) {
    for (status, description) in answers {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
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
        for item in api.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
                if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("503") {
                    let seconds = || header(Type::Integer, "Seconds until it is worth asking again; absent if nobody can tell");
                    answer.headers.entry("Retry-After".into()).or_insert_with(seconds);
                }
            }
        }
    }
}

fn header(kind: Type, description: &str) -> RefOr<Header> {
    HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(description)).build().into()
}

/// Scripts and styles from here only; Redoc searches in a worker that it makes from a blob.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'";

const SWAGGER_PAGE: &str = r##"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Framewright - Swagger UI</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script>
      SwaggerUIBundle({
        url: "/openapi.json",
        dom_id: "#swagger-ui",
        deepLinking: true,
        tryItOutEnabled: true,
        defaultModelsExpandDepth: 0,
        validatorUrl: null,
        // An attachment is offered for download; here the picture is to be seen.
        responseInterceptor: (response) => {
          if (response.headers) delete response.headers["content-disposition"];
          return response;
        },
      });
    </script>
  </body>
</html>
"##;

pub(crate) async fn openapi_json() -> HttpResponse {
    static JSON: OnceLock<Option<Bytes>> = OnceLock::new();
    let json = JSON.get_or_init(|| ApiDoc::openapi().to_json().ok().map(Bytes::from));
    match json {
        Some(json) => HttpResponse::Ok().content_type(ContentType::json()).body(json.clone()),
        None => HttpResponse::from_error(ApiError::Internal),
    }
}

pub(crate) async fn swagger_page() -> HttpResponse {
    page(Bytes::from_static(SWAGGER_PAGE.as_bytes()))
}

pub(crate) async fn swagger_file(file: Path<String>) -> Result<HttpResponse, ApiError> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    let file = utoipa_swagger_ui::serve(&file, config).map_err(|_| ApiError::Internal)?.ok_or(ApiError::NotFound)?;
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.content_type(file.content_type).body(file.bytes.into_owned()))
}

pub(crate) async fn redoc_page() -> HttpResponse {
    static PAGE: OnceLock<Bytes> = OnceLock::new();
    let html = PAGE.get_or_init(|| {
        // A megabyte of script: made once, and shared by reference after that. Its footer's logo lies on another host, so it is left out.
        let html = aide::redoc::Redoc::new("/openapi.json").with_title("Framewright - Redoc").html();
        let style = "<style>body { margin: 0 } img[src^=\"https:\"] { display: none }</style>";
        let icon = "<link rel=\"icon\" type=\"image/png\" href=\"/docs/favicon-32x32.png\">";
        let html = html.replacen("</head>", &format!("{style}\n    {icon}\n  </head>"), 1);
        // Its template leaves room for a bar on top, which there is none of.
        Bytes::from(html.replacen("scrollYOffset: 50", "scrollYOffset: 0, requiredPropsFirst: true", 1))
    });
    page(html.clone())
}

pub(crate) async fn to_swagger_page() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, "/docs")).finish()
}

pub(crate) async fn to_redoc_page() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, "/redoc")).finish()
}

pub(crate) fn page(html: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).insert_header((CONTENT_SECURITY_POLICY, POLICY)).body(html)
}
