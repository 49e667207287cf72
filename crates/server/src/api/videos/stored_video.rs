//! The video of a stored job: its path, and `GET /videos/video_{id}.mp4`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use generation::jobs::Job;

use crate::{
    access::Caller,
    files::{Mp4File, artifacts},
    http::{ErrorBody, FileAnswers, Problem, StoreProblems},
    state::ApiState,
};

/// The name of a job's video among its files.
const FILE: &str = "video.mp4";

/// The path of a job's video; `None` if there is none, or it is no longer kept.
pub(crate) fn path(job: &Job) -> Option<String> {
    let is_there = job.artifacts.iter().any(|artifact| artifact.name == FILE && !artifact.expired);
    is_there.then(|| format!("/videos/video_{}.mp4", job.id))
}

/// A job's video.
///
/// Requires the key that made it, or a signed link. Ranges are served, so that a browser can seek.
#[utoipa::path(
    get,
    path = "/videos/{name}",
    tag = "characters",
    params(("name" = String, Path, description = "video_ID.mp4, as in `videoUrl`", example = "video_vid_0123456789ab.mp4")),
    responses(
        (status = 200, description = "The video", body = Mp4File, content_type = "video/mp4"),
        (status = 206, description = "A part of it", body = Mp4File, content_type = "video/mp4"),
        FileAnswers,
        StoreProblems,
        (status = 404, description = "There is no such video, or it belongs to another key", body = ErrorBody),
        (status = 410, description = "It is no longer kept", body = ErrorBody),
    )
)]
pub(crate) async fn video(
    request: HttpRequest,
    caller: Caller,
    name: Path<String>,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = name.strip_prefix("video_").and_then(|rest| rest.strip_suffix(".mp4")).ok_or_else(Problem::not_found)?;
    let found = state.jobs.artifact(&caller.owner, id, FILE).await?.ok_or_else(Problem::not_found)?;
    artifacts::answer(&request, &state.jobs, id, found).await
}
