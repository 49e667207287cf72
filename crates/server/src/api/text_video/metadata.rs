//! What is kept with a video from a text, for its later answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::{api::overflow, http::request_notes::RequestNotes};

/// A text video's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TextVideoMetadata {
    /// What the caller called this server: messages to a callback have no request of their own to tell it by.
    pub(crate) base_url: String,
    pub(crate) seed: Option<u64>,
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// Whether a service was to make it: one that a service makes all the same has overflowed to it.
    pub(crate) by_service: bool,
}

impl TextVideoMetadata {
    /// That of a job, with a remark if it has overflowed.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata
    }
}
