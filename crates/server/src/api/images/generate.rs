//! `POST /generate`: one picture, as a PNG file or as base64 in JSON.
//!
//! The handler holds the job's handle while it waits. A client that hangs up makes actix drop the handler, which drops the handle, which
//! frees the job's place: nothing else is needed, and nothing may keep the handle alive elsewhere.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ContentType},
    web::{Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{ImageSpec, ModelInfo, job::GeneratedImage};
use uuid::Uuid;

use crate::{
    access::Caller,
    api::images::{
        generate_body,
        wire::{GenerateRequest, GenerateResponse},
    },
    files::PngFile,
    http::{JsonBodyProblems, NotMade, Problem, QueueProblems, RequestBody, RequestNotes, aside, check_type, file_answer::AS_MADE},
    inputs::random_seed,
    state::ApiState,
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
                (
                    "X-Prompt-Truncated" = bool,
                    description = "true if the prompt or the negative prompt was cut, for the model reads no more; else absent"
                ),
            )
        ),
        JsonBodyProblems,
        QueueProblems,
        NotMade,
    )
)]
pub(crate) async fn generate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, &caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn answer(request: &HttpRequest, caller: &Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let bytes = body.read(state.body_limit, state.body_timeout).await?;
    let body = aside(bytes.len(), move || generate_body::parse(&bytes)).await??;
    let return_base64 = body.return_base64();
    let mut notes = RequestNotes::new(body.ignored(), Vec::new());
    notes.tell(request);
    let model = state.ready_model()?;
    let spec = body.into_spec(random_seed(), &state.limits, &model)?;
    notes.remarks = model.unread_scripts([spec.prompt(), spec.negative_prompt()]);
    notes.tell(request);
    let job = state.engine.submit_in(spec.clone(), caller.context())?;
    // The request asks for one picture, so one is what comes.
    let image = job.finished().await?.into_iter().next().ok_or_else(Problem::internal)?;
    Ok(if return_base64 { as_json(&image, &spec, &model, notes) } else { as_file(image) })
}

/// What stands in the head of both kinds of answer.
fn made(image: &GeneratedImage) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header(("X-Seed", image.seed.to_string()));
    if !image.truncated.is_empty() {
        response.insert_header(("X-Prompt-Truncated", "true"));
    }
    response
}

fn as_file(image: GeneratedImage) -> HttpResponse {
    made(&image)
        .content_type(ContentType::png())
        .insert_header((CACHE_CONTROL, AS_MADE))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.png\"", Uuid::new_v4())))
        .body(image.png)
}

fn as_json(image: &GeneratedImage, spec: &ImageSpec, model: &ModelInfo, notes: RequestNotes) -> HttpResponse {
    made(image).json(GenerateResponse {
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
        prompt_truncated: !image.truncated.is_empty(),
        ignored_fields: notes.ignored_fields,
        remarks: notes.remarks,
    })
}
