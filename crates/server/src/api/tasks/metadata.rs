//! What is kept with a task, for its later answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::{api::overflow, http::RequestNotes};

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
    /// Whether a service was to make it: one that a service makes all the same has overflowed to it.
    pub(crate) by_service: bool,
}

impl TaskMetadata {
    /// Any job as a task, with a remark if it has overflowed: what another API does not keep is left out.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata
    }
}
