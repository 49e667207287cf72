//! `GET /api/v1/tasks/{id}/thumbnail`: a small picture of a task's first picture, or of its video's first frame.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use generation::{artifact::sha256, jobs::ArtifactReader};

use crate::{
    access::Caller,
    api::tasks::{problems::task_not_found, task_summary::is_shown},
    files::{JpegFile, thumbnails::Thumbnails},
    http::{ErrorBody, FileAnswer, FileAnswers, Problem, StoreProblems},
    state::ApiState,
};

/// A task's files do not change.
const CACHING: &str = "private, max-age=31536000, immutable";

/// A small picture of a task.
///
/// A JPEG file of at most 320 pixels a side: of its first picture, or of its video's first frame.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/thumbnail",
    operation_id = "show_thumbnail",
    tag = "tasks",
    params(("id" = String, Path, description = "The task's id", example = "vid_abc123def456")),
    responses(
        (
            status = 200,
            description = "The picture",
            body = JpegFile,
            content_type = "image/jpeg",
            headers(("ETag" = String, description = "The SHA-256 digest of its bytes"))
        ),
        FileAnswers,
        StoreProblems,
        (status = 404, description = "There is no such task, or it has no picture yet or any more", body = ErrorBody),
    )
)]
pub(crate) async fn thumbnail(
    request: HttpRequest,
    caller: Caller,
    id: Path<String>,
    state: Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let job = state.jobs.get(&caller.owner, &id).await?.ok_or_else(|| task_not_found(&id))?;
    let none = || Problem::missing(format!("Task {id} has no picture to show"));
    let file = job.artifacts.iter().find(|file| is_shown(file)).ok_or_else(none)?;
    let picture = state.thumbnails.of(&state.jobs, &state.scratch, &id, file).await?.ok_or_else(none)?;
    let tag = sha256(&picture);
    let file = ArtifactReader::bytes_of(picture.into());
    let answer = FileAnswer { file, name: format!("{id}.jpg"), media_type: Thumbnails::MEDIA_TYPE.to_owned(), tag };
    Ok(answer.cached(&request, CACHING))
}
