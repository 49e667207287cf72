//! `POST /generate`: one picture, in the answer itself.

pub(crate) mod controls_body;
pub(crate) mod generate;
pub(crate) mod generate_body;
mod hires_body;
pub(crate) mod loras_body;
mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(path("/generate").post(generate::generate));
}
