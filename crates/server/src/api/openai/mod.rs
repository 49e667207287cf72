//! OpenAI's API under `/v1`, for programs that use its clients: images, videos and models.
//!
//! Paths, keys and words are those of the `openai` packages; new keys are additions. A value that this server cannot honour is 400, never
//! ignored silently.
//!
//! * [`images`] makes, edits and varies pictures, [`videos`] makes videos, [`models`] lists what can make them;
//! * [`model_names`] knows the names that programs send as their default;
//! * [`form`] reads the fields of a body from a form;
//! * [`problems`] gives every error below `/v1` the form that these clients read.
//!
//! The invariant: no answer makes a client repeat a job that was accepted. The clients repeat 408, 409, 429, 5xx and lost connections by
//! themselves: an answer about a job that has run says `x-should-retry: false`, and a repetition finds the job of its first request
//! ([`crate::http::repeated_requests`]).

mod form;
pub(crate) mod images;
mod model_names;
pub(crate) mod models;
pub(crate) mod problems;
pub(crate) mod videos;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes. A model's name may contain slashes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/v1/images/generations").post(images::handlers::generations))
        .service(path("/v1/images/edits").post(images::handlers::edits))
        .service(path("/v1/images/variations").post(images::handlers::variations))
        .service(path("/v1/images/upscale").post(images::upscale::upscale))
        .service(path("/v1/models").get(models::list))
        .service(path("/v1/models/{model:.+}").get(models::show))
        .configure(videos::configure);
}
