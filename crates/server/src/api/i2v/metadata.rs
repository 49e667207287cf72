//! The stored metadata of an `i2v` job.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::{api::overflow, http::RequestNotes};

/// The metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct I2vMetadata {
    /// The base URL of the request: the callback has no request to derive it from.
    pub(crate) base_url: String,
    /// The request's name.
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// The seed, if it was drawn here.
    pub(crate) seed: Option<u64>,
    /// Whether it was submitted to a provider. If not, a video that a provider makes is an overflow.
    pub(crate) by_service: bool,
}

impl I2vMetadata {
    /// The metadata of a job, with a remark if it has overflowed.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata
    }
}
