//! The bodies of the characters API, as they stand on the wire and in /openapi.json. Their keys are in camel case.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// What `POST /upload-character` takes: `multipart/form-data` with one file.
#[derive(ToSchema)]
#[schema(as = UploadCharacterRequest)]
#[expect(dead_code, reason = "it describes a form, which is read part by part")]
pub(crate) struct UploadForm {
    /// The picture: a PNG, JPEG or WebP file of at most 8192 pixels a side. Its bytes decide, whatever the part's type; a part that is
    /// declared as something else entirely, such as text/html, is refused.
    #[schema(format = Binary)]
    character: String,
}

/// What `POST /upload-character` answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadCharacterResponse)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Uploaded {
    /// Where the picture is now, for `characterImageUrl`.
    #[schema(example = "/uploads/character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png")]
    pub(crate) image_url: String,
}

/// A video of a character, as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Generation {
    /// Its id: a UUID.
    #[schema(example = "0b9d2c0e-8f0a-4e51-9c76-0a5f9c1b2d3e")]
    pub(crate) id: String,
    /// The picture, as it was asked for.
    #[schema(example = "/uploads/character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png")]
    pub(crate) character_image_url: String,
    /// What happens.
    #[schema(example = "The character waves hello and smiles at the camera")]
    pub(crate) script: String,
    /// How long the video lasts, in seconds.
    #[schema(example = 5)]
    pub(crate) duration: u32,
    /// The longer side of the video, in pixels.
    #[schema(example = "768")]
    pub(crate) quality: String,
    /// Where the video is; null until it is completed, and when it is no longer kept.
    #[schema(example = "/videos/video_0b9d2c0e-8f0a-4e51-9c76-0a5f9c1b2d3e.mp4")]
    pub(crate) video_url: Option<String>,
    /// "pending", "processing", "completed" or "failed".
    #[schema(example = "completed")]
    pub(crate) status: String,
    /// When it was handed in: RFC 3339 in UTC, with milliseconds.
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    pub(crate) created_at: String,
    /// How far it is, 0 to 100.
    #[schema(minimum = 0, maximum = 100, example = 100)]
    pub(crate) progress: u32,
    /// Why it failed; null if it did not.
    #[schema(example = json!(null))]
    pub(crate) error: Option<String>,
    /// How many jobs are served before it; null unless it waits.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// Seconds until it is done, by what was measured here; null if nothing was yet, or it has ended.
    #[schema(example = json!(null))]
    pub(crate) eta_seconds: Option<f64>,
    /// Whether the script guides how the picture is repainted before it moves.
    #[schema(example = true)]
    pub(crate) script_used: bool,
    /// What became of the request's fields, in sentences.
    #[schema(example = json!(["The script repaints the picture at a strength of 0.4 before it moves"]))]
    pub(crate) notes: Vec<String>,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
    /// The seed that it is made with; null where a service draws its own.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// What came of it; null until it is completed.
    pub(crate) video: Option<VideoFacts>,
}

/// What a video is, and what the motion model made of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoFacts {
    /// Pixels across.
    #[schema(example = 768)]
    pub(crate) width: u32,
    /// Pixels down.
    #[schema(example = 768)]
    pub(crate) height: u32,
    /// Frames.
    #[schema(example = 120)]
    pub(crate) frames: usize,
    /// Frames in a second: a number or a fraction.
    #[schema(example = "24")]
    pub(crate) fps: String,
    /// Pixels across a frame as the motion model made it.
    #[schema(example = 128)]
    pub(crate) native_width: Option<u32>,
    /// Pixels down such a frame.
    #[schema(example = 128)]
    pub(crate) native_height: Option<u32>,
    /// Frames that the motion model made; the video's others are mixed of them.
    #[schema(example = 35)]
    pub(crate) native_frames: Option<usize>,
}
