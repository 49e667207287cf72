//! What is noted with a job when it is taken, for its answers later on.
//!
//! A job of another API has a note of another shape: what is missing there is left out of the answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::http::RequestNotes;

/// A task's note.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TaskNote {
    /// What the caller called this server, without a final slash: messages to a callback have no request of their own to tell it by.
    pub(crate) base_url: String,
    /// The size at which a picture is made, before it is resized.
    pub(crate) native_size: Option<(u32, u32)>,
    /// What is said of the request: fields that nobody reads, and remarks on what became of others.
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// The seed that it is made with.
    pub(crate) seed: Option<u64>,
}

impl TaskNote {
    pub(crate) fn of(job: &Job) -> Self {
        serde_json::from_value(job.note.clone()).unwrap_or_default()
    }

    pub(crate) fn into_value(self) -> serde_json::Value {
        // It holds nothing that JSON cannot.
        serde_json::to_value(self).unwrap_or_default()
    }
}
