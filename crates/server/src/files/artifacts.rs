//! A job's file as an answer.
//!
//! It must not know who owns the file, or what made it. The invariant: its entity tag is the digest of its bytes.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use generation::jobs::{Artifact, ArtifactReader, DiskFault, Jobs};

use crate::http::{FileAnswer, Problem};

/// The answer with a file, for display rather than download.
///
/// # Errors
/// 410 if it was removed; 404 if it is missing or not a file; 503 if it cannot be read.
pub(crate) async fn answer(request: &HttpRequest, jobs: &Jobs, job: &str, found: Artifact) -> Result<HttpResponse, Problem> {
    let Artifact { name, media_type, sha256: tag, expired, .. } = found;
    if expired {
        let message = format!("{name} is no longer kept: it was removed for its age or to make room");
        return Err(Problem::new(StatusCode::GONE, "file_expired", message));
    }
    let file = open(jobs, job, &name).await?;
    Ok(FileAnswer { file, name, media_type, tag }.to(request))
}

/// Opens a job's file.
///
/// # Errors
/// 404 if it is missing or not a file; 503 if it cannot be opened.
pub(crate) async fn open(jobs: &Jobs, job: &str, name: &str) -> Result<ArtifactReader, Problem> {
    let opened = jobs.open_artifact(job, name).await.map_err(|error| {
        tracing::error!(%error, "a file of a job cannot be opened");
        unreadable(error.fault())
    });
    opened?.ok_or_else(Problem::not_found)
}

/// The contents of a job's file.
///
/// # Errors
/// As [`open`].
pub(crate) async fn read(jobs: &Jobs, job: &str, name: &str) -> Result<Vec<u8>, Problem> {
    open(jobs, job, name).await?.read_all().await.map_err(|error| {
        tracing::error!(%error, "a file of a job cannot be read");
        unreadable(DiskFault::of_io(&error))
    })
}

fn unreadable(fault: DiskFault) -> Problem {
    Problem::disk(fault, format!("The file cannot be read: {fault}"))
}
