//! Bodies of the text-to-video API, as on the wire and in /openapi.json.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// The state of a video from a text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TextToVideoStatus)]
pub(crate) struct TextStatus {
    /// The job's id, for `GET /video-status?job_id=`.
    #[schema(example = "vid_0123456789ab")]
    pub(crate) job_id: String,
    /// "processing" in the first answer; then "inprogress", "completed" or "failed".
    #[schema(example = "completed")]
    pub(crate) status: String,
    /// The same in words, with the reason if it failed.
    #[schema(example = "Video generation completed successfully")]
    pub(crate) message: String,
    /// The video's URL, which may expire; null until it is completed.
    #[schema(example = "http://localhost:8000/videos/video_vid_0123456789ab.mp4")]
    pub(crate) video_url: Option<String>,
    /// Progress in percent, 0 to 100.
    #[schema(minimum = 0, maximum = 100, example = 100)]
    pub(crate) progress: u32,
    /// How many jobs are served before it; null unless it is queued.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// The seed.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// Ways in which the request may not do what it seems to, in sentences; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}
