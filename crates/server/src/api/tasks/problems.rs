//! The Tasks API's format of problems, an `error` object beside FastAPI's `detail`; and problems that only tasks have.

use actix_web::http::StatusCode;
use generation::jobs::{DiskFault, JobState};
use serde_json::{Value, json};

use crate::{
    api::tasks::wire::{SERVICE, TaskErrorBody, TaskErrorObject, TaskValidationErrorBody, TaskValidationErrorObject, service_name},
    http::Problem,
};

/// There is no such task, or it belongs to another key.
pub(crate) fn task_not_found(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "task_not_found", format!("Task not found: {id}"))
}

/// The task has already ended, and is unchanged.
pub(crate) fn task_ended(id: &str, state: JobState) -> Problem {
    let ended = match state {
        JobState::Completed => "is completed already",
        JobState::Failed => "has failed already",
        JobState::Cancelled => "has been cancelled already",
        JobState::Queued | JobState::Running => "has not ended",
    };
    Problem::new(StatusCode::CONFLICT, "task_ended", format!("Task {id} {ended}"))
}

/// The task no longer waits, so that its priority means nothing.
pub(crate) fn task_not_waiting(id: &str, state: JobState) -> Problem {
    match state {
        JobState::Queued | JobState::Running => {
            Problem::new(StatusCode::CONFLICT, "task_not_waiting", format!("Task {id} runs already; only a waiting task has a priority"))
        }
        JobState::Completed | JobState::Failed | JobState::Cancelled => task_ended(id, state),
    }
}

/// The awaited task was cancelled.
pub(crate) fn task_cancelled(id: &str) -> Problem {
    Problem::new(StatusCode::GONE, "task_cancelled", format!("Task {id} has been cancelled"))
}

/// The finished picture waits for the disk, and is stored as soon as the disk permits.
pub(crate) fn held_up(fault: DiskFault) -> Problem {
    Problem::disk(fault, format!("The picture cannot be stored now: {fault}"))
}

/// The body of a problem, in the vocabulary of the service that these clients expect.
pub(crate) fn render(problem: &Problem) -> Value {
    let code = match (problem.code, problem.status.as_u16()) {
        ("task_not_found", _) => "TASK_NOT_FOUND",
        ("model_not_found", _) => "MODEL_NOT_FOUND",
        ("task_cancelled", _) => "TASK_CANCELLED",
        ("over_budget", _) => "BUDGET_EXCEEDED",
        (_, 422) => "VALIDATION_ERROR",
        (_, 429) => "RATE_LIMIT_EXCEEDED",
        (_, 500) => "INTERNAL_ERROR",
        (_, 502 | 503) => "SERVICE_ERROR",
        _ => "HTTP_ERROR",
    };
    let (code, message) = (code.to_owned(), problem.message.clone());
    let body = match problem.fields.as_slice() {
        [] => {
            let details = match (problem.budget(), code.as_str()) {
                (Some(budget), _) => json!(budget),
                (None, "SERVICE_ERROR") => {
                    let service = problem.about.as_ref().and_then(|about| about.service).map_or(SERVICE, service_name);
                    json!({"service": service, "retryable": problem.status != StatusCode::BAD_GATEWAY})
                }
                (None, _) => json!({}),
            };
            serde_json::to_value(TaskErrorBody { detail: message.clone(), error: TaskErrorObject { code, message, details } })
        }
        fields => {
            let (detail, details) = (fields.to_vec(), fields.to_vec());
            serde_json::to_value(TaskValidationErrorBody { detail, error: TaskValidationErrorObject { code, message, details } })
        }
    };
    // They contain nothing that JSON cannot represent.
    body.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_stays_beside_the_error() {
        let error = json!({"code": "TASK_NOT_FOUND", "message": "Task not found: a", "details": {}});
        assert_eq!(render(&task_not_found("a")), json!({"detail": "Task not found: a", "error": error}));
        let fault = crate::inputs::faults::detail("missing", vec!["body".into(), "image".into()], "Field required".into(), Value::Null);
        let faults = json!([fault]);
        let error = json!({"code": "VALIDATION_ERROR", "message": "Request validation failed", "details": faults});
        assert_eq!(render(&Problem::invalid(vec![fault])), json!({"detail": faults, "error": error}));
        assert_eq!(render(&held_up(DiskFault::Full))["error"]["details"], json!({"service": "local", "retryable": true}));
        assert_eq!(render(&Problem::method_not_allowed("GET".into()))["error"]["code"], "HTTP_ERROR");
        assert_eq!(render(&task_cancelled("a"))["error"]["code"], "TASK_CANCELLED");
        assert_eq!(render(&Problem::not_found())["error"]["code"], "HTTP_ERROR");
    }
}
