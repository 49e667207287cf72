//! The answer of `POST /generate`, as on the wire and in /openapi.json.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// The answer of `POST /generate` if `return_base64` is true.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GenerateResponse {
    /// True.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// The prompt.
    #[schema(example = "a red circle on a blue background")]
    pub(crate) prompt: String,
    /// The denoising steps.
    #[schema(example = 25)]
    pub(crate) steps: u32,
    /// The PNG file, base64 with padding.
    #[schema(content_encoding = "base64", content_media_type = "image/png", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image_base64: String,
    /// "png".
    #[schema(example = "png")]
    pub(crate) format: String,
    /// The seed that the picture was made with.
    #[schema(example = 42)]
    pub(crate) seed: u64,
    /// The picture's width in pixels.
    #[schema(example = 128)]
    pub(crate) width: u32,
    /// The picture's height in pixels.
    #[schema(example = 128)]
    pub(crate) height: u32,
    /// The model that made it.
    #[schema(example = "nano-sd (embedded)")]
    pub(crate) model: String,
    /// How it was made, as in the PNG's `parameters` text chunk.
    #[schema(example = "a red circle on a blue background\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 128x128")]
    pub(crate) parameters: String,
    /// Whether the prompt or the negative prompt is longer than the model reads, so that its end was left out.
    #[schema(example = false)]
    pub(crate) prompt_truncated: bool,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
    /// Ways in which the request may not do what it seems to, in sentences; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
}
