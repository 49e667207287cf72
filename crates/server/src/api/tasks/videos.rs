//! `POST /api/v1/videos/generate`: a picture set in motion, as a task; and the older way to ask how it stands.
//!
//! The order of things: the request's own name first, for one that was answered before is answered again whatever has become of its
//! picture; then the fields; then the picture; then the job, which is on the disk before the answer.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Path, Payload},
};
use generation::{
    jobs::{Job, Submitted, Work},
    video::{RemoteVideoSpec, VideoSpec},
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
        aside, check_type, idempotency,
    },
    inputs::{Asker, SourceError, input_image},
    state::{ApiState, Maker},
};

/// Takes a picture to be set in motion.
///
/// Answers at once with the task's id; ask `GET /api/v1/tasks/{id}` how it stands, or follow `/api/v1/tasks/{id}/events`.
#[utoipa::path(
    post,
    path = "/api/v1/videos/generate",
    tag = "tasks",
    request_body = VideoTaskBody,
    params(IdempotencyHeader),
    responses(
        (
            status = 200,
            description = "The task is taken, and will end",
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
    let answer = taken(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

/// How a video's task stands. `GET /api/v1/tasks/{id}` tells more.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}",
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

async fn taken(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_large(body, request, &caller.owner).await?;
    let mut asked = Submission::by(caller, request, &bytes).await?;
    if let Some(Submitted { job, replayed, .. }) = asked.before(state).await? {
        return Ok(answer(request, &job, replayed));
    }
    let (tasks, services, guard) = (state.tasks.clone(), state.services.clone(), state.guard.clone());
    // The picture alone is wanted from here on, and a body may be long.
    let parsed = aside(bytes.len(), move || clip_body::parse(&bytes, &tasks, &services, &guard)).await??;
    let Parsed { body: mut clip, maker, mut notes } = parsed;
    asked.stays_here = matches!(maker, Maker::Local(_)) && clip.request.names_this_machine();
    if let Maker::Local(name) = &maker {
        let model = state.ready_model(name.as_deref())?;
        clip.request.clip.fill_in(&model.defaults);
        if state.tasks.repaint_strength > 0.0 {
            notes.remarks.extend(model.unread_scripts(clip.request.clip.prompt.as_deref()));
        }
    }
    notes.tell(request);
    clip.check(&state.limits)?;
    let base_url = state.access.base_url(request);
    // A body without a picture did not pass the check.
    let source = clip.request.source.take().ok_or_else(Problem::internal)?;
    let image = state.pictures_for(&maker).picture(source, Asker { owner: &asked.caller.owner, base_url: &base_url }).await;
    let image = image.map_err(|error| match error {
        SourceError::Refused(reason) => clip.fault("image", reason),
        SourceError::Failed(error) => *error,
    })?;
    asked.callback_url = clip.request.callback_url.take();
    let spec = match maker {
        Maker::Local(_) => VideoSpec::Clip(clip.spec(Some(image.picture), &state.limits)?),
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
    let Submitted { job, replayed, .. } = asked.submit(state, new_id("vid"), Work::Video(spec), metadata).await?;
    drop(held);
    Ok(answer(request, &job, replayed))
}

/// The same for one request, however its task stands by now.
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
