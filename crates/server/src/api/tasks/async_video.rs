//! Long work whose caller would rather not wait for it: with `Prefer: respond-async` (RFC 7240, section 4.1) a video that is answered
//! when it is made becomes a stored job, which no lost connection and no restart loses. The answer is 202 and a task of the Tasks API.
//!
//! It must not know what is made. The invariant: without the preference nothing here has a say.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderValue, LOCATION},
};
use generation::{
    jobs::{Submitted, Work},
    video::VideoSpec,
};

use crate::{
    api::{
        metadata::JobMetadata,
        submission::{Submission, new_id},
        tasks::{
            metadata::TaskMetadata,
            wire::{TaskStatus, VideoTaskResponse},
        },
    },
    http::{Problem, RequestNotes, idempotency, insert, respond_async::PREFERENCE},
    state::ApiState,
};

/// The job that makes the video, for those who would rather not wait
#[derive(utoipa::IntoResponses)]
#[response(
    status = 202,
    headers(
        ("Location" = String, description = "Where to ask how it stands"),
        ("Preference-Applied" = String, description = "respond-async"),
    )
)]
pub(crate) struct TaskAccepted(#[expect(dead_code, reason = "it describes an answer, and is never made")] VideoTaskResponse);

/// Makes a job of the video that `read` makes of the request, or finds the one that the same request made before.
pub(crate) async fn answer(
    request: &HttpRequest,
    asked: Submission,
    state: &ApiState,
    read: impl Future<Output = Result<(VideoSpec, RequestNotes), Problem>>,
) -> Result<HttpResponse, Problem> {
    let Submitted { job, replayed, .. } = match asked.before(state).await? {
        Some(submitted) => submitted,
        None => {
            let (spec, notes) = read.await?;
            let metadata =
                TaskMetadata { base_url: state.access.base_url(request), notes, seed: Some(spec.seed()), ..TaskMetadata::default() };
            asked.submit(state, new_id("vid"), Work::Video(spec), JobMetadata::Task(metadata)).await?
        }
    };
    let id = &job.id;
    let TaskMetadata { notes, seed, .. } = TaskMetadata::of(&job);
    notes.tell(request);
    let mut response = HttpResponse::Accepted().json(VideoTaskResponse {
        task_id: id.clone(),
        status: TaskStatus::Pending,
        message: format!("The video is being made. Poll /api/v1/tasks/{id} for its status."),
        seed,
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    });
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/tasks/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    insert(&mut response, "Preference-Applied", PREFERENCE);
    idempotency::mark(&mut response, replayed);
    Ok(response)
}
