//! Renders a job as a video of OpenAI's API.

use actix_web::{HttpResponse, HttpResponseBuilder};
use generation::jobs::{Job, JobState, Outcome};

use super::{
    metadata::OpenAiVideoMetadata,
    wire::{OpenAiVideo, OpenAiVideoError},
};
use crate::api::{
    openai::models::seconds,
    tasks::task_view::{self, Links},
};

/// Tells `poll` of the clients how long to wait between two requests.
const POLL_AFTER: &str = "openai-poll-after-ms";
/// The bounds of that time, in milliseconds, and its default.
const POLL: (f64, f64) = (500.0, 5000.0);
const POLL_DEFAULT: f64 = 1000.0;

/// The video.
pub(super) fn video(job: &Job, links: Links<'_>) -> OpenAiVideo {
    let OpenAiVideoMetadata { model, prompt, seconds: wanted, size, seed, notes, remixed_from, by_service, .. } =
        OpenAiVideoMetadata::of(job);
    // A service may make another length than it was asked for.
    let length = job.outcome.as_ref().filter(|_| by_service).and_then(length).unwrap_or(wanted);
    let (width, height) = job.outcome.as_ref().map_or(size, |outcome| (outcome.width, outcome.height));
    let created_at = seconds(job.created_at);
    let error = match job.state {
        JobState::Failed => {
            job.error.as_ref().map(|error| OpenAiVideoError { code: error.kind.name().to_owned(), message: error.message.clone() })
        }
        JobState::Cancelled => Some(OpenAiVideoError { code: "cancelled".into(), message: "The video was cancelled".into() }),
        JobState::Queued | JobState::Running | JobState::Completed => None,
    };
    OpenAiVideo {
        id: job.id.clone(),
        object: "video",
        model: job.remote.as_ref().filter(|_| model == "local").map_or(model, |remote| remote.provider.clone()),
        status: status(job.state),
        progress: task_view::progress(job),
        created_at,
        created: created_at,
        completed_at: job.finished_at.map(seconds),
        expires_at: None,
        seconds: length.to_string(),
        size: format!("{width}x{height}"),
        prompt,
        remixed_from_video_id: remixed_from,
        error,
        video_url: links.video(job),
        seed,
        queue_position: job.position,
        eta_seconds: job.eta.map(|eta| task_view::rounded(eta.as_secs_f64())),
        remarks: notes.remarks,
        ignored_fields: notes.ignored_fields,
    }
}

/// The length of a finished video in seconds, if its frame rate is known.
fn length(outcome: &Outcome) -> Option<f64> {
    let (number, divisor) = outcome.fps.split_once('/').unwrap_or((&outcome.fps, "1"));
    let (number, divisor): (f64, f64) = (number.parse().ok()?, divisor.parse().ok()?);
    (outcome.frames > 0 && number > 0.0).then(|| task_view::rounded(outcome.frames as f64 * divisor / number))
}

/// The clients' word for a state.
pub(super) fn status(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Running => "in_progress",
        JobState::Completed => "completed",
        JobState::Failed | JobState::Cancelled => "failed",
    }
}

/// The answer with a video, and when to ask again if it is not done.
pub(super) fn answer(job: &Job, links: Links<'_>) -> HttpResponse {
    let mut head = HttpResponse::Ok();
    poll_after(&mut head, job);
    head.json(video(job, links))
}

fn poll_after(head: &mut HttpResponseBuilder, job: &Job) {
    if !job.state.is_final() {
        // A tenth of what is left: the clients keep the first value for all of their requests.
        let millis = job.eta.map_or(POLL_DEFAULT, |eta| (eta.as_secs_f64() * 100.0).clamp(POLL.0, POLL.1));
        head.insert_header((POLL_AFTER, (millis as u64).to_string()));
    }
}
