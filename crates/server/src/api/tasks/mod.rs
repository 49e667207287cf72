//! The Tasks API under `/api/v1`: videos and pictures as tasks that outlive their connection, made by the local models.
//!
//! Paths, keys and status words are those of a service in front of a hosted video model, so that its clients keep working; keys that it
//! lacks are additions, and where its source and its documentation differ, the documentation counts.
//!
//! * [`videos`] and [`images`] take requests, [`handlers`] tells how they stand, [`events`] tells of it as it happens;
//! * [`clip_body`] and [`picture_body`] are the bodies, [`wire`] is what is answered, [`task_view`] writes a job down as a task;
//! * [`problems`] gives every error below `/api/v1` the `error` object that these clients look for, beside FastAPI's `detail`.
//!
//! The invariant: what a task says of itself comes from the job store; nothing is remembered here.

pub(crate) mod async_video;
mod clip_body;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod handlers;
pub(crate) mod images;
pub(crate) mod metadata;
mod picture_body;
pub(crate) mod problems;
pub(crate) mod task_view;
pub(crate) mod videos;
pub(crate) mod webhook;
pub(crate) mod wire;

use actix_web::web;

use crate::http::path;

/// Adds the routes.
#[expect(deprecated, reason = "the older way to ask is kept for those who use it")]
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(path("/api/v1/videos/generate").post(videos::generate))
        .service(path("/api/v1/videos/{id}").get(videos::status))
        .service(path("/api/v1/images/generate").post(images::generate))
        .service(path("/api/v1/images/generate-i2i").post(images::generate_from_picture))
        .service(path("/api/v1/images/services").get(images::services))
        .service(path("/api/v1/tasks").get(handlers::list))
        .service(path("/api/v1/tasks/").get(handlers::list))
        .service(path("/api/v1/tasks/{id}/events").get(events::events))
        .service(path("/api/v1/tasks/{id}").get(handlers::show).delete(handlers::cancel))
        .service(path("/files/{job}/{name}").get(files::file));
}
