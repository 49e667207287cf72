//! The answers of OpenAI's image routes, as on the wire and in /openapi.json.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::IgnoredField;

/// Pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiImages {
    /// When they were made, in seconds since 1970.
    #[schema(example = 1_768_127_400)]
    pub(crate) created: u64,
    /// The pictures.
    pub(crate) data: Vec<OpenAiImage>,
    /// "opaque".
    #[schema(example = "opaque")]
    pub(crate) background: &'static str,
    /// The format of the files: "png", "jpeg" or "webp".
    #[schema(example = "png")]
    pub(crate) output_format: &'static str,
    /// The quality, as it was asked for.
    #[schema(example = "auto")]
    pub(crate) quality: String,
    /// "WIDTHxHEIGHT" in pixels.
    #[schema(example = "256x256")]
    pub(crate) size: String,
    /// Ways in which the request may not do what it seems to, in sentences; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// The pictures
#[derive(utoipa::IntoResponses)]
#[response(status = 200, headers(("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent")))]
pub(crate) struct Pictures(#[expect(dead_code, reason = "it only documents an answer")] OpenAiImages);

/// The answer of a route that streams if it is asked to.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it only documents answers")]
pub(crate) enum PicturesOrEvents {
    #[response(status = 200)]
    Ok(#[to_response] InOneOrInEvents),
}

/// The pictures; with `stream`, events with partial and finished ones, or with an `error`
#[derive(utoipa::ToResponse)]
#[response(headers(("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent")))]
#[expect(dead_code, reason = "it only documents answers")]
pub(crate) enum InOneOrInEvents {
    InOne(#[content("application/json")] OpenAiImages),
    InEvents(#[content("text/event-stream")] OpenAiImageEvent),
}

/// A picture, in one of two forms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiImage {
    /// The file, base64 with padding; absent with `response_format: url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(content_encoding = "base64", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) b64_json: Option<String>,
    /// Where the file is, on this server; absent unless `response_format` is `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(null))]
    pub(crate) url: Option<String>,
    /// The seed that it was made with.
    #[schema(example = 4)]
    pub(crate) seed: u64,
    /// How it was made, as in the file.
    #[schema(example = "a peaceful sunrise\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 4, Size: 128x128")]
    pub(crate) parameters: String,
}

/// An enlarged picture in a list of one, as OpenAI's routes of images answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiUpscaledImages {
    /// When it was made, in seconds since 1970.
    #[schema(example = 1_768_127_400)]
    pub(crate) created: u64,
    /// The picture.
    pub(crate) data: Vec<OpenAiUpscaledImage>,
    /// The format of the file: "png", "jpeg" or "webp".
    #[schema(example = "png")]
    pub(crate) output_format: &'static str,
    /// "WIDTHxHEIGHT" in pixels.
    #[schema(example = "2048x2048")]
    pub(crate) size: String,
    /// Ways in which the request may not do what it seems to, in sentences; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// An enlarged picture, in one of two forms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiUpscaledImage {
    /// The file, base64 with padding; absent with `response_format: url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(content_encoding = "base64", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) b64_json: Option<String>,
    /// Where the file is, on this server; absent unless `response_format` is `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(null))]
    pub(crate) url: Option<String>,
    /// How it was made, as in the file.
    #[schema(example = "Postprocess upscale by: 4, Postprocess upscaler: RealESRGAN_x4plus")]
    pub(crate) parameters: String,
}

/// The enlarged picture
#[derive(utoipa::IntoResponses)]
#[response(status = 200, headers(("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent")))]
pub(crate) struct UpscaledPicture(#[expect(dead_code, reason = "it only documents an answer")] OpenAiUpscaledImages);

/// An event of a stream of pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenAiImageEvent {
    /// `image_generation.partial_image`, `image_generation.completed`, `image_edit.partial_image` or `image_edit.completed`.
    #[serde(rename = "type")]
    #[schema(example = "image_generation.completed")]
    pub(crate) kind: &'static str,
    /// The file, base64 with padding. A partial picture is a small preview.
    #[schema(content_encoding = "base64", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) b64_json: String,
    /// The number of a partial picture, from 0; absent for a finished one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(null))]
    pub(crate) partial_image_index: Option<u32>,
    /// When it was made, in seconds since 1970.
    #[schema(example = 1_768_127_400)]
    pub(crate) created_at: u64,
    /// "WIDTHxHEIGHT" in pixels of the finished picture.
    #[schema(example = "256x256")]
    pub(crate) size: String,
    /// The quality, as it was asked for.
    #[schema(example = "auto")]
    pub(crate) quality: String,
    /// "opaque".
    #[schema(example = "opaque")]
    pub(crate) background: &'static str,
    /// The format of the file: "png", "jpeg" or "webp".
    #[schema(example = "png")]
    pub(crate) output_format: &'static str,
    /// The seed of a finished picture; absent for a partial one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4)]
    pub(crate) seed: Option<u64>,
}
