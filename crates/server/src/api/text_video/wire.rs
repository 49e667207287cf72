//! The bodies of the text-to-video API, as they stand on the wire and in /openapi.json.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// How a video from a text stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TextToVideoStatus)]
pub(crate) struct TextStatus {
    /// The job's id, for `GET /video-status?job_id=`.
    #[schema(example = "vid_0123456789ab")]
    pub(crate) job_id: String,
    /// "processing" when it is handed in; then "inprogress", "completed" or "failed".
    #[schema(example = "completed")]
    pub(crate) status: String,
    /// The same in words; of a failed one, why.
    #[schema(example = "Video generation completed successfully")]
    pub(crate) message: String,
    /// Where the video is, for a while; null until it is completed.
    #[schema(example = "http://localhost:8000/videos/video_vid_0123456789ab.mp4")]
    pub(crate) video_url: Option<String>,
    /// How far it is, 0 to 100.
    #[schema(minimum = 0, maximum = 100, example = 100)]
    pub(crate) progress: u32,
    /// How many jobs are served before it; null unless it waits.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// The seed that it is made with.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// What the request may not do as it seems to, in sentences; absent if there is nothing to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}
