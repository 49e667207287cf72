//! The stored metadata of a text video, for later answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::{api::overflow, http::request_notes::RequestNotes};

/// A text video's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TextVideoMetadata {
    /// The base URL of the request: a callback has no request to derive it from.
    pub(crate) base_url: String,
    pub(crate) seed: Option<u64>,
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// Whether it was submitted to a provider. If not, a video that a provider makes is an overflow.
    pub(crate) by_service: bool,
}

impl TextVideoMetadata {
    /// The metadata of a job, with a remark if it has overflowed.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata
    }
}
