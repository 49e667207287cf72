//! A video of OpenAI's API, as on the wire and in /openapi.json.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// A video.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiVideo {
    /// Its id.
    #[schema(example = "video_abc123def456")]
    pub(crate) id: String,
    /// "video".
    #[schema(example = "video")]
    pub(crate) object: &'static str,
    /// What makes it.
    #[schema(example = "local")]
    pub(crate) model: String,
    /// "queued", "in_progress", "completed" or "failed".
    #[schema(example = "queued")]
    pub(crate) status: &'static str,
    /// In percent; 100 only once it is completed.
    #[schema(minimum = 0, maximum = 100, example = 0)]
    pub(crate) progress: u32,
    /// When it was accepted, in seconds since 1970.
    #[schema(example = 1_768_127_400)]
    pub(crate) created_at: u64,
    /// The same, for clients of an older service.
    #[schema(example = 1_768_127_400)]
    pub(crate) created: u64,
    /// When it ended; null until then.
    #[schema(example = json!(null))]
    pub(crate) completed_at: Option<u64>,
    /// When its files are removed at the latest; null: as the operator has set it.
    #[schema(example = json!(null))]
    pub(crate) expires_at: Option<u64>,
    /// How long it lasts, in seconds.
    #[schema(example = "4")]
    pub(crate) seconds: String,
    /// "WIDTHxHEIGHT" in pixels.
    #[schema(example = "720x1280")]
    pub(crate) size: String,
    /// What it shows.
    #[schema(example = "a peaceful sunrise over mountains with mist")]
    pub(crate) prompt: Option<String>,
    /// The video that it is a remix of; null if it is none.
    #[schema(example = json!(null))]
    pub(crate) remixed_from_video_id: Option<String>,
    /// Why it failed; null unless it did.
    pub(crate) error: Option<OpenAiVideoError>,
    /// Where it is, once it is completed. `GET /v1/videos/{id}/content` has it too.
    #[schema(example = json!(null))]
    pub(crate) video_url: Option<String>,
    /// The noise's seed.
    #[schema(example = 4)]
    pub(crate) seed: Option<u64>,
    /// How many jobs are before it in the queue; null unless it waits.
    #[schema(example = 0)]
    pub(crate) queue_position: Option<usize>,
    /// The seconds until it is done, by timings of this machine; null if there are none.
    #[schema(example = json!(null))]
    pub(crate) eta_seconds: Option<f64>,
    /// Ways in which the request may not do what it seems to, in sentences; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// A request for a video is accepted.
#[derive(utoipa::IntoResponses)]
#[response(
    status = 200,
    description = "The video is accepted",
    headers(
        ("Idempotent-Replayed" = String, description = "true if this request was answered before; else absent"),
        ("openai-poll-after-ms" = u64, description = "When to ask for it again; absent once it has ended"),
    )
)]
#[expect(dead_code, reason = "it only documents an answer")]
pub(crate) struct VideoAccepted(OpenAiVideo);

/// Why a video failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiVideoError {
    /// A stable word for programs: "cancelled", "refused", "out_of_memory", ..
    #[schema(example = "cancelled")]
    pub(crate) code: String,
    /// A sentence.
    #[schema(example = "The video was cancelled")]
    pub(crate) message: String,
}

/// A page of a list of videos.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiVideos {
    /// "list".
    #[schema(example = "list")]
    pub(crate) object: &'static str,
    /// The videos.
    pub(crate) data: Vec<OpenAiVideo>,
    /// The id of the first; null if there is none.
    #[schema(example = "video_abc123def456")]
    pub(crate) first_id: Option<String>,
    /// The id of the last: `after` of the next page.
    #[schema(example = "video_abc123def456")]
    pub(crate) last_id: Option<String>,
    /// Whether there are more.
    #[schema(example = false)]
    pub(crate) has_more: bool,
}

/// A deleted video.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiVideoDeleted {
    /// Its id.
    #[schema(example = "video_abc123def456")]
    pub(crate) id: String,
    /// "video.deleted".
    #[schema(example = "video.deleted")]
    pub(crate) object: &'static str,
    /// true.
    #[schema(example = true)]
    pub(crate) deleted: bool,
}
