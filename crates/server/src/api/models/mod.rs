//! `/models`: the models of this machine, and loading and unloading them.

pub(crate) mod handlers;
pub(crate) mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes. A model's name may contain slashes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/models").get(handlers::list))
        .service(path("/models/{name:.+}/load").post(handlers::load))
        .service(path("/models/{name:.+}/unload").post(handlers::unload));
}
