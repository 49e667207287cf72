//! Jobs as their owner sees them: their rows, and what is known beside those while they have not ended.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{
    DiskFault,
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

/// How the device and its queue stand at one moment.
pub(super) struct Outlook {
    now: SystemTime,
    /// How long a job takes, by the recent ones.
    usual: Option<Duration>,
    live: HashMap<String, Live>,
    /// The jobs that the disk keeps from going on, and why.
    held_up: HashMap<String, DiskFault>,
    /// Of each waiting job, by its number in the engine: how many are served before it, and the time until it is done.
    waiting: HashMap<u64, (usize, Option<Duration>)>,
}

impl Outlook {
    pub(super) fn of(inner: &Inner) -> Self {
        let live = inner.live().clone();
        let mut outlook =
            Self { now: inner.now(), usual: inner.engine.usual_time(), live, held_up: inner.waits.all(), waiting: HashMap::new() };
        let by_number: HashMap<u64, &Live> = outlook.live.values().map(|live| (live.engine_id, live)).collect();
        // What is not stored is somebody's held request, about which nothing else is known here.
        let running = inner.engine.running();
        let mut until = match running.map(|id| by_number.get(&id)) {
            None => Some(Duration::ZERO),
            Some(None) => outlook.usual,
            Some(Some(live)) => outlook.time_left(live),
        };
        let mut waiting = HashMap::new();
        for (position, id) in inner.engine.order().into_iter().enumerate() {
            let needed = by_number.get(&id).map_or(outlook.usual, |live| outlook.needed(live));
            until = until.zip(needed).map(|(until, needed)| until + needed);
            waiting.insert(id, (position, until));
        }
        outlook.waiting = waiting;
        outlook
    }

    /// The job with its progress, its place in the queue, and the time until it is done.
    pub(super) fn seen(&self, mut job: Job) -> Job {
        if job.state.is_final() {
            return job;
        }
        job.held_up_by = self.held_up.get(&job.id).copied();
        let Some(live) = self.live.get(&job.id) else { return job };
        if job.state == JobState::Running {
            let progress = *live.progress.borrow();
            if progress.started {
                // Of a job that is gone on with, more was done once than is done again so far.
                let share = progress.share.max(job.progress.share);
                job.progress = progress;
                job.progress.share = share;
            }
            job.eta = self.time_left(live);
        } else if let Some((position, until)) = self.waiting.get(&live.engine_id) {
            (job.position, job.eta) = (Some(*position), *until);
        }
        job
    }

    /// The time that a running job still takes: by how far it came in how long, or by what was expected of it.
    fn time_left(&self, live: &Live) -> Option<Duration> {
        let (began, share_then) = live.began?;
        let took = self.now.duration_since(began).unwrap_or_default();
        let share = live.progress.borrow().share;
        if share - share_then > TELLING_SHARE {
            return Duration::try_from_secs_f64(took.as_secs_f64() * (1.0 - share).max(0.0) / (share - share_then)).ok();
        }
        Some(self.needed(live)?.saturating_sub(took))
    }

    fn needed(&self, live: &Live) -> Option<Duration> {
        live.expected.or(self.usual)
    }
}
