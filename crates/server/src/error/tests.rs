//! What an error answers: its status, its body, and no path.
#![expect(clippy::unwrap_used, reason = "tests")]

use actix_web::body::to_bytes;
use generation::jobs::JobErrorKind;

use super::*;

#[actix_web::test]
async fn no_answer_tells_where_files_lie() {
    let denied = || std::io::Error::new(std::io::ErrorKind::PermissionDenied, "at path \"/srv/secret/x\"");
    let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
    let file = || generation::video::VideoOutput::new("/srv/secret/video.none").unwrap_err();
    assert!(file().to_string().contains("/srv/secret"));
    let store = |source| StoreError::Folder { path: "/srv/secret".into(), source };
    let failed = |retryable| {
        let error = JobError { kind: JobErrorKind::OutOfMemory, message: "out of memory".into(), retryable };
        ApiError::TaskFailed { what: "Image generation", error }
    };
    let gone = || StoreError::Gone { path: "/srv/secret".into() };
    for (error, status, told) in [
        (
            ApiError::Scratch(denied()),
            503,
            "Video generation failed: the folder for videos in the making cannot be used: the disk is read-only",
        ),
        (ApiError::Video(file().into()), 500, "Video generation failed: the video could not be written"),
        (
            ApiError::Video(GenerationError::Store(store(full()))),
            503,
            "Video generation failed: what is stored of the job cannot be used: the disk is full",
        ),
        (
            ApiError::Generation(GenerationError::Store(store(denied()))),
            503,
            "Generation failed: what is stored of the job cannot be used: the disk is read-only",
        ),
        (ApiError::Store(store(full())), 503, "The store of jobs cannot be used: the disk is full"),
        (ApiError::Job(gone().into()), 503, "The store of jobs cannot be used: the data folder is gone"),
        (ApiError::Upload(UploadError::Store(full())), 503, "the file could not be stored: the disk is full"),
        (ApiError::Unreadable(DiskFault::TooManyFiles), 503, "The file cannot be read: too many files are open"),
        (ApiError::HeldUp(DiskFault::Full), 503, "The picture cannot be stored now: the disk is full"),
        (failed(true), 503, "Image generation failed: out of memory"),
        (failed(false), 500, "Image generation failed: out of memory"),
    ] {
        let answer = error.error_response();
        assert_eq!(answer.status().as_u16(), status, "{told}");
        assert_eq!(answer.headers().get(RETRY_AFTER).map(|seconds| seconds.to_str().unwrap()), (status == 503).then_some("30"), "{told}");
        let body = to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["detail"], told);
    }
}
