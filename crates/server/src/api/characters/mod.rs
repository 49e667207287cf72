//! Characters in motion: uploads, and videos as jobs.

pub(crate) mod body;
mod character_image;
pub(crate) mod handlers;
pub(crate) mod metadata;
pub(crate) mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/upload-character").post(handlers::upload_character))
        .service(path("/generation/{id}").get(handlers::generation))
        .service(path("/generations").get(handlers::generations))
        .service(path("/uploads/{name}").get(handlers::uploaded));
}
