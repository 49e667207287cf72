//! What is kept with an image in motion that is called back for.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::{api::overflow, http::RequestNotes};

/// Its metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct I2vMetadata {
    /// What the caller called this server: the callback has no request of its own to tell it by.
    pub(crate) base_url: String,
    /// The request's own name.
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// The seed that it is made with, where it was drawn here.
    pub(crate) seed: Option<u64>,
    /// Whether a service was to make it: one that a service makes all the same has overflowed to it.
    pub(crate) by_service: bool,
}

impl I2vMetadata {
    /// That of a job, with a remark if it has overflowed.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata
    }
}
