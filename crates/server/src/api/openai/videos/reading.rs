//! `GET /v1/videos`, `GET` and `DELETE /v1/videos/{id}`: listing, reading and deleting videos.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Json, Path},
};
use generation::jobs::{Job, JobState, Page};

use super::{
    view,
    wire::{OpenAiVideo, OpenAiVideoDeleted, OpenAiVideos},
};
use crate::{
    access::Caller,
    api::{metadata::JobMetadata, tasks::task_view::Links},
    http::{ErrorBody, Problem, StoreProblems, repeated_requests::retry_count},
    inputs::{Fields, integer, query_values, string},
    state::ApiState,
};

/// The number of videos of a page, at most and by default.
const MOST: usize = 100;
const DEFAULT: usize = 20;

/// The page of a list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only documents parameters, which are read one by one")]
pub(crate) struct VideosQuery {
    /// The maximum number of videos.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Only videos after the one with this id: `last_id` of the previous page.
    after: Option<String>,
    /// "desc" for the newest first, or "asc".
    #[param(default = "desc")]
    order: Option<String>,
}

/// Your videos, newest first.
#[utoipa::path(
    get,
    path = "/v1/videos",
    operation_id = "openai_list_videos",
    tag = "openai",
    params(VideosQuery),
    responses(
        (status = 200, description = "A page of the videos", body = OpenAiVideos),
        StoreProblems,
        (status = 400, description = "The query is wrong: the message names each parameter", body = ErrorBody),
        (status = 404, description = "There is no video with the id in `after`", body = ErrorBody),
    )
)]
pub(crate) async fn list(request: HttpRequest, caller: Caller, state: Data<ApiState>) -> Result<Json<OpenAiVideos>, Problem> {
    let Query { limit, after, newest_first } = query(request.query_string())?;
    let beyond = match after {
        None => None,
        Some(id) => Some(found(&caller.owner, &id, &state).await?.number),
    };
    // One more tells whether there is another page.
    let page = Page { beyond, limit: limit + 1, kind: Some(JobMetadata::OPENAI_VIDEO.to_owned()), newest_first, ..Page::default() };
    let mut jobs = state.jobs.list(&caller.owner, page).await?;
    let has_more = jobs.len() > limit;
    jobs.truncate(limit);
    let base_url = state.access.base_url(&request);
    let links = Links { access: &state.access, base_url: &base_url };
    Ok(Json(OpenAiVideos {
        object: "list",
        data: jobs.iter().map(|job| view::video(job, links)).collect(),
        first_id: jobs.first().map(|job| job.id.clone()),
        last_id: jobs.last().map(|job| job.id.clone()),
        has_more,
    }))
}

/// A video in its current state.
#[utoipa::path(
    get,
    path = "/v1/videos/{id}",
    operation_id = "openai_show_video",
    tag = "openai",
    params(("id" = String, Path, description = "The video's id", example = "video_abc123def456")),
    responses(
        (
            status = 200,
            description = "The video, also if it failed",
            body = OpenAiVideo,
            headers(("openai-poll-after-ms" = u64, description = "When to ask again; absent once it has ended"))
        ),
        StoreProblems,
        (status = 404, description = "There is no such video, or it belongs to another key", body = ErrorBody),
    )
)]
pub(crate) async fn show(request: HttpRequest, caller: Caller, id: Path<String>, state: Data<ApiState>) -> Result<HttpResponse, Problem> {
    let job = found(&caller.owner, &id, &state).await?;
    let base_url = state.access.base_url(&request);
    Ok(view::answer(&job, Links { access: &state.access, base_url: &base_url }))
}

/// Deletes a video and its file; one that is not done is cancelled first.
///
/// Answers once it is gone: a running one stops at its next step.
#[utoipa::path(
    delete,
    path = "/v1/videos/{id}",
    operation_id = "openai_delete_video",
    tag = "openai",
    params(("id" = String, Path, description = "The video's id", example = "video_abc123def456")),
    responses(
        (status = 200, description = "It is deleted", body = OpenAiVideoDeleted),
        StoreProblems,
        (status = 404, description = "There is no such video, or it belongs to another key", body = ErrorBody),
    )
)]
pub(crate) async fn delete(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    state: Data<ApiState>,
) -> Result<Json<OpenAiVideoDeleted>, Problem> {
    let id = id.into_inner();
    match found(&caller.owner, &id, &state).await {
        Ok(job) => {
            state.jobs.forget(&caller.owner, &job.id).await?;
        }
        // The request before it has deleted the video, and its answer was lost.
        Err(problem) if problem.status == StatusCode::NOT_FOUND && retry_count(&request).is_some_and(|count| count > 0) => {}
        Err(problem) => return Err(problem),
    }
    Ok(Json(OpenAiVideoDeleted { id, object: "video.deleted", deleted: true }))
}

/// The owner's video.
///
/// # Errors
/// 404 if there is none, or the job is no video of this API.
pub(super) async fn found(owner: &str, id: &str, state: &ApiState) -> Result<Job, Problem> {
    let job = state.jobs.get(owner, id).await?.filter(|job| job.metadata.kind == JobMetadata::OPENAI_VIDEO);
    job.ok_or_else(|| Problem::missing(format!("Video not found: {}", generation::field_error::shortened(id))))
}

/// There is nothing of the video to serve.
pub(super) fn not_ready(job: &Job) -> Problem {
    let status = view::status(job.state);
    let message = match (job.state, &job.error) {
        (JobState::Failed, Some(error)) => format!("The video has failed: {}", error.message),
        (JobState::Cancelled, _) => "The video was cancelled".to_owned(),
        _ => format!("Video is not ready yet (status: {status})"),
    };
    // Not 409, which the clients repeat at once.
    Problem::new(StatusCode::BAD_REQUEST, "video_not_ready", message)
}

struct Query {
    limit: usize,
    after: Option<String>,
    newest_first: bool,
}

fn query(text: &str) -> Result<Query, Problem> {
    let values = query_values(text);
    let mut fields = Fields::of(&values, "query");
    let limit = fields.read("limit", |value| match integer(value)? {
        ..1 => Err(("greater_than_equal", "Input should be greater than or equal to 1")),
        limit => match usize::try_from(limit) {
            Ok(limit) if limit <= MOST => Ok(limit),
            Ok(_) | Err(_) => Err(("less_than_equal", "Input should be less than or equal to 100")),
        },
    });
    let after = fields.read("after", string);
    let newest_first = fields.read("order", |value| match string(value)?.as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(("enum", "Input should be 'asc' or 'desc'")),
    });
    if fields.faults.is_empty() {
        Ok(Query { limit: limit.unwrap_or(DEFAULT), after, newest_first: newest_first.unwrap_or(true) })
    } else {
        Err(Problem::invalid(fields.faults))
    }
}
