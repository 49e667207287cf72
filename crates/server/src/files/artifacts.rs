//! A job's file, as an answer or as bytes.
//!
//! It must not know whose the file is, nor what made it. The invariants: it is opened through the sandbox, so that a link which somebody
//! laid in the folder of files leads nowhere; its entity tag is the digest of its bytes.

use std::{fs::File, io, path::Path as FilePath};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use generation::jobs::ArtifactFile;

use crate::{
    files::sandbox::{self, SandboxError},
    http::{FileAnswer, Problem},
};

/// A file as an answer to this request, to be shown rather than saved.
///
/// # Errors
/// 410 if it was removed; 404 if it is gone or is no file; 503 if it cannot be read.
pub(crate) async fn answer(request: &HttpRequest, found: ArtifactFile) -> Result<HttpResponse, Problem> {
    let ArtifactFile { path, artifact } = found;
    if artifact.expired {
        let message = format!("{} is no longer kept: it was removed for its age or to make room", artifact.name);
        return Err(Problem::new(StatusCode::GONE, "file_expired", message));
    }
    let opened = web::block(move || -> Result<(File, u64), SandboxError> {
        let file = open(&path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    let (file, length) = opened.await??;
    Ok(FileAnswer { file, length, name: artifact.name, media_type: artifact.media_type, tag: artifact.sha256 }.to(request))
}

/// Opens a job's file. Blocks for as long as the disk takes.
///
/// # Errors
/// [`SandboxError`] if it is not there, or something else is.
fn open(path: &FilePath) -> Result<File, SandboxError> {
    // The folder of all jobs' files, the job's in it, and the file's name.
    let mut above = path.ancestors().skip(1);
    let (Some(folder), Some(root)) = (above.next(), above.next()) else { return Err(SandboxError::Name) };
    let name = |path: &FilePath| path.file_name().and_then(|name| name.to_str()).map(str::to_owned).ok_or(SandboxError::Name);
    Ok(sandbox::open(root, &format!("{}/{}", name(folder)?, name(path)?))?.file)
}

/// The bytes of a job's file. Blocks for as long as the disk takes.
///
/// # Errors
/// [`SandboxError`] if it is not there, or cannot be read.
pub(crate) fn read(path: &FilePath) -> Result<Vec<u8>, SandboxError> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open(path)?, &mut bytes)?;
    Ok(bytes)
}
