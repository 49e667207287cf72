//! `POST /animate`: a picture in motion, as an MP4 file.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    web::{Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::video::{AnimationRequest, AnimationSpec, VideoSpec};
use image::{DynamicImage, ImageDecoder as _, ImageReader, RgbImage};
use serde_json::Value;

use crate::{
    app::ApiState,
    body,
    error::ApiError,
    fields::{Fields, TypeFault, all_faults, integer, parse_object},
    generate_api::random_seed,
    request_body::RequestBody,
    scenes_body::{fps, motion_fields},
    video_api::{insert, make, ready},
    video_wire::{AnimateBody, Mp4File},
    wire::{ErrorBody, ValidationErrorBody},
};

/// The order in which faults are told.
const FIELDS: [&str; 13] = [
    "image",
    "num_frames",
    "num_inference_steps",
    "fps",
    "conditioning_fps",
    "motion_bucket_id",
    "noise_aug_strength",
    "min_guidance_scale",
    "max_guidance_scale",
    "decode_chunk_size",
    "width",
    "height",
    "seed",
];

/// The longest side of a picture that is read, in pixels; and the most memory for it.
const MAX_SIDE: u32 = 8192;
const MAX_DECODED_BYTES: u64 = 256 << 20;

/// Sets a picture in motion.
///
/// Waits until the video is made. Hanging up cancels it.
#[utoipa::path(
    post,
    path = "/animate",
    tag = "generation",
    request_body = AnimateBody,
    responses(
        (
            status = 200,
            description = "The video: H.264 in MP4, which plays in every browser",
            body = Mp4File,
            content_type = "video/mp4",
            headers(
                ("Content-Disposition" = String, description = "attachment, with a unique file name"),
                ("X-Video-FPS" = String, description = "Frames in a second: a number or a fraction"),
                ("X-Seed" = u64, description = "The seed that it was made with"),
            )
        ),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The body is too long", body = ErrorBody),
        (status = 415, description = "The body is announced as something other than JSON", body = ErrorBody),
        (status = 422, description = "Fields of the body are wrong, or the picture cannot be read", body = ValidationErrorBody),
        (
            status = 429,
            description = "The queue is full",
            body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until a place is likely to be free"))
        ),
        (status = 500, description = "The video could not be made", body = ErrorBody),
        (status = 503, description = "The model is not loaded yet, or the server is shutting down", body = ErrorBody),
    )
)]
pub(crate) async fn animate(request: HttpRequest, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, &mut body, &state).await;
    body.held_by(answer.unwrap_or_else(|error| error.error_response()))
}

async fn answer(request: &HttpRequest, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, ApiError> {
    body::check_type(request)?;
    ready(state)?;
    let bytes = body.read(state.picture_body_limit, state.body_timeout).await?;
    let limits = state.limits.clone();
    // A large picture takes a while to decode.
    let spec = actix_web::web::block(move || spec(&bytes, &limits)).await.map_err(|_| ApiError::Internal)??;
    let fps = spec.fps().to_string();
    let made = make(state, VideoSpec::Animation(spec)).await?;
    Ok(made.answer(request, |response| insert(response, "X-Video-FPS", &fps)))
}

fn spec(body: &[u8], limits: &generation::Limits) -> Result<AnimationSpec, ApiError> {
    let json = parse_object(body)?;
    let mut fields = Fields::new(&json);
    let request = AnimationRequest {
        image: fields.required("image", picture),
        motion: motion_fields(&mut fields),
        fps: fields.read("fps", fps),
        width: fields.read("width", integer),
        height: fields.read("height", integer),
        seed: Some(fields.read("seed", integer).unwrap_or(random_seed().into())),
    };
    let faults = fields.faults;
    match request.validate(limits) {
        Ok(spec) if faults.is_empty() => Ok(spec),
        Ok(_) => Err(ApiError::Invalid(all_faults(faults, &[], &json, &FIELDS))),
        Err(errors) => Err(ApiError::Invalid(all_faults(faults, &errors, &json, &FIELDS))),
    }
}

/// A picture from base64, upright as its camera meant it.
fn picture(value: &Value) -> Result<RgbImage, TypeFault> {
    let text = value.as_str().ok_or(("string_type", "Input should be a valid string"))?;
    // A data URL's head ends at its first comma.
    let base64 = text.strip_prefix("data:").and_then(|rest| rest.split_once(',')).map_or(text, |(_, data)| data);
    let bytes = BASE64_STANDARD.decode(base64.trim()).map_err(|_| ("value_error", "Value error, the picture is no base64"))?;
    decode(&bytes).ok_or(("value_error", "Value error, the picture is no PNG, JPEG or WebP of at most 8192 pixels a side"))
}

fn decode(bytes: &[u8]) -> Option<RgbImage> {
    let mut reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        return None;
    }
    let orientation = decoder.orientation().ok()?;
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    image.apply_orientation(orientation);
    Some(image.into_rgb8())
}
