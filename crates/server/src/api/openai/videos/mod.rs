//! `/v1/videos`: videos as jobs, in the words of OpenAI's clients.
//!
//! * [`body`] has the fields of a request and the video that they ask for, [`handlers`] are the routes that make videos, [`accepting`]
//!   submits a request's job;
//! * [`reading`] shows, lists and deletes videos, [`content`] serves their files, [`view`] renders a job;
//! * [`unsupported`] answers what no model here can do.
//!
//! The invariants: a video's state comes from the job store; only the four status words of these clients are used, because they take any
//! other one for the end.

mod accepting;
pub(crate) mod body;
pub(crate) mod content;
pub(crate) mod handlers;
pub(crate) mod metadata;
pub(crate) mod reading;
pub(crate) mod unsupported;
mod view;
pub(crate) mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes; fixed names before ids.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/v1/videos").get(reading::list).post(handlers::create))
        .service(path("/v1/videos/").get(reading::list).post(handlers::create))
        .service(path("/v1/videos/characters").post(unsupported::create_character))
        .service(path("/v1/videos/characters/{id}").get(unsupported::character))
        .service(path("/v1/videos/edits").post(unsupported::edit))
        .service(path("/v1/videos/extensions").post(unsupported::extend))
        .service(path("/v1/videos/{id}").get(reading::show).delete(reading::delete))
        .service(path("/v1/videos/{id}/content").get(content::content))
        .service(path("/v1/videos/{id}/remix").post(handlers::remix));
}
