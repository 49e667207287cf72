//! The service itself: its page, description, health, metrics and documentation.

pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod machine;
mod machine_wire;
pub(crate) mod ops;
mod pages;
pub(crate) mod root;
mod ui;
pub(crate) mod usage;
mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/").get(root::root))
        .service(path("/health").get(health::health))
        .service(path("/ready").get(ops::ready))
        .service(path("/metrics").get(ops::metrics))
        .service(path("/api/v1/machine").get(machine::machine))
        .service(path("/api/v1/usage").get(usage::usage))
        .service(path("/openapi.json").get(docs::openapi_json))
        .service(path("/ui").get(|| async { ui::redirect() }))
        .service(path("/ui/{file:.*}").get(ui::file))
        .service(path("/docs").get(pages::swagger_page))
        .service(path("/docs/").get(|| async { pages::redirect("/docs") }))
        .service(path("/docs/{file}").get(pages::swagger_file))
        .service(path("/redoc").get(pages::redoc_page))
        .service(path("/redoc/").get(|| async { pages::redirect("/redoc") }));
}
