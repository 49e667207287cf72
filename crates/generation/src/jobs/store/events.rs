//! The events and failures that every job store writes, so that all write the same.
//!
//! It must not know where they are stored.

use serde_json::{Value, json};

use crate::{
    backend::RemoteRecord,
    jobs::{
        record::{JobError, JobErrorKind, RemoteJob},
        state::{JobState, Transition},
    },
    work::Priority,
};

/// Why a job that ran when the program exited waits again.
pub(super) const RESTARTED: &str = "the server was restarted";
/// Why a job whose worker stopped renewing its lease waits again.
pub(super) const LEASE_EXPIRED: &str = "its worker's lease expired";

/// The kind of the event that announces a transition to a state.
pub(super) const fn kind(transition: Transition, next: JobState) -> &'static str {
    match transition {
        Transition::Start => "started",
        Transition::Requeue => "requeued",
        Transition::Complete | Transition::Fail | Transition::Cancel => next.name(),
    }
}

/// The state that an event of this kind announces; `None` for events without a transition.
pub(super) fn announces(kind: &str) -> Option<JobState> {
    match kind {
        "queued" | "requeued" => Some(JobState::Queued),
        "started" => Some(JobState::Running),
        "progress" | "part" | "priority" | "routed" | "remote" => None,
        end => end.parse().ok(),
    }
}

/// The data of "started": the number of the attempt, from 1.
pub(super) fn attempt(attempt: u32) -> Value {
    json!({ "attempt": attempt })
}

/// The data of "requeued".
pub(super) fn reason(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// The data of "priority".
pub(super) fn priority(priority: Priority) -> Value {
    json!({ "priority": priority.name() })
}

/// The data of "routed": the model that makes a job instead of a local one.
pub(super) fn routed(model: &str) -> Value {
    json!({ "model": model, "instead_of": "local" })
}

/// The data of "remote": the provider, and its id of the job.
pub(super) fn remote(provider: &str, id: &str) -> Value {
    json!({ "provider": provider, "id": id })
}

/// A remote job for its readers.
pub(super) fn remote_job(provider: String, record: Option<&RemoteRecord>) -> RemoteJob {
    let id = record.and_then(|record| record.id()).map(str::to_owned);
    RemoteJob { provider, id, prompt: record.and_then(|record| record.prompt.clone()) }
}

/// The data of "completed": the names of the files.
pub(super) fn files<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    json!({ "files": names.collect::<Vec<_>>() })
}

/// The data of "failed".
pub(super) fn failure(error: &JobError) -> Value {
    json!({ "kind": error.kind.name(), "message": error.message, "retryable": error.retryable })
}

/// The failure of a job that was claimed too often without progress.
pub(super) fn crashed(idle: u32, percent: u32) -> JobError {
    let message = format!("the server went down {idle} times while it worked on this, each time at {percent} %");
    JobError { kind: JobErrorKind::Crashed, message, retryable: false }
}

/// The failure of a job whose row cannot be read any more.
pub(super) fn unreadable(message: String) -> JobError {
    JobError { kind: JobErrorKind::Internal, message, retryable: false }
}
