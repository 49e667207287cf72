//! `POST /generate`: one picture, as a PNG file or as base64 in JSON.
//!
//! It is a held job: when the client hangs up, actix drops the handler, which drops the [`generation::jobs::HeldJob`], which cancels the
//! job. Nothing else may keep the held job alive.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ContentType},
    web::{Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{GeneratedImage, ImageSpec, JobOutput, ModelInfo, Work};
use uuid::Uuid;

use crate::{
    access::Caller,
    api::{
        images::{
            generate_body::{GENERATE, GenerateRequest},
            wire::GenerateResponse,
        },
        metadata::JobMetadata,
        submission::{Submission, finished},
        tasks::metadata::TaskMetadata,
    },
    files::PngFile,
    http::{
        HeldJobProblems, HeldMemory, IdempotencyHeader, JsonBodyProblems, ModelProblems, Problem, QueueProblems, RequestBody, RequestNotes,
        check_type, file_answer::AS_MADE, idempotency, offload,
    },
    inputs::{Requester, random_seed},
    state::ApiState,
};

/// Makes a picture from a text.
///
/// Waits until the picture is made. Hanging up cancels it.
#[utoipa::path(
    post,
    path = "/generate",
    operation_id = "generate_image",
    tag = "generation",
    request_body = GenerateRequest,
    params(IdempotencyHeader),
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
                    description = "true if the prompt or the negative prompt was longer than the model reads, and was cut; else absent"
                ),
                ("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent"),
            )
        ),
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        HeldJobProblems,
    )
)]
pub(crate) async fn generate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn answer(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let (bytes, held) = match state.takes_control_images() {
        true => state.read_large(body, request, &caller.owner).await?,
        false => (body.read(state.body_limit, state.body_timeout).await?, HeldMemory::default()),
    };
    let submission = Submission::by(caller, request, &bytes).await?;
    let mut body = offload(bytes.len(), move || GENERATE.parse(&bytes)).await??;
    let return_base64 = body.request.return_base64.unwrap_or(false);
    let mut notes = RequestNotes::new(std::mem::take(&mut body.named.ignored), Vec::new());
    notes.tell(request);
    let mut image = std::mem::take(&mut body.request.image);
    image.model = state.services.local_model(image.model.as_deref())?;
    let model = state.ready_model(image.model.as_deref()).await?;
    state.await_refiner(image.refiner.as_deref()).await;
    image.seed.get_or_insert_with(|| random_seed().into());
    let mut controls = std::mem::take(&mut body.request.controls);
    image.guess_mode = controls.guess_mode;
    image.controlnets = controls.without_images();
    let base_url = state.access.base_url(request);
    let mut spec = body.or_problem(image.clone().validate(&state.limits, &model))?;
    if !image.controlnets.is_empty() {
        image.controlnets = controls.with_images(&body, Requester { owner: &submission.caller.owner, base_url: &base_url }, state).await?;
        spec = body.or_problem(image.validate(&state.limits, &model))?;
    }
    drop(held);
    notes.remarks = spec.remarks_on(&model);
    notes.tell(request);
    let seed = Some(spec.seed());
    let metadata = JobMetadata::Task(TaskMetadata { base_url, notes: notes.clone(), seed, ..TaskMetadata::default() });
    let (job, replayed) = submission.hold(state, "img", Work::Image(spec.clone()), None, metadata).await?;
    let output = finished(state, "Generation", job).await?;
    // The request asks for one image.
    let JobOutput::Images(images) = Arc::unwrap_or_clone(output).output else { return Err(Problem::internal()) };
    let image = images.into_iter().next().ok_or_else(Problem::internal)?;
    notes.remarks.extend_from_slice(&image.remarks);
    notes.tell(request);
    let mut response = if return_base64 { as_json(&image, &spec, &model, notes) } else { as_file(image) };
    idempotency::mark(&mut response, replayed);
    Ok(response)
}

/// The headers of both kinds of answer.
fn response_head(image: &GeneratedImage) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header(("X-Seed", image.seed.to_string()));
    if !image.truncated.is_empty() {
        response.insert_header(("X-Prompt-Truncated", "true"));
    }
    response
}

fn as_file(image: GeneratedImage) -> HttpResponse {
    response_head(&image)
        .content_type(ContentType::png())
        .insert_header((CACHE_CONTROL, AS_MADE))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.png\"", Uuid::new_v4())))
        .body(image.png)
}

fn as_json(image: &GeneratedImage, spec: &ImageSpec, model: &ModelInfo, notes: RequestNotes) -> HttpResponse {
    response_head(image).json(GenerateResponse {
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
