//! The stored metadata of a task, for later answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::{api::overflow, http::RequestNotes};

/// A task's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TaskMetadata {
    /// The base URL of the request, without a final slash: a callback has no request to derive it from.
    pub(crate) base_url: String,
    /// The size at which an image is made, before it is resized.
    pub(crate) native_size: Option<(u32, u32)>,
    /// Notes on the request: ignored fields, and remarks on others.
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// The seed.
    pub(crate) seed: Option<u64>,
    /// Whether it was submitted to a provider. If not, a video that a provider makes is an overflow.
    pub(crate) by_service: bool,
}

impl TaskMetadata {
    /// The metadata of any job, with the remarks of its run, and one if it has overflowed; fields that its API does not store have their defaults.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata.notes.remarks.extend(job.outcome.iter().flat_map(|outcome| outcome.remarks.iter().cloned()));
        metadata
    }
}
