//! The Tasks API under `/api/v1`: videos and pictures as tasks that outlive their connection.
//!
//! Paths, keys and status words are those of a service in front of a hosted video model, so that its clients keep working; new keys are
//! additions. Where its source and its documentation differ, the documentation wins.
//!
//! * [`videos`] and [`images`] accept requests, [`handlers`] lists, reads and cancels tasks, [`events`] streams their events;
//! * [`clip_body`] and [`image_body`] parse the bodies, [`wire`] has the answers, [`task_view`] renders a job as a task, and
//!   [`task_summary`] as an entry of a list, whose query [`list_query`] parses;
//! * [`problems`] gives every error below `/api/v1` the `error` object that these clients expect, beside FastAPI's `detail`.
//!
//! The invariant: a task's state comes from the job store; this module keeps none.

pub(crate) mod async_video;
pub(crate) mod bundle;
mod clip_body;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod handlers;
pub(crate) mod image_body;
pub(crate) mod images;
mod list_query;
pub(crate) mod metadata;
pub(crate) mod parts_wire;
pub(crate) mod priority;
pub(crate) mod problems;
mod summary_wire;
pub(crate) mod task_summary;
pub(crate) mod task_view;
pub(crate) mod thumbnail;
pub(crate) mod videos;
pub(crate) mod webhook;
pub(crate) mod wire;

pub(crate) use self::{summary_wire::TaskKind, task_summary::failure};

use actix_web::web;

use crate::http::path;

/// Adds the routes.
#[expect(deprecated, reason = "the older status route is kept for its clients")]
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(path("/api/v1/videos/generate").post(videos::generate))
        .service(path("/api/v1/videos/{id}").get(videos::status))
        .service(path("/api/v1/images/generate").post(images::generate))
        .service(path("/api/v1/images/generate-i2i").post(images::generate_from_image))
        .service(path("/api/v1/images/services").get(images::services))
        .service(path("/api/v1/tasks").get(handlers::list))
        .service(path("/api/v1/tasks/").get(handlers::list))
        .service(path("/api/v1/events").get(events::of_all::all_events))
        .service(path("/api/v1/tasks/{id}/events").get(events::of_task::events))
        .service(path("/api/v1/tasks/{id}/thumbnail").get(thumbnail::thumbnail))
        .service(path("/api/v1/tasks/{id}").get(handlers::show).patch(priority::change).delete(handlers::cancel))
        .service(path("/api/v1/bundle").get(bundle::bundle))
        .service(path("/files/{job}/{name}").get(files::file));
}
