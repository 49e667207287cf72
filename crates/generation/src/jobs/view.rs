//! A job as its owner sees it: its row, and what is known beside it while it has not ended.

use std::time::{Duration, SystemTime};

use super::{
    record::{Job, Work},
    service::{Inner, Live},
    state::JobState,
};
use crate::{Engine, video::VideoSpec};

/// Below this share of a job the time that it took so far says little of the rest.
const TELLING_SHARE: f64 = 0.02;

/// How long the device will need for a job, where something like it was measured.
pub(super) fn expected(engine: &Engine, work: &Work) -> Option<Duration> {
    match work {
        Work::Video(VideoSpec::Scenes(spec)) => engine.timings().estimate(spec),
        Work::Video(VideoSpec::Clip(spec)) => engine.timings().clip(spec),
        Work::Video(VideoSpec::Animation(_)) | Work::Pictures(_) => None,
    }
}

/// The job with its progress, its place in the queue, and the time until it is done.
pub(super) fn seen(inner: &Inner, mut job: Job) -> Job {
    let live = inner.live().get(&job.id).cloned();
    let Some(live) = live.filter(|_| !job.state.is_final()) else { return job };
    if job.state == JobState::Running {
        let progress = *live.progress.borrow();
        if progress.started {
            job.progress = progress;
        }
        job.eta = time_left(inner, &live);
        return job;
    }
    let order = inner.engine.order();
    job.position = order.iter().position(|id| *id == live.engine_id);
    job.eta = job.position.and_then(|position| time_until_done(inner, order.get(..=position)?));
    job
}

/// The time that a running job still takes: by how far it came in how long, or by what was expected of it.
fn time_left(inner: &Inner, live: &Live) -> Option<Duration> {
    let (began, share_then) = live.began?;
    let (share, took) = (live.progress.borrow().share, since(inner.now(), began));
    if share - share_then > TELLING_SHARE {
        return Duration::try_from_secs_f64(took.as_secs_f64() * (1.0 - share).max(0.0) / (share - share_then)).ok();
    }
    Some(needed(inner, live)?.saturating_sub(took))
}

fn needed(inner: &Inner, live: &Live) -> Option<Duration> {
    live.expected.or_else(|| inner.engine.usual_time())
}

/// The time until the last of these jobs, which are served one after another, is done.
fn time_until_done(inner: &Inner, jobs: &[u64]) -> Option<Duration> {
    let all: Vec<Live> = inner.live().values().cloned().collect();
    let running = all.iter().find(|live| live.began.is_some() && !jobs.contains(&live.engine_id));
    let mut sum = running.map_or(Some(Duration::ZERO), |live| time_left(inner, live))?;
    for id in jobs {
        // What is not stored is somebody's held request, about which nothing else is known here.
        let live = all.iter().find(|live| live.engine_id == *id);
        sum += live.map_or_else(|| inner.engine.usual_time(), |live| needed(inner, live))?;
    }
    Some(sum)
}

fn since(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}
