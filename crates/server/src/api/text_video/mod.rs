//! Videos from texts, as jobs.

pub(crate) mod handlers;
pub(crate) mod metadata;
pub(crate) mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(path("/video-status").get(handlers::video_status));
}
