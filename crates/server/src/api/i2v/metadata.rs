//! What is kept with an image in motion that is called back for.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::http::RequestNotes;

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
}

impl I2vMetadata {
    pub(crate) fn of(job: &Job) -> Self {
        serde_json::from_value(job.metadata.data.clone()).unwrap_or_default()
    }
}
