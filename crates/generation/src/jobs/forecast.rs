//! Jobs as their owner sees them: their rows, and what is known beside those while they have not ended.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{DiskFault, active::ActiveJob, inner::Inner, record::Job, state::JobState};
use crate::{
    backend::local::{model::ModelState, pool::ModelView},
    dispatch::{BackendSet, Forecast, FreeSlot},
};

/// Below this share of a job the time that it took so far says little of the rest.
const TELLING_SHARE: f64 = 0.02;

/// How the backends and the queue stand at one moment.
pub(super) struct QueueForecast {
    now: SystemTime,
    /// Mean duration of recent jobs.
    usual: Option<Duration>,
    active: HashMap<String, ActiveJob>,
    models: Vec<ModelView>,
    /// The jobs that the disk keeps from going on, and why.
    held_up: HashMap<String, DiskFault>,
    /// Of each waiting job, by its number in the queue: how many are served before it, and the time until it is done.
    waiting: Forecast,
    /// When each slot is free behind all of those.
    free: Vec<FreeSlot>,
}

impl QueueForecast {
    pub(super) fn of(inner: &Inner) -> Self {
        let active = inner.active.lock().clone();
        let usual = inner.dispatcher.usual_time();
        let (waiting, free) = (HashMap::new(), Vec::new());
        let models = inner.local.models();
        let mut forecast = Self { now: inner.now(), usual, active, models, held_up: inner.waits.all(), waiting, free };
        let by_number: HashMap<u64, &ActiveJob> = forecast.active.values().map(|job| (job.number, job)).collect();
        let (waiting, free) = inner.dispatcher.forecast(
            |number| by_number.get(&number).map_or(usual, |job| forecast.time_left(job)),
            |number| by_number.get(&number).map_or(usual, |job| forecast.needed(job)),
        );
        (forecast.waiting, forecast.free) = (waiting, free);
        forecast
    }

    /// When a job would be done that came in now behind all others and took so long; `None` where that is not known.
    pub(super) fn next(&self, backends: BackendSet, takes: Duration) -> Option<Duration> {
        let open = self.free.iter().filter(|(backend, _)| backends.contains(*backend));
        // A time that is not known is later than every one that is.
        open.map(|(_, free)| *free).min_by_key(|free| free.unwrap_or(Duration::MAX))?.map(|free| free + takes)
    }

    /// The job with its progress, its place in the queue, and the time until it is done.
    pub(super) fn seen(&self, mut job: Job) -> Job {
        if job.state.is_final() {
            return job;
        }
        job.held_up_by = self.held_up.get(&job.id).copied();
        let Some(active) = self.active.get(&job.id) else { return job };
        job.waits_for = self.waits_for(active);
        if job.state == JobState::Running {
            let progress = *active.progress.borrow();
            if progress.started {
                // Of a job that was resumed, more was done once than is done again so far.
                let share = progress.share.max(job.progress.share);
                job.progress = progress;
                job.progress.share = share;
            }
            job.eta = self.time_left(active);
        } else if let Some((position, until)) = self.waiting.get(&active.number) {
            (job.position, job.eta) = (Some(*position), *until);
        }
        job
    }

    /// The model that a local job waits for, and where that stands. One that is not loaded yet is queued for it.
    fn waits_for(&self, active: &ActiveJob) -> Option<(String, ModelState)> {
        if active.is_remote() || active.progress.borrow().started {
            return None;
        }
        let is_its = |view: &&ModelView| active.queued.model.as_ref().map_or(view.is_default, |name| *name == view.name);
        let view = self.models.iter().find(is_its)?;
        let state = match view.state {
            ModelState::Ready => return None,
            ModelState::Loading { share } => ModelState::Loading { share },
            ModelState::Unloaded | ModelState::Queued | ModelState::Failed { .. } => ModelState::Queued,
        };
        Some((view.name.clone(), state))
    }

    /// The time that a running job still takes: by how far it came in how long, or by what was expected of it.
    fn time_left(&self, job: &ActiveJob) -> Option<Duration> {
        let (began, share_then) = job.began?;
        let took = self.now.duration_since(began).unwrap_or_default();
        let share = job.progress.borrow().share;
        if share - share_then > TELLING_SHARE {
            return Duration::try_from_secs_f64(took.as_secs_f64() * (1.0 - share).max(0.0) / (share - share_then)).ok();
        }
        Some(self.needed(job)?.saturating_sub(took))
    }

    fn needed(&self, job: &ActiveJob) -> Option<Duration> {
        // What is usual here says nothing of a provider.
        if job.is_remote() { job.expected } else { job.expected.or(self.usual) }
    }
}
