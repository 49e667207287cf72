//! `POST /api/v1/i2v`: an image set in motion, whose end is told to a G.A.M.E agent's requests API.
//!
//! The API is that of a small service before Pika and Replicate: a name in the request's head, an image's address in its body, an answer at
//! once, and a callback with the video. What it did not do is done here: a name that comes again makes nothing twice, the callback is tried
//! until it arrives, the name is escaped in its address, and the job can be asked after as a task, whose id stands in the answer's head.
//!
//! * [`body`] reads the request, [`handlers`] takes it, [`callback`] writes what is told at its end, [`metadata`] is what is kept for that.

mod body;
pub(crate) mod callback;
pub(crate) mod handlers;
pub(crate) mod metadata;
pub(crate) mod title;
mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the route.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(path("/api/v1/i2v").post(handlers::generate));
}
