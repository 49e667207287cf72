//! The Tasks API under `/api/v1`: videos and pictures as tasks that outlive their connection, made by the local models.
//!
//! Paths, keys and status words are those of a service in front of a hosted video model, so that its clients keep working; keys that it
//! lacks are additions, and where its source and its documentation differ, the documentation counts.
//!
//! * [`videos_api`] and [`images_api`] take requests, [`tasks_api`] tells how they stand, [`events_api`] tells of it as it happens;
//! * [`clip_body`] and [`picture_body`] read the bodies ([`request_wire`] describes them), [`wire`] is what is answered, [`document`] writes a
//!   job down as a task;
//! * [`envelope`] gives every error below `/api/v1` the `error` object that these clients look for, beside FastAPI's `detail`.
//!
//! The invariant: what a task says of itself comes from the job store; nothing is remembered here.

pub(crate) mod clip_body;
pub(crate) mod document;
pub(crate) mod envelope;
pub(crate) mod events_api;
pub(crate) mod images_api;
pub(crate) mod note;
pub(crate) mod picture_body;
pub(crate) mod request_wire;
pub(crate) mod tasks_api;
pub(crate) mod videos_api;
pub mod wire;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::web;
use uuid::Uuid;

use crate::{artifact_file, error::ApiError, path_methods::path};

/// How the Tasks API works; the operator's choice.
#[derive(Clone, Debug)]
pub struct TasksSettings {
    /// How much of the given picture a clip's prompt repaints before it moves, 0 to 1; 0 leaves it as it is, for a motion model knows no
    /// texts.
    pub repaint_strength: f64,
    /// How often a stream of events says that it is alive.
    pub heartbeat: Duration,
    /// How many streams of events an owner may have open.
    pub streams_per_owner: usize,
}

impl Default for TasksSettings {
    fn default() -> Self {
        Self { repaint_strength: 0.0, heartbeat: Duration::from_secs(15), streams_per_owner: 16 }
    }
}

/// The streams of events that are open, by owner.
#[derive(Clone, Debug, Default)]
pub struct OpenStreams(Arc<Mutex<HashMap<String, usize>>>);

/// One of an owner's open streams; closed when it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    streams: OpenStreams,
    owner: String,
}

impl OpenStreams {
    /// Opens one more.
    ///
    /// # Errors
    /// 429 if the owner has `limit` open.
    pub(crate) fn open(&self, owner: &str, limit: usize) -> Result<OpenStream, ApiError> {
        // No code panics while it holds the lock.
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(owner.to_owned()).or_default();
        if *count >= limit {
            return Err(ApiError::TooManyStreams { limit });
        }
        *count += 1;
        Ok(OpenStream { streams: self.clone(), owner: owner.to_owned() })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

/// Adds the routes.
#[expect(deprecated, reason = "the older way to ask is kept for those who use it")]
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(path("/api/v1/videos/generate").post(videos_api::generate))
        .service(path("/api/v1/videos/{id}").get(videos_api::status))
        .service(path("/api/v1/images/generate").post(images_api::generate))
        .service(path("/api/v1/images/generate-i2i").post(images_api::generate_from_picture))
        .service(path("/api/v1/images/services").get(images_api::services))
        .service(path("/api/v1/tasks").get(tasks_api::list))
        .service(path("/api/v1/tasks/").get(tasks_api::list))
        .service(path("/api/v1/tasks/{id}/events").get(events_api::events))
        .service(path("/api/v1/tasks/{id}").get(tasks_api::show).delete(tasks_api::cancel))
        .service(path("/files/{job}/{name}").get(artifact_file::file));
}

/// A new task's id: a word and twelve hexadecimal digits.
pub(crate) fn new_id(word: &str) -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(12);
    format!("{word}_{digits}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn ids_are_a_word_and_twelve_digits() {
        let id = new_id("vid");
        let digits = id.strip_prefix("vid_").unwrap();
        assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_ne!(id, new_id("vid"));
    }

    #[test]
    fn a_closed_stream_makes_room_for_another() {
        let streams = OpenStreams::default();
        let first = streams.open("a", 2).unwrap();
        let _second = streams.open("a", 2).unwrap();
        assert!(streams.open("a", 2).is_err() && streams.open("b", 2).is_ok());
        drop(first);
        assert!(streams.open("a", 2).is_ok());
        assert_eq!(streams.0.lock().unwrap().len(), 1, "an owner without streams is forgotten");
    }
}
