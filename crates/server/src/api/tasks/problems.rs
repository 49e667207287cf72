//! The problems that tasks alone have.

use actix_web::http::StatusCode;
use generation::jobs::{DiskFault, JobError, JobState};

use crate::http::problem::Problem;

/// When it is worth asking again for what failed and need not fail again, in seconds: memory may be free by then.
const FAILED_SECONDS: u64 = 30;

/// There is no such task, or it is another's.
pub(crate) fn task_not_found(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "task_not_found", format!("Task not found: {id}"))
}

/// The task has ended, and stays as it ended.
pub(crate) fn task_ended(id: &str, state: JobState) -> Problem {
    let ended = match state {
        JobState::Completed => "is completed already",
        JobState::Failed => "has failed already",
        JobState::Cancelled => "has been cancelled already",
        JobState::Queued | JobState::Running => "has not ended",
    };
    Problem::new(StatusCode::CONFLICT, "task_ended", format!("Task {id} {ended}"))
}

/// The task that is waited for was called off.
pub(crate) fn task_cancelled(id: &str) -> Problem {
    Problem::new(StatusCode::GONE, "task_cancelled", format!("Task {id} has been cancelled"))
}

/// The picture that is waited for could not be made.
pub(crate) fn image_failed(error: &JobError) -> Problem {
    let message = format!("Image generation failed: {}", error.message);
    match error.retryable {
        true => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "generation_failed", message).retry_after(FAILED_SECONDS),
        false => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "generation_failed", message),
    }
}

/// What was made waits for the disk, and is stored by itself as soon as that lets it.
pub(crate) fn held_up(fault: DiskFault) -> Problem {
    Problem::disk(fault, format!("The picture cannot be stored now: {fault}"))
}
