//! The answers of problems: their status, their body, and no paths.
#![expect(clippy::unwrap_used, reason = "tests")]

use actix_web::{ResponseError as _, body::to_bytes, http::header::RETRY_AFTER};
use generation::{
    BackendError, SubmitError,
    jobs::{DiskFault, JobError, JobErrorKind, StoreError},
    sandbox::SandboxError,
};
use serde_json::Value;

use crate::{
    api::{tasks::problems::held_up, videos::scenes::scratch},
    files::UploadError,
    http::Problem,
};

#[actix_web::test]
async fn no_answer_contains_a_path() {
    let denied = || std::io::Error::new(std::io::ErrorKind::PermissionDenied, "at path \"/srv/secret/x\"");
    let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
    let file = || generation::video::VideoOutput::new("/srv/secret/video.none").unwrap_err();
    assert!(file().to_string().contains("/srv/secret"));
    let unwritten = |source: std::io::Error| BackendError::Model(diffusion_core::Error::Sink(source.into()));
    let store = |source| StoreError::Folder { path: "/srv/secret".into(), source };
    let failed = |retryable| {
        let error = JobError { kind: JobErrorKind::OutOfMemory, message: "out of memory".into(), retryable };
        Problem::job_failed("Image generation", &error)
    };
    let gone = || StoreError::Gone { path: "/srv/secret".into() };
    let video = |error| Problem::held_job_failed("Video generation", &error);
    for (problem, status, message) in [
        (scratch(denied()), 503, "Video generation failed: the folder for videos in the making cannot be used: the disk is read-only"),
        (video(file().into()), 500, "Video generation failed: the video could not be written"),
        (video(unwritten(full())), 503, "Video generation failed: frame sink: no storage space"),
        (store(full()).into(), 503, "The store of jobs cannot be used: the disk is full"),
        (SubmitError::from(gone()).into(), 503, "The store of jobs cannot be used: the data folder is gone"),
        (UploadError::Store(full()).into(), 503, "the file could not be stored: the disk is full"),
        (SandboxError::Io(full()).into(), 503, "The file cannot be read: the disk is full"),
        (held_up(DiskFault::Full), 503, "The picture cannot be stored now: the disk is full"),
        (failed(true), 503, "Image generation failed: out of memory"),
        (failed(false), 500, "Image generation failed: out of memory"),
    ] {
        let answer = problem.error_response();
        assert_eq!(answer.status().as_u16(), status, "{message}");
        assert_eq!(
            answer.headers().get(RETRY_AFTER).map(|seconds| seconds.to_str().unwrap()),
            (status == 503).then_some("30"),
            "{message}"
        );
        let body = to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["detail"], message);
    }
}
