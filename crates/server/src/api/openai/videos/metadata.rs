//! The stored metadata of a video of OpenAI's API, for later answers and for remixes.

use generation::jobs::Job;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{api::overflow, http::RequestNotes};

/// A video's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OpenAiVideoMetadata {
    /// The base URL of the request.
    pub(crate) base_url: String,
    /// What makes it, by the name in answers.
    pub(crate) model: String,
    pub(crate) prompt: Option<String>,
    pub(crate) seconds: f64,
    /// (width, height) in pixels.
    pub(crate) size: (u32, u32),
    pub(crate) seed: Option<u64>,
    #[serde(flatten)]
    pub(crate) notes: RequestNotes,
    /// Whether it was submitted to a provider. If not, a video that a provider makes is an overflow.
    pub(crate) by_service: bool,
    /// The video that it is a remix of.
    pub(crate) remixed_from: Option<String>,
    /// The fields of the request, without its picture.
    pub(crate) fields: Map<String, Value>,
    /// Whether it started from a picture.
    pub(crate) has_image: bool,
}

impl OpenAiVideoMetadata {
    /// The metadata of a job, with a remark if it has overflowed.
    pub(crate) fn of(job: &Job) -> Self {
        let mut metadata: Self = serde_json::from_value(job.metadata.data.clone()).unwrap_or_default();
        overflow::tell(job, metadata.by_service, &mut metadata.notes.remarks);
        metadata
    }
}
