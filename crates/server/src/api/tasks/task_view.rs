//! Renders a job as a task: its state, its progress and the URLs of its files.
//!
//! It must not know requests; the caller supplies the base URL. The invariant: only a completed job has 100 %.

use std::time::SystemTime;

use generation::{
    ModelState,
    jobs::{Artifact, Job, JobState},
};
use jiff::{Timestamp, Unit};

use crate::{
    access::{Access, Caller},
    api::tasks::{
        metadata::TaskMetadata,
        parts_wire::TaskParts,
        summary_wire::TaskKind,
        task_summary,
        wire::{
            ModelWait, NativeOutput, SERVICE, Task, TaskError, TaskFile, TaskOutput, TaskResult, TaskStatus, VideoStatus, service_name,
        },
    },
};

/// The context for the links of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links<'a> {
    pub(crate) access: &'a Access,
    /// The server's URL as its reader reaches it, without a final slash.
    pub(crate) base_url: &'a str,
}

impl Links<'_> {
    /// The URL of a job's file.
    pub(crate) fn file(&self, job: &Job, name: &str) -> String {
        let owner = Caller::named(&job.owner);
        let path = self.access.link(&owner, &format!("/files/{}/{name}", job.id), SystemTime::now());
        format!("{}{path}", self.base_url)
    }

    /// The URL of something that belongs to a job, the same for a while, so that a browser's cache finds it again.
    pub(crate) fn stable(&self, job: &Job, path: &str) -> String {
        let path = self.access.stable_link(&Caller::named(&job.owner), path, SystemTime::now());
        format!("{}{path}", self.base_url)
    }

    /// The URL of a job's video.
    pub(crate) fn video(&self, job: &Job) -> Option<String> {
        self.first(job, "video/")
    }

    fn first(&self, job: &Job, kind: &str) -> Option<String> {
        let found = job.artifacts.iter().find(|artifact| artifact.media_type.starts_with(kind));
        found.map(|artifact| self.file(job, &artifact.name))
    }
}

/// The complete task.
pub(crate) fn task(job: &Job, links: Links<'_>) -> Task {
    Task {
        task_id: job.id.clone(),
        status: job.state.into(),
        progress: progress(job),
        created_at: time(job.created_at),
        updated_at: time(job.updated_at),
        completed_at: job.finished_at.map(time),
        result: result(job, links),
        error: job.error.as_ref().map(|error| TaskError::new(task_summary::kind(job) == TaskKind::Video, error)),
        message: message(job),
        queue_position: job.position,
        eta_seconds: eta(job),
        attempts: job.attempts,
        waits_for_model: job.waits_for.as_ref().map(|(name, state)| ModelWait {
            name: name.clone(),
            state: state.name().to_owned(),
            progress: share_of(state).map(percent),
        }),
        about: task_summary::about(job, links),
        // A request of another version may have another form.
        request: serde_json::from_value(job.metadata.request.clone()).ok(),
        parameters: job.outcome.as_ref().and_then(|outcome| outcome.parameters.first().cloned()),
    }
}

/// The task in the older route's format.
pub(crate) fn video_status(job: &Job, links: Links<'_>) -> VideoStatus {
    VideoStatus {
        task_id: job.id.clone(),
        status: job.state.into(),
        progress: progress(job),
        video_url: links.video(job),
        error: job.error.as_ref().map(|error| error.message.clone()),
        created_at: time(job.created_at),
        updated_at: time(job.updated_at),
    }
}

fn result(job: &Job, links: Links<'_>) -> Option<TaskResult> {
    let outcome = job.outcome.as_ref()?;
    let metadata = TaskMetadata::of(job);
    let is_video = outcome.frames > 0;
    let native = outcome.native.map(|native| NativeOutput { width: native.width, height: native.height, frames: Some(native.frames) });
    let native = native.or_else(|| metadata.native_size.map(|(width, height)| NativeOutput { width, height, frames: None }));
    let file = |artifact: &Artifact| TaskFile {
        name: artifact.name.clone(),
        url: links.file(job, &artifact.name),
        media_type: artifact.media_type.clone(),
        bytes: artifact.bytes,
        sha256: artifact.sha256.clone(),
        expired: artifact.expired,
    };
    let output = TaskOutput {
        video_url: links.video(job),
        image_url: links.first(job, "image/"),
        files: job.artifacts.iter().map(file).collect(),
        width: outcome.width,
        height: outcome.height,
        frames: is_video.then_some(outcome.frames),
        fps: is_video.then(|| outcome.fps.clone()),
        native,
        seed: if job.remote.is_some() { metadata.seed } else { Some(outcome.seed) },
        parts: outcome.parts.map(|parts| TaskParts { made: parts.made, reused: parts.reused }),
        prompt_truncated: outcome.truncated,
        remarks: metadata.notes.remarks,
        ignored_fields: metadata.notes.ignored_fields,
    };
    let service = job.remote.as_ref().map_or(SERVICE, |remote| service_name(&remote.provider));
    Some(TaskResult { service: service.to_owned(), result: output, duration: rounded(outcome.seconds) })
}

/// The progress in whole percent; 100 only once the job is completed.
pub(crate) fn progress(job: &Job) -> u32 {
    match job.state {
        JobState::Completed => 100,
        JobState::Queued | JobState::Running | JobState::Failed | JobState::Cancelled => ((job.progress.share * 100.0) as u32).min(99),
    }
}

/// A sentence about the job's state.
pub(crate) fn message(job: &Job) -> String {
    if let Some(damage) = &job.damage {
        return damage.clone();
    }
    if let Some(fault) = job.blocked_by {
        return format!("Waiting: {fault}; the task continues when that is fixed");
    }
    if let Some((name, state)) = &job.waits_for {
        return match share_of(state) {
            Some(share) => format!("Its model {name} is being loaded: {} %", percent(share)),
            None => format!("Waiting for its model {name} to be loaded"),
        };
    }
    match (job.state, job.position) {
        (JobState::Queued, Some(0)) => "Next in the queue".to_owned(),
        (JobState::Queued, Some(before)) => format!("{before} before it in the queue"),
        (JobState::Queued, None) => "Waiting".to_owned(),
        (JobState::Running, _) => format!("{} % done", progress(job)),
        (JobState::Completed, _) => "Completed".to_owned(),
        (JobState::Failed, _) => job.error.as_ref().map_or_else(|| "Failed".to_owned(), |error| error.message.clone()),
        (JobState::Cancelled, _) => "Cancelled".to_owned(),
    }
}

/// The share of a model that has been loaded, if it is loading.
fn share_of(state: &ModelState) -> Option<f64> {
    if let ModelState::Loading { share } = state { Some(*share) } else { None }
}

/// A share of 0 to 1 in whole percent.
fn percent(share: f64) -> u32 {
    (share * 100.0) as u32
}

/// The estimated seconds until it is done.
pub(crate) fn eta(job: &Job) -> Option<f64> {
    job.eta.map(|eta| rounded(eta.as_secs_f64()))
}

/// Rounded to milliseconds, the precision of a measurement.
pub(crate) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// RFC 3339 in UTC, with Z, to the millisecond.
pub(crate) fn time(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    // Rounding fails only at the limits of the time range.
    time.round(Unit::Millisecond).unwrap_or(time).to_string()
}

/// The status of a state.
pub(crate) fn status(state: JobState) -> TaskStatus {
    state.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_end_in_z() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_768_127_400_000);
        assert_eq!(time(at), "2026-01-11T10:30:00Z");
        assert_eq!(time(at + Duration::from_micros(250_400)), "2026-01-11T10:30:00.25Z");
    }
}
