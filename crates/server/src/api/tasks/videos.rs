//! `POST /api/v1/videos/generate`: sets a picture in motion, as a task; and the older status route.
//!
//! The order matters: the `Idempotency-Key` first, because a repeated request gets its answer again whatever has happened to its picture;
//! then the fields; then the picture; then the job, which is on disk before the answer.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Path, Payload},
};
use generation::{
    jobs::{Job, Submitted, Work},
    video::{RemoteVideoSpec, RepaintSpec, VideoSpec},
};

use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        submission::{Submission, new_id},
        tasks::{
            clip_body::{self, Parsed, VideoTaskBody},
            metadata::TaskMetadata,
            problems::task_not_found,
            task_view::{self, Links},
            wire::{TaskStatus, VideoStatus, VideoTaskResponse},
        },
    },
    http::{
        ErrorBody, IdempotencyHeader, JsonBodyProblems, ModelProblems, Problem, QueueProblems, RequestBody, ServiceProblems, StoreProblems,
        check_type, idempotency, offload,
    },
    inputs::{Requester, SourceError, input_image},
    state::{ApiState, Maker},
};

/// Sets a picture in motion.
///
/// Answers at once with the task's id; poll `GET /api/v1/tasks/{id}`, or follow `/api/v1/tasks/{id}/events`.
#[utoipa::path(
    post,
    path = "/api/v1/videos/generate",
    operation_id = "create_video_task",
    tag = "tasks",
    request_body = VideoTaskBody,
    params(IdempotencyHeader),
    responses(
        (
            status = 200,
            description = "The task is accepted",
            body = VideoTaskResponse,
            headers(("Idempotent-Replayed" = String, description = "true if this request was answered before; else absent"))
        ),
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        ServiceProblems,
    )
)]
pub(crate) async fn generate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = accept(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

/// The state of a video's task. `GET /api/v1/tasks/{id}` has more.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}",
    operation_id = "show_video_task",
    tag = "tasks",
    params(("id" = String, Path, description = "The task's id", example = "vid_abc123def456")),
    responses(
        (status = 200, description = "The task, also if it failed or was cancelled", body = VideoStatus),
        StoreProblems,
        (status = 404, description = "There is no such task", body = ErrorBody),
    )
)]
#[deprecated = "GET /api/v1/tasks/{id}"]
pub(crate) async fn status(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    state: Data<ApiState>,
) -> Result<Json<VideoStatus>, Problem> {
    let id = id.into_inner();
    let job = state.jobs.get(&caller.owner, &id).await?.ok_or_else(|| task_not_found(&id))?;
    let base_url = state.access.base_url(&request);
    Ok(Json(task_view::video_status(&job, Links { access: &state.access, base_url: &base_url })))
}

async fn accept(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_large(body, request, &caller.owner).await?;
    let mut submission = Submission::by(caller, request, &bytes).await?;
    if let Some(Submitted { job, replayed, .. }) = submission.before(state).await? {
        return Ok(answer(request, &job, replayed));
    }
    let (tasks, services, guard) = (state.tasks.clone(), state.services.clone(), state.guard.clone());
    // Parsing consumes the body, which may be long: only the picture is needed from here on.
    let parsed = offload(bytes.len(), move || clip_body::parse(&bytes, &tasks, &services, &guard)).await??;
    let Parsed { body: mut clip, maker, mut notes } = parsed;
    submission.stays_here = matches!(maker, Maker::Local(_)) && clip.request.names_this_machine();
    if let Maker::Local(name) = &maker {
        let model = state.ready_model(name.as_deref()).await?;
        clip.request.clip.fill_in(&model);
        let repaint = clip.check(&state.limits)?;
        notes.remarks.extend(model.remarks_on_texts(repaint.iter().map(RepaintSpec::prompt)));
    }
    notes.tell(request);
    clip.check(&state.limits)?;
    let base_url = state.access.base_url(request);
    // `check` refuses a body without a picture.
    let source = clip.request.source.take().ok_or_else(Problem::internal)?;
    let image = state.images_for(&maker).image(source, Requester { owner: &submission.caller.owner, base_url: &base_url }).await;
    let image = image.map_err(|error| match error {
        SourceError::Refused(reason) => clip.fault("image", reason),
        SourceError::Failed(error) => *error,
    })?;
    submission.callback_url = clip.request.callback_url.take();
    submission.own_priority = clip.request.own_priority;
    let spec = match maker {
        Maker::Local(_) => VideoSpec::Clip(clip.spec(Some(image.image), &state.limits)?),
        Maker::Remote(model) => {
            let image = input_image(image).await?;
            let (spec, remarks) = state.services.fitted(RemoteVideoSpec::new(model, clip.remote_request(image)))?;
            notes.remarks.extend(remarks);
            notes.tell(request);
            VideoSpec::Remote(spec)
        }
    };
    let seed = spec.remote().map_or(Some(spec.seed()), |remote| remote.request.seed);
    let metadata = JobMetadata::Task(TaskMetadata { base_url, native_size: None, notes, seed, by_service: spec.remote().is_some() });
    let Submitted { job, replayed, .. } = submission.submit(state, new_id("vid"), Work::Video(spec), metadata).await?;
    drop(held);
    Ok(answer(request, &job, replayed))
}

/// The same answer for one request, whatever the state of its task.
fn answer(request: &HttpRequest, job: &Job, replayed: bool) -> HttpResponse {
    let id = &job.id;
    let TaskMetadata { notes, seed, .. } = TaskMetadata::of(job);
    notes.tell(request);
    let mut response = HttpResponse::Ok().json(VideoTaskResponse {
        task_id: id.clone(),
        status: TaskStatus::Pending,
        message: format!("Video generation task submitted. Poll /api/v1/tasks/{id} for status."),
        seed,
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    });
    idempotency::mark(&mut response, replayed);
    response
}
