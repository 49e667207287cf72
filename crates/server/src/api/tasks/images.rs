//! `POST /api/v1/images/generate` and `/generate-i2i`: a picture, which the answer waits for unless the client prefers not to.
//!
//! It is a task like the others: listed, kept, and found by its id. The invariant: if only this connection could learn the result, hanging
//! up cancels the task; a request with an `Idempotency-Key`, a callback or `Prefer: respond-async` keeps running, and its result can be
//! fetched later.

use std::future::Future;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Json, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::jobs::{Job, JobState, Jobs, Submitted, Work};

use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        submission::{Submission, new_id},
        tasks::{
            async_video::{TaskAccepted, accepted},
            image_body::{self, Given, Image, ImageFromImageBody, ImageTaskBody, image_field},
            metadata::TaskMetadata,
            problems::{held_up, task_cancelled, task_not_found},
            task_view::{self, Links},
            wire::{ImageTaskResponse, SERVICE},
        },
    },
    files::artifacts,
    http::{
        HeldJobProblems, HeldMemory, IdempotencyHeader, JsonBodyProblems, ModelProblems, PreferHeader, Problem, QueueProblems, RequestBody,
        check_type, idempotency, offload, respond_async,
    },
    inputs::{Body, Requester, SourceError, mask::mask_for, value_error},
    state::ApiState,
};

/// The picture's name in its task.
const IMAGE: &str = "image-0.png";

/// The answers of both routes.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it only documents answers")]
enum ImageResponses {
    /// The picture
    #[response(status = 200, headers(("Idempotent-Replayed" = String, description = "true if this request was answered before; else absent")))]
    Image(ImageTaskResponse),
}

/// Makes a picture from a text.
///
/// Waits until it is made. Hanging up cancels it, unless the request has an `Idempotency-Key` or a `callback_url`. With
/// `Prefer: respond-async` it answers at once with a task, which is kept.
#[utoipa::path(
    post,
    path = "/api/v1/images/generate",
    operation_id = "create_image_task",
    tag = "tasks",
    request_body = ImageTaskBody,
    params(IdempotencyHeader, PreferHeader),
    responses(ImageResponses, TaskAccepted, JsonBodyProblems, ModelProblems, QueueProblems, HeldJobProblems)
)]
pub(crate) async fn generate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    respond(&request, caller, payload, &state, false).await
}

/// Makes a picture from a text and a picture: all of it, or its masked part.
///
/// Waits until it is made, as `POST /api/v1/images/generate` does.
#[utoipa::path(
    post,
    path = "/api/v1/images/generate-i2i",
    operation_id = "create_image_from_image_task",
    tag = "tasks",
    request_body = ImageFromImageBody,
    params(IdempotencyHeader, PreferHeader),
    responses(ImageResponses, TaskAccepted, JsonBodyProblems, ModelProblems, QueueProblems, HeldJobProblems)
)]
pub(crate) async fn generate_from_image(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    respond(&request, caller, payload, &state, true).await
}

/// The names of the services that make pictures: this machine.
#[utoipa::path(
    get,
    path = "/api/v1/images/services",
    operation_id = "list_image_services",
    tag = "tasks",
    responses((status = 200, description = "The names", body = Vec<String>, example = json!(["local"])))
)]
pub(crate) fn services() -> impl Future<Output = Json<Vec<&'static str>>> {
    std::future::ready(Json(vec![SERVICE]))
}

async fn respond(request: &HttpRequest, caller: Caller, payload: Payload, state: &ApiState, wants_image: bool) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = try_respond(request, caller, &mut body, state, wants_image).await;
    body.held_by(answer)
}

async fn try_respond(
    request: &HttpRequest,
    caller: Caller,
    body: &mut RequestBody,
    state: &ApiState,
    wants_image: bool,
) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let base_url = state.access.base_url(request);
    let (bytes, held) = match wants_image || state.takes_control_images() {
        true => state.read_large(body, request, &caller.owner).await?,
        false => (body.read(state.body_limit, state.body_timeout).await?, HeldMemory::default()),
    };
    let is_async = respond_async::is_wanted(request);
    let owner = caller.owner.clone();
    let mut submission = Submission::by(caller, request, &bytes).await?;
    let (job, replayed, is_kept) = match submission.before(state).await? {
        Some(Submitted { job, .. }) => (job, true, true),
        None => {
            let guard = state.guard.clone();
            let mut image = offload(bytes.len(), move || image_body::parse(&bytes, wants_image, &guard)).await??;
            submission.callback_url = image.request.callback_url.take();
            submission.own_priority = image.request.own_priority;
            let is_kept = is_async || submission.is_recoverable();
            let Submitted { job, replayed, .. } = submit(request, image, &base_url, submission, state).await?;
            (job, replayed, is_kept)
        }
    };
    drop(held);
    if is_async {
        return Ok(accepted(request, &job, replayed, "picture", &format!("{base_url}/api/v1/tasks/{}", job.id)));
    }
    let mut waiting = Waiting { jobs: state.jobs.clone(), owner: owner.clone(), id: job.id.clone(), is_kept };
    let job = state.jobs.finished_or_held_up(&owner, &job.id).await?.ok_or_else(|| task_not_found(&job.id))?;
    if let Some(fault) = job.blocked_by {
        // A job without a name or a callback is cancelled when `waiting` is dropped.
        return Err(held_up(fault));
    }
    // The job has ended. A shutdown returns early above, which cancels an unnamed job: its caller is asked to send the request again.
    waiting.is_kept = true;
    TaskMetadata::of(&job).notes.tell(request);
    let mut response = answer(&job, &state.jobs, Links { access: &state.access, base_url: &base_url }).await?;
    idempotency::mark(&mut response, replayed);
    Ok(response)
}

async fn submit(
    request: &HttpRequest,
    mut body: Body<Image>,
    base_url: &str,
    submission: Submission,
    state: &ApiState,
) -> Result<Submitted, Problem> {
    let name = state.services.local_model(body.request.model())?;
    let model = state.ready_model(name.as_deref()).await?;
    state.await_refiner(body.request.refiner()).await;
    body.request.set_model(name);
    let mut notes = body.notes(&model);
    notes.tell(request);
    body.check_image(&state.limits, &model)?;
    let asker = Requester { owner: &submission.caller.owner, base_url };
    let given = given(&mut body, asker, state).await?;
    let mut controls = std::mem::take(&mut body.request.controls);
    let guess_mode = controls.guess_mode;
    let controlnets = controls.with_images(&body, asker, state).await?;
    body.request.controls.guess_mode = guess_mode;
    let limits = state.limits.clone();
    // A blocking task, because it resizes the given picture.
    let spec = web::block(move || body.image_spec((given, controlnets), &limits, &model).map(|spec| (spec.remarks_on(&model), spec)));
    let (remarks, spec) = spec.await??;
    notes.remarks = remarks;
    let native_size = Some((spec.width(), spec.height()));
    let metadata = TaskMetadata { base_url: base_url.to_owned(), native_size, notes, seed: Some(spec.seed()), ..TaskMetadata::default() };
    submission.submit(state, new_id("img"), Work::Image(spec), JobMetadata::Task(metadata)).await
}

/// The picture to start from, if there is one, and its mask.
async fn given(body: &mut Body<Image>, asker: Requester<'_>, state: &ApiState) -> Result<Given, Problem> {
    let (Some(source), mask) = (body.request.source.take(), body.request.mask.take()) else { return Ok(Given::default()) };
    let problem = |body: &Body<Image>, field, error| match error {
        SourceError::Refused(reason) => body.fault(field, reason),
        SourceError::Failed(error) => *error,
    };
    let image = state.images().image(source, asker).await.map_err(|error| problem(body, "image", error))?.image;
    let Some(mask) = mask else { return Ok(Given { image: Some(image), mask: None }) };
    let mask = state.images().whole(mask, asker).await.map_err(|error| problem(body, "mask", error))?;
    let size = image.dimensions();
    let mask = web::block(move || mask_for(mask, size)).await?.map_err(|reason| body.fault("mask", reason))?;
    Ok(Given { image: Some(image), mask: Some(mask) })
}

/// A job with a waiting caller; dropping it cancels the job unless the caller can fetch the result later.
pub(crate) struct Waiting {
    pub(crate) jobs: Jobs,
    pub(crate) owner: String,
    pub(crate) id: String,
    pub(crate) is_kept: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Without a runtime no job is running.
        if let (false, Ok(runtime)) = (self.is_kept, tokio::runtime::Handle::try_current()) {
            let (jobs, owner, id) = (self.jobs.clone(), std::mem::take(&mut self.owner), std::mem::take(&mut self.id));
            runtime.spawn(async move {
                if let Err(error) = jobs.cancel(&owner, &id).await {
                    tracing::warn!(%error, job = id, "cannot cancel a job whose caller has hung up");
                }
            });
        }
    }
}

async fn answer(job: &Job, jobs: &Jobs, links: Links<'_>) -> Result<HttpResponse, Problem> {
    match job.state {
        JobState::Completed => {}
        JobState::Cancelled => return Err(task_cancelled(&job.id)),
        JobState::Failed | JobState::Queued | JobState::Running => {
            let error = job.error.clone().ok_or_else(Problem::internal)?;
            if let Some((field, reason)) = error.refused_field() {
                return Err(Problem::invalid(vec![value_error(image_field(field), reason.to_owned(), &serde_json::Value::Null)]));
            }
            return Err(Problem::job_failed("Image generation", &error));
        }
    }
    let outcome = job.outcome.as_ref().ok_or_else(Problem::internal)?;
    let file = jobs.artifact(&job.owner, &job.id, IMAGE).await?.filter(|file| !file.expired);
    let image_b64 = match file {
        None => None,
        Some(file) => Some(BASE64_STANDARD.encode(artifacts::read(jobs, &job.id, &file.name).await?)),
    };
    let TaskMetadata { native_size, notes, .. } = TaskMetadata::of(job);
    let (native_width, native_height) = native_size.unwrap_or((outcome.width, outcome.height));
    Ok(HttpResponse::Ok().json(ImageTaskResponse {
        task_id: Some(job.id.clone()),
        image_url: Some(links.file(job, IMAGE)),
        image_b64,
        service: SERVICE.to_owned(),
        duration: task_view::rounded(outcome.seconds),
        width: outcome.width,
        height: outcome.height,
        native_width,
        native_height,
        seed: outcome.seed,
        parameters: outcome.parameters.first().cloned(),
        prompt_truncated: outcome.truncated,
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    }))
}
