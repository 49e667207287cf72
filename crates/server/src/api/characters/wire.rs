//! Bodies of the characters API, as on the wire and in /openapi.json. Their keys are camelCase.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// The body of `POST /upload-character`: `multipart/form-data` with one file.
#[derive(ToSchema)]
#[schema(as = UploadCharacterRequest)]
#[expect(dead_code, reason = "it only documents the form, which is read part by part")]
pub(crate) struct UploadForm {
    /// The picture: a PNG, JPEG or WebP file of at most 8192 pixels a side. The bytes decide its type; but a part that is declared as
    /// something else entirely, such as text/html, is refused.
    #[schema(format = Binary)]
    character: String,
}

/// The answer of `POST /upload-character`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadCharacterResponse)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Uploaded {
    /// The uploaded picture's path, for `characterImageUrl`.
    #[schema(example = "/uploads/character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png")]
    pub(crate) image_url: String,
}

/// A character video in its current state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Generation {
    /// Its id: a UUID.
    #[schema(example = "0b9d2c0e-8f0a-4e51-9c76-0a5f9c1b2d3e")]
    pub(crate) id: String,
    /// The picture, as in the request.
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
    /// The video's path; null until it is completed, and when it is no longer kept.
    #[schema(example = "/videos/video_0b9d2c0e-8f0a-4e51-9c76-0a5f9c1b2d3e.mp4")]
    pub(crate) video_url: Option<String>,
    /// "pending", "processing", "completed" or "failed".
    #[schema(example = "completed")]
    pub(crate) status: String,
    /// When it was submitted: RFC 3339 in UTC, with milliseconds.
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    pub(crate) created_at: String,
    /// Progress in percent, 0 to 100.
    #[schema(minimum = 0, maximum = 100, example = 100)]
    pub(crate) progress: u32,
    /// Why it failed; null if it did not.
    #[schema(example = json!(null))]
    pub(crate) error: Option<String>,
    /// How many jobs are served before it; null unless it is queued.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// Estimated seconds until it is done, from times measured on this machine; null if there are none yet, or it has ended.
    #[schema(example = json!(null))]
    pub(crate) eta_seconds: Option<f64>,
    /// Whether the script guides how the picture is repainted before it moves.
    #[schema(example = true)]
    pub(crate) script_used: bool,
    /// How the request's fields were used, in sentences.
    #[schema(example = json!(["The script repaints the picture at a strength of 0.4 before it moves"]))]
    pub(crate) notes: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
    /// The seed; null if a service draws its own.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// Facts about the video; null until it is completed.
    pub(crate) video: Option<VideoFacts>,
}

/// Facts about a video, and about the motion model's own output.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoFacts {
    /// Width in pixels.
    #[schema(example = 768)]
    pub(crate) width: u32,
    /// Height in pixels.
    #[schema(example = 768)]
    pub(crate) height: u32,
    /// Number of frames.
    #[schema(example = 120)]
    pub(crate) frames: usize,
    /// Frames per second: a number or a fraction.
    #[schema(example = "24")]
    pub(crate) fps: String,
    /// Width in pixels of the motion model's own frames.
    #[schema(example = 128)]
    pub(crate) native_width: Option<u32>,
    /// Height in pixels of such a frame.
    #[schema(example = 128)]
    pub(crate) native_height: Option<u32>,
    /// Number of frames that the motion model made; the others are interpolated.
    #[schema(example = 35)]
    pub(crate) native_frames: Option<usize>,
}
