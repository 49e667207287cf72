//! `Prefer: respond-async` (RFC 7240, section 4.1) on routes that answer with a result: the work becomes a stored job, which survives lost
//! connections and restarts. The answer is 202 and a task of the Tasks API.
//!
//! It must not know what is made. The invariant: requests without the preference never get here.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderValue, LOCATION},
};
use generation::{
    jobs::{Job, Submitted, Work},
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

/// The task that makes it, for clients that do not want to wait
#[derive(utoipa::IntoResponses)]
#[response(
    status = 202,
    headers(
        ("Location" = String, description = "The URL of the task"),
        ("Preference-Applied" = String, description = "respond-async"),
    )
)]
pub(crate) struct TaskAccepted(#[expect(dead_code, reason = "it only documents an answer")] VideoTaskResponse);

/// Submits the video that `read` parses from the request, or finds the job of an earlier identical request.
pub(crate) async fn answer(
    request: &HttpRequest,
    submission: Submission,
    state: &ApiState,
    read: impl Future<Output = Result<(VideoSpec, RequestNotes), Problem>>,
) -> Result<HttpResponse, Problem> {
    let Submitted { job, replayed, .. } = match submission.before(state).await? {
        Some(submitted) => submitted,
        None => {
            let (spec, notes) = read.await?;
            let metadata =
                TaskMetadata { base_url: state.access.base_url(request), notes, seed: Some(spec.seed()), ..TaskMetadata::default() };
            submission.submit(state, new_id("vid"), Work::Video(spec), JobMetadata::Task(metadata)).await?
        }
    };
    let location = format!("/api/v1/tasks/{}", job.id);
    Ok(accepted(request, &job, replayed, "video", &location))
}

/// The answer with the task that makes it; `what` names the result.
pub(crate) fn accepted(request: &HttpRequest, job: &Job, replayed: bool, what: &str, location: &str) -> HttpResponse {
    let id = &job.id;
    let TaskMetadata { notes, seed, .. } = TaskMetadata::of(job);
    notes.tell(request);
    let mut response = HttpResponse::Accepted().json(VideoTaskResponse {
        task_id: id.clone(),
        status: TaskStatus::Pending,
        message: format!("The {what} is being made. Poll /api/v1/tasks/{id} for its status."),
        seed,
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    });
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    insert(&mut response, "Preference-Applied", PREFERENCE);
    idempotency::mark(&mut response, replayed);
    response
}
