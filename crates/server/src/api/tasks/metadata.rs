//! What is kept with a task, for its later answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::http::RequestNotes;

/// A task's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TaskMetadata {
    /// What the caller called this server, without a final slash: messages to a callback have no request of their own to tell it by.
    pub(crate) base_url: String,
    /// The size at which an image is made, before it is resized.
    pub(crate) native_size: Option<(u32, u32)>,
    /// What is said of the request: fields that nobody reads, and remarks on what became of others.
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// The seed that it is made with.
    pub(crate) seed: Option<u64>,
    /// Whether this machine was to make it: one that a service makes all the same has overflowed to it.
    pub(crate) is_for_here: bool,
}

impl TaskMetadata {
    /// Any job as a task: what another API does not keep is left out.
    pub(crate) fn of(job: &Job) -> Self {
        serde_json::from_value(job.metadata.data.clone()).unwrap_or_default()
    }
}
