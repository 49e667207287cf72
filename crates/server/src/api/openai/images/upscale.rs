//! `POST /v1/images/upscale`: enlarges a picture with an upscaler of the operator's folder.
//!
//! OpenAI's API has no such route: this one has the words of its neighbours. The order matters as in [`super::making`]: the request's name,
//! its fields, its picture, its job. The invariant: a picture in base64 is a held job, and one by URL or without
//! waiting a stored one.

use std::{sync::Arc, time::SystemTime};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::ContentType,
    web::{self, Bytes, Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use diffusion_core::adapters::UpscalerFolder;
use generation::{
    FieldError, FieldErrorKind, JobOutput, UpscaleSpec, Upscaler,
    jobs::{HeldOutput, Job, Submitted, Work},
};
use image::DynamicImage;
use serde_json::Value;

use super::{
    body::ONE_IMAGE,
    making::{GRACE, size_text, stored},
    upscale_body::{Enlargement, UPSCALES, UpscalesBody, UpscalesForm, Wanted, check},
    wire::{OpenAiUpscaledImage, OpenAiUpscaledImages, UpscaledPicture},
};
use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        openai::{form::Form, models::seconds},
        submission::{Ending, Submission, finished, lingering, new_id},
        tasks::{
            async_video::{TaskAccepted, accepted},
            metadata::TaskMetadata,
            task_view::Links,
        },
    },
    files::decoding,
    http::{
        HeldJobProblems, HeldMemory, IdempotencyHeader, JsonBodyProblems, ModelProblems, PreferHeader, Problem, QueueProblems, RequestBody,
        RequestNotes, check_type, idempotency,
        multipart_file::{FileLimits, MultipartBody, SentFile, is_form},
        offload,
        repeated_requests::{digest_of, retry_count},
        respond_async,
    },
    inputs::{Body, Requester, SourceError, image_source::decode_whole},
    state::ApiState,
};

/// A request's body, its picture if that is a file, and a digest of both.
struct Asked {
    body: Body<Enlargement>,
    file: Option<SentFile>,
    contents: Bytes,
    /// The memory of the body, until the job has its own.
    held: HeldMemory,
}

/// Enlarges a picture with an upscaler.
///
/// Waits until it is made, as `POST /v1/images/generations` does; with `Prefer: respond-async` it answers at once with a task, which is kept.
/// Needs no other model to be loaded.
#[utoipa::path(
    post,
    path = "/v1/images/upscale",
    tag = "openai",
    request_body(content((UpscalesForm = "multipart/form-data"), (UpscalesBody = "application/json"))),
    params(IdempotencyHeader, PreferHeader),
    responses(UpscaledPicture, TaskAccepted, JsonBodyProblems, ModelProblems, QueueProblems, HeldJobProblems)
)]
pub(crate) async fn upscale(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    if is_form(&request) {
        let mut body = MultipartBody::new(payload);
        let answer = match from_form(&request, &mut body, &state).await {
            Ok(asked) => make(&request, caller, asked, &state).await,
            Err(problem) => Err(problem),
        };
        return body.held_by(answer);
    }
    let mut body = RequestBody::new(payload);
    let answer = match from_json(&request, &caller.owner, &mut body, &state).await {
        Ok(asked) => make(&request, caller, asked, &state).await,
        Err(problem) => Err(problem),
    };
    body.held_by(answer)
}

async fn from_form(request: &HttpRequest, body: &mut MultipartBody, state: &ApiState) -> Result<Asked, Problem> {
    let limits = FileLimits { bytes: state.image_body_limit, timeout: state.body_timeout };
    let mut held = state.memory_for(request, limits.bytes).await?;
    let parts = body.read_form(request, &limits).await?;
    let bytes = parts.iter().map(|part| part.sent.bytes.len()).sum();
    held.shrink_to(bytes);
    offload(bytes, move || {
        let contents = digest_of(parts.iter().flat_map(|part| [part.name.as_bytes(), part.sent.bytes.as_slice()]));
        let mut form = Form::of(parts, &["image"])?;
        let mut files = form.files("image");
        let mut body = UPSCALES.read(form.fields);
        if files.len() > 1 {
            body.look(|fields| fields.value_fault("image", ONE_IMAGE));
        }
        Ok(Asked { body, file: files.pop(), contents, held })
    })
    .await?
}

async fn from_json(request: &HttpRequest, owner: &str, body: &mut RequestBody, state: &ApiState) -> Result<Asked, Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_large(body, request, owner).await?;
    offload(bytes.len(), move || Ok(Asked { body: UPSCALES.parse(&bytes)?, file: None, contents: bytes, held })).await?
}

async fn make(request: &HttpRequest, caller: Caller, asked: Asked, state: &ApiState) -> Result<HttpResponse, Problem> {
    let Asked { mut body, file, contents, held } = asked;
    let owner = caller.owner.clone();
    let submission = Submission::identified(caller, state.repeats.identify(request, &owner, &contents).await?);
    let wanted = check(&mut body);
    let is_async = respond_async::is_wanted(request);
    let location = |job: &Job| format!("{}/api/v1/tasks/{}", state.access.base_url(request), job.id);
    if (wanted.by_url || is_async)
        && let Some(Submitted { job, .. }) = submission.before(state).await?
    {
        drop(held);
        if is_async {
            return Ok(accepted(request, &job, true, "picture", &location(&job)));
        }
        return by_url(request, job, (true, true), (wanted, body.request.upscaler_field()), state).await;
    }
    let mut notes = RequestNotes::new(std::mem::take(&mut body.named.ignored), Vec::new());
    notes.tell(request);
    let folder = state.local().upscalers().folder().cloned();
    if let Some(name) = body.request.upscaler_name() {
        web::block(move || known(&name, folder.as_ref())).await??;
    }
    let base_url = state.access.base_url(request);
    let source = body.request.source.take();
    if file.is_none() && source.is_none() && body.faults.iter().all(|fault| fault.loc.get(1) != Some(&"image".into())) {
        body.look(|fields| fields.rule_fault("image", FieldErrorKind::Missing));
    }
    // Every fault of the other fields is known before a picture is fetched or decoded. The smallest picture is never too large.
    let body = spec_of(body, Some(DynamicImage::new_rgb8(1, 1)), wanted, state).await?.0;
    let image = picture((file, source), Requester { owner: &owner, base_url: &base_url }, state).await.map_err(|error| match error {
        SourceError::Refused(reason) => body.fault("image", reason),
        SourceError::Failed(error) => *error,
    })?;
    let (body, spec) = spec_of(body, Some(image), wanted, state).await?;
    let field = body.request.upscaler_field();
    drop(held);
    let metadata = JobMetadata::Task(TaskMetadata { base_url, notes: notes.clone(), ..TaskMetadata::default() });
    if wanted.by_url || is_async {
        let is_kept = submission.is_recoverable();
        let submitted = submission.submit(state, new_id("img"), Work::Upscale(spec), metadata).await;
        let Submitted { job, replayed, .. } = submitted.map_err(|problem| renamed(problem, field))?;
        if is_async {
            return Ok(accepted(request, &job, replayed, "picture", &location(&job)));
        }
        return by_url(request, job, (replayed, is_kept), (wanted, field), state).await;
    }
    let held_job = submission.hold(state, "img", Work::Upscale(spec), None, metadata).await;
    let (job, replayed) = held_job.map_err(|problem| renamed(problem, field))?;
    let output = if retry_count(request).is_some() {
        let ending = Ending::of(state, "Upscaling", &job);
        let result = lingering(job, GRACE).await.map_err(|_| Problem::internal().of_run())?;
        result.map_err(|error| ending.problem(&error))
    } else {
        finished(state, "Upscaling", job).await
    };
    let output = output.map_err(|problem| renamed(problem.of_run(), field))?;
    if let JobOutput::Images(images) = &output.output {
        notes.remarks.extend(images.iter().flat_map(|image| &image.remarks).cloned());
        notes.tell(request);
    }
    let mut response = in_base64(output, wanted, notes).await?;
    idempotency::mark(&mut response, replayed);
    Ok(response)
}

/// Whether there is an upscaler of this name, usable or not.
fn known(name: &str, folder: Option<&UpscalerFolder>) -> Result<(), Problem> {
    let Some(folder) = folder else {
        return Err(Problem::model_not_found(name, "this server has no upscalers: the setting upscalers.folder names a folder of them"));
    };
    match Upscaler::choose(name, Some(folder)) {
        Err(reason) if folder.find(name).is_err() => Err(Problem::model_not_found(name, &reason)),
        // Of a damaged file its field tells.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The picture at its own size.
async fn picture(
    (file, source): (Option<SentFile>, Option<String>),
    asker: Requester<'_>,
    state: &ApiState,
) -> Result<DynamicImage, SourceError> {
    match (file, source) {
        (Some(file), _) => {
            let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
            web::block(move || decode_whole(file.bytes)).await.map_err(Problem::from)?.map_err(SourceError::Refused)
        }
        (None, Some(source)) => state.images().whole(source, asker).await,
        (None, None) => Err(SourceError::Refused("there is none".to_owned())),
    }
}

/// The spec of a body with this picture, or all its faults. Reads the upscaler's file unless it is known.
async fn spec_of(
    body: Body<Enlargement>,
    image: Option<DynamicImage>,
    wanted: Wanted,
    state: &ApiState,
) -> Result<(Body<Enlargement>, UpscaleSpec), Problem> {
    let folder = state.local().upscalers().folder().cloned();
    web::block(move || {
        let field = body.request.upscaler_field();
        let validated = body.request.request(image, wanted.format).validate(folder.as_ref());
        let named = |error: FieldError| FieldError { field: name_of(error.field, field), ..error };
        let spec = body.or_problem(validated.map_err(|faults| faults.into_iter().map(named).collect()))?;
        Ok((body, spec))
    })
    .await?
}

/// This route's name for a field of an enlargement.
fn name_of(name: &'static str, upscaler: &'static str) -> &'static str {
    if name == "upscaler" { upscaler } else { name }
}

/// A problem under this route's names of fields.
fn renamed(mut problem: Problem, upscaler: &'static str) -> Problem {
    for fault in &mut problem.fields {
        if let Some(field) = fault.loc.get_mut(1).filter(|field| field.as_str() == Some("upscaler")) {
            *field = Value::from(upscaler);
        }
    }
    problem
}

/// The answer with the picture itself.
async fn in_base64(output: Arc<HeldOutput>, wanted: Wanted, notes: RequestNotes) -> Result<HttpResponse, Problem> {
    let JobOutput::Images(images) = &output.output else { return Err(Problem::internal()) };
    let bytes = images.iter().map(|image| image.file().1.len()).sum();
    let body = offload(bytes, move || {
        let JobOutput::Images(images) = &output.output else { return String::new() };
        let data = images.iter().map(|image| OpenAiUpscaledImage {
            b64_json: Some(BASE64_STANDARD.encode(image.file().1)),
            url: None,
            parameters: image.parameters.clone(),
        });
        let size = images.first().map(|image| image.image.dimensions()).unwrap_or_default();
        // It contains nothing that JSON cannot represent.
        serde_json::to_string(&answer(data.collect(), SystemTime::now(), size, wanted, notes)).unwrap_or_default()
    });
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(body.await?))
}

fn answer(
    data: Vec<OpenAiUpscaledImage>,
    created: SystemTime,
    size: (u32, u32),
    wanted: Wanted,
    notes: RequestNotes,
) -> OpenAiUpscaledImages {
    let RequestNotes { remarks, ignored_fields, .. } = notes;
    OpenAiUpscaledImages {
        created: seconds(created),
        data,
        output_format: wanted.format.name(),
        size: size_text(size),
        remarks,
        ignored_fields,
    }
}

/// The answer with a link to a stored job's picture, once it is there. Hanging up cancels the job unless it `is_kept`.
async fn by_url(
    request: &HttpRequest,
    job: Job,
    (replayed, is_kept): (bool, bool),
    (wanted, field): (Wanted, &'static str),
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let job = stored("Upscaling", job, is_kept, state).await.map_err(|problem| renamed(problem, field))?;
    let outcome = job.outcome.as_ref().ok_or_else(Problem::internal)?;
    let TaskMetadata { mut notes, .. } = TaskMetadata::of(&job);
    notes.remarks.extend(outcome.remarks.iter().cloned());
    notes.tell(request);
    let base_url = state.access.base_url(request);
    let links = Links { access: &state.access, base_url: &base_url };
    let data = job.artifacts.iter().enumerate().map(|(index, file)| OpenAiUpscaledImage {
        b64_json: None,
        url: Some(links.file(&job, &file.name)),
        parameters: outcome.parameters.get(index).cloned().unwrap_or_default(),
    });
    let mut response = HttpResponse::Ok().json(answer(data.collect(), job.created_at, (outcome.width, outcome.height), wanted, notes));
    idempotency::mark(&mut response, replayed);
    Ok(response)
}
