//! A task's summary: what it makes, and its first file; as an entry of a list, and as a part of the whole task.
//!
//! It must not know requests; the caller supplies the links. The invariant: a list needs nothing that is not in a job's row.

use std::time::SystemTime;

use generation::jobs::{Artifact, Job, JobState, WorkKind};

use crate::api::tasks::{
    metadata::TaskMetadata,
    summary_wire::{TaskAbout, TaskFileLink, TaskKind, TaskSummary},
    task_view::{self, Links},
};

/// The task as an entry of a list.
pub(crate) fn summary(job: &Job, links: Links<'_>) -> TaskSummary {
    TaskSummary {
        task_id: job.id.clone(),
        status: job.state.into(),
        progress: task_view::progress(job),
        created_at: task_view::time(job.created_at),
        updated_at: task_view::time(job.updated_at),
        completed_at: job.finished_at.map(task_view::time),
        message: task_view::message(job),
        queue_position: job.position,
        eta_seconds: task_view::eta(job),
        error: job.error.as_ref().map(|error| error.message.clone()),
        about: about(job, links),
    }
}

/// What the task makes, and its first file.
pub(crate) fn about(job: &Job, links: Links<'_>) -> TaskAbout {
    let (about, outcome) = (&job.about, job.outcome.as_ref());
    let frames = outcome.map(|outcome| outcome.frames).filter(|frames| *frames > 0);
    let made = outcome.zip(frames).and_then(|(outcome, frames)| Some(frames as f64 / rate(&outcome.fps)?));
    TaskAbout {
        kind: kind(job),
        prompt: about.prompt.clone(),
        model: about.model.clone(),
        width: outcome.map(|outcome| outcome.width).or(about.width),
        height: outcome.map(|outcome| outcome.height).or(about.height),
        seed: seed(job),
        priority: job.own_priority.into(),
        frames: frames.or(about.frames),
        duration_seconds: made.or(about.seconds).map(task_view::rounded),
        elapsed_seconds: elapsed(job).map(task_view::rounded),
        file: job.artifacts.first().map(|file| TaskFileLink {
            name: file.name.clone(),
            url: links.stable(job, &format!("/files/{}/{}", job.id, file.name)),
            media_type: file.media_type.clone(),
            bytes: file.bytes,
            expired: file.expired,
        }),
        thumbnail_url: job
            .artifacts
            .iter()
            .find(|file| is_shown(file))
            .map(|_| links.stable(job, &format!("/api/v1/tasks/{}/thumbnail", job.id))),
    }
}

/// The seed; `None` if a service draws its own.
pub(crate) fn seed(job: &Job) -> Option<u64> {
    let made = job.outcome.as_ref().filter(|_| job.remote.is_none()).map(|outcome| outcome.seed);
    made.or(job.about.seed).or_else(|| TaskMetadata::of(job).seed)
}

/// Why and when a job failed, and what it should have made.
pub(crate) struct Failure {
    pub(crate) at: String,
    pub(crate) kind: TaskKind,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Why a job failed; for a damaged row without its reason, that it did.
pub(crate) fn failure(job: &Job) -> Failure {
    let (code, message) = job.error.as_ref().map_or(("internal", "Failed"), |error| (error.kind.name(), error.message.as_str()));
    let at = task_view::time(job.finished_at.unwrap_or(job.updated_at));
    Failure { at, kind: kind(job), code: code.to_owned(), message: message.to_owned() }
}

/// Whether a small picture of the file can be shown: it is a picture or a video, and still there.
pub(crate) fn is_shown(file: &Artifact) -> bool {
    !file.expired && (file.media_type.starts_with("image/") || file.media_type.starts_with("video/"))
}

/// What the job makes. For a damaged row only the id shows it.
pub(crate) fn kind(job: &Job) -> TaskKind {
    let by_id = if job.id.starts_with("img_") { WorkKind::Image } else { WorkKind::Video };
    job.about.kind.unwrap_or(by_id).into()
}

/// Frames per second, by a number or a fraction as a text.
fn rate(text: &str) -> Option<f64> {
    let (number, divisor) = text.split_once('/').unwrap_or((text, "1"));
    let (number, divisor): (f64, f64) = (number.parse().ok()?, divisor.parse().ok()?);
    Some(number / divisor).filter(|rate| rate.is_finite() && *rate > 0.0)
}

/// The seconds spent on a job: those of its last attempt, or those since its start.
fn elapsed(job: &Job) -> Option<f64> {
    match (&job.outcome, job.state) {
        (Some(outcome), _) => Some(outcome.seconds),
        (None, JobState::Queued) => None,
        (None, JobState::Running | JobState::Completed | JobState::Failed | JobState::Cancelled) => {
            let until = job.finished_at.unwrap_or_else(SystemTime::now);
            Some(until.duration_since(job.started_at?).unwrap_or_default().as_secs_f64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_a_fraction() {
        assert_eq!([rate("24"), rate("30000/1001"), rate(""), rate("1/0")], [Some(24.0), Some(30_000.0 / 1001.0), None, None]);
    }
}
