//! `POST /api/v1/i2v`: sets an image in motion, and posts the result to a G.A.M.E agent's requests API.
//!
//! The API is that of a small front end to Pika and Replicate: a name in the request's headers, an image's address in its body, an answer
//! at once, and a callback with the video. It adds what that one lacks: a repeated name makes nothing twice, the callback is retried until
//! it arrives, the name is escaped in the callback's address, and the job can be polled as a task, whose id is in the answer's headers.
//!
//! * [`body`] parses the request, [`handlers`] accepts it, [`callback`] writes the final message, [`metadata`] is stored for that.

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
