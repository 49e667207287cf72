//! What is kept with a video from a text, for its later answers.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};

use crate::http::request_notes::RequestNotes;

/// A text video's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TextVideoMetadata {
    /// What the caller called this server: messages to a callback have no request of their own to tell it by.
    pub(crate) base_url: String,
    pub(crate) seed: Option<u64>,
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// Whether this machine was to make it: one that a service makes all the same has overflowed to it.
    pub(crate) is_for_here: bool,
}

impl TextVideoMetadata {
    pub(crate) fn of(job: &Job) -> Self {
        serde_json::from_value(job.metadata.data.clone()).unwrap_or_default()
    }
}
