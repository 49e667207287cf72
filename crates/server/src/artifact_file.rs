//! `GET /files/{job}/{name}`: a job's file, whole or in part.
//!
//! It must not know what made the file. The invariants: a file answers to its owner alone; it is opened through the jail, so that a link
//! which somebody laid in the folder of files leads nowhere; its entity tag is the digest of its bytes.

use std::{fs::File, io, path::Path as FilePath};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Path},
};
use generation::jobs::ArtifactFile;

use crate::{
    access::Caller,
    app::ApiState,
    error::ApiError,
    file_answer::FileAnswer,
    jail::{self, JailError},
    video_wire::Mp4File,
    wire::ErrorBody,
};

/// A job's file.
///
/// Whole, or the part that `Range` asks for. Its URL stands in the task's result.
#[utoipa::path(
    get,
    path = "/files/{job}/{name}",
    tag = "tasks",
    params(("job" = String, Path, description = "The task's id"), ("name" = String, Path, description = "The file's name", example = "video.mp4")),
    responses(
        (
            status = 200,
            description = "The file",
            content((Mp4File = "video/mp4"), (crate::wire::PngFile = "image/png")),
            headers(("ETag" = String, description = "The SHA-256 digest of its bytes"), ("Accept-Ranges" = String, description = "bytes"))
        ),
        (
            status = 206,
            description = "The part that was asked for",
            content((Mp4File = "video/mp4"), (crate::wire::PngFile = "image/png")),
            headers(("Content-Range" = String, description = "Which part of how many bytes"))
        ),
        (status = 304, description = "It is the one that `If-None-Match` names"),
        (status = 404, description = "There is no such file", body = ErrorBody),
        (status = 410, description = "It was removed, for its age or to make room", body = ErrorBody),
        (status = 412, description = "It is not the one that `If-Match` names"),
        (status = 416, description = "It has no such part"),
        (status = 503, description = "The server is shutting down, or its disk or its store of jobs cannot be used: `detail` says why", body = ErrorBody),
    )
)]
pub(crate) async fn file(
    request: HttpRequest,
    caller: Caller,
    path: Path<(String, String)>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let (job, name) = path.into_inner();
    let found = state.jobs.artifact(&caller.owner, &job, &name).await?;
    answer(&request, found.ok_or(ApiError::NotFound)?).await
}

/// A file as an answer to this request, to be shown rather than saved.
///
/// # Errors
/// 410 if it was removed; 404 if it is gone or is no file; 503 if it cannot be read.
pub(crate) async fn answer(request: &HttpRequest, found: ArtifactFile) -> Result<HttpResponse, ApiError> {
    let ArtifactFile { path, artifact } = found;
    if artifact.expired {
        return Err(ApiError::FileExpired(artifact.name));
    }
    let opened = web::block(move || -> Result<(File, u64), JailError> {
        let file = open(&path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    let (file, length) = opened.await.map_err(|_| ApiError::Internal)??;
    Ok(FileAnswer { file, length, name: artifact.name, media_type: artifact.media_type, tag: artifact.sha256 }.to(request))
}

/// Opens a job's file. Blocks for as long as the disk takes.
///
/// # Errors
/// [`JailError`] if it is not there, or something else is.
fn open(path: &FilePath) -> Result<File, JailError> {
    // The folder of all jobs' files, the job's in it, and the file's name.
    let mut above = path.ancestors().skip(1);
    let (Some(folder), Some(root)) = (above.next(), above.next()) else { return Err(JailError::Name) };
    let name = |path: &FilePath| path.file_name().and_then(|name| name.to_str()).map(str::to_owned).ok_or(JailError::Name);
    Ok(jail::open(root, &format!("{}/{}", name(folder)?, name(path)?))?.file)
}

/// The bytes of a job's file. Blocks for as long as the disk takes.
///
/// # Errors
/// As [`answer`].
pub(crate) fn read(path: &FilePath) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open(path)?, &mut bytes).map_err(JailError::from)?;
    Ok(bytes)
}
