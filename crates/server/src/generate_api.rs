//! `POST /generate`: one picture, as a PNG file or as base64 in JSON.
//!
//! The handler holds the job's handle while it waits. A client that hangs up makes actix drop the handler, which drops the handle, which
//! frees the job's place: nothing else is needed, and nothing may keep the handle alive elsewhere.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_DISPOSITION, ContentType},
    web::{Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{EngineStatus, ImageSpec, ModelInfo, SubmitError, job::GeneratedImage};
use uuid::Uuid;

use crate::{
    app::ApiState,
    body,
    error::ApiError,
    wire::{ErrorBody, GenerateRequest, GenerateResponse, PngFile, ValidationErrorBody},
};

/// Makes a picture from a text.
///
/// Waits until the picture is made. Hanging up cancels it.
#[utoipa::path(
    post,
    path = "/generate",
    tag = "generation",
    request_body = GenerateRequest,
    responses(
        (
            status = 200,
            description = "The picture: a PNG file, or JSON if `return_base64` is true",
            content((PngFile = "image/png"), (GenerateResponse = "application/json")),
            headers(
                ("Content-Disposition" = String, description = "attachment, with a unique file name; with the PNG file only"),
                ("X-Seed" = u64, description = "The seed that the picture was made with"),
            )
        ),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 413, description = "The body is too long", body = ErrorBody),
        (status = 415, description = "The body is announced as something other than JSON", body = ErrorBody),
        (status = 422, description = "Fields of the body are wrong", body = ValidationErrorBody),
        (
            status = 429,
            description = "The queue is full",
            body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds until a place is likely to be free"))
        ),
        (status = 500, description = "The picture could not be made", body = ErrorBody),
        (status = 503, description = "The model is not loaded yet, or the server is shutting down", body = ErrorBody),
    )
)]
pub(crate) async fn generate(request: HttpRequest, payload: Payload, state: Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let body = body::receive(&request, payload, state.body_limit).await?;
    let body = body::parse(&body)?;
    let return_base64 = body.return_base64();
    let model = match state.engine.status() {
        EngineStatus::Ready(model) => model,
        EngineStatus::Loading => return Err(SubmitError::Loading.into()),
        EngineStatus::Failed(reason) => return Err(SubmitError::Failed(reason).into()),
    };
    let spec = body.into_spec(random_seed(), &state.limits, &model)?;
    let job = state.engine.submit(spec.clone())?;
    // The request asks for one picture, so one is what comes.
    let image = job.finished().await?.into_iter().next().ok_or(ApiError::Internal)?;
    Ok(if return_base64 { as_json(&image, &spec, &model) } else { as_file(image) })
}

/// Thirty-two bits, for that is what torch's generator takes of a seed.
fn random_seed() -> u32 {
    // A version 4 UUID's low bits are random.
    (Uuid::new_v4().as_u128() & u128::from(u32::MAX)) as u32
}

fn as_file(image: GeneratedImage) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::png())
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.png\"", Uuid::new_v4())))
        .insert_header(("X-Seed", image.seed.to_string()))
        .body(image.png)
}

fn as_json(image: &GeneratedImage, spec: &ImageSpec, model: &ModelInfo) -> HttpResponse {
    HttpResponse::Ok().insert_header(("X-Seed", image.seed.to_string())).json(GenerateResponse {
        success: true,
        prompt: spec.prompt().to_owned(),
        steps: spec.num_inference_steps(),
        image_base64: BASE64_STANDARD.encode(&image.png),
        format: "png".into(),
        seed: image.seed,
        width: image.image.width(),
        height: image.image.height(),
        model: model.name.clone(),
        parameters: image.parameters.clone(),
    })
}
