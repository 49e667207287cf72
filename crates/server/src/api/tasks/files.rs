//! `GET /files/{job}/{name}`: a job's file, whole or in part, for jobs of every API.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

use crate::{
    access::Caller,
    files::{JpegFile, Mp4File, PngFile, WebPFile, artifacts},
    http::{ErrorBody, FileAnswers, Problem, StoreProblems},
    state::ApiState,
};

/// A job's file.
///
/// Whole, or the part that `Range` asks for. The task's result has its URL.
#[utoipa::path(
    get,
    path = "/files/{job}/{name}",
    tag = "tasks",
    params(("job" = String, Path, description = "The task's id"), ("name" = String, Path, description = "The file's name", example = "video.mp4")),
    responses(
        (
            status = 200,
            description = "The file",
            content((Mp4File = "video/mp4"), (PngFile = "image/png"), (JpegFile = "image/jpeg"), (WebPFile = "image/webp")),
            headers(("ETag" = String, description = "The SHA-256 digest of its bytes"), ("Accept-Ranges" = String, description = "bytes"))
        ),
        (
            status = 206,
            description = "The requested part",
            content((Mp4File = "video/mp4"), (PngFile = "image/png"), (JpegFile = "image/jpeg"), (WebPFile = "image/webp")),
            headers(("Content-Range" = String, description = "The range of the part, and the total number of bytes"))
        ),
        FileAnswers,
        StoreProblems,
        (status = 404, description = "There is no such file", body = ErrorBody),
        (status = 410, description = "It was removed, for its age or to make room", body = ErrorBody),
    )
)]
pub(crate) async fn file(
    request: HttpRequest,
    caller: Caller,
    path: Path<(String, String)>,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let (job, name) = path.into_inner();
    let found = state.jobs.artifact(&caller.owner, &job, &name).await?;
    artifacts::answer(&request, &state.jobs, &job, found.ok_or_else(Problem::not_found)?).await
}
