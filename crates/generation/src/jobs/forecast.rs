//! Jobs as their owners see them: their rows, and for unfinished jobs the live progress and forecast.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{DiskFault, active::ActiveJob, inner::Inner, record::Job, state::JobState};
use crate::{
    backend::local::{model::ModelState, pool::ModelView},
    dispatch::{BackendSet, Forecast, FreeSlot},
};

/// Minimum progress from which the elapsed time predicts the rest of a job.
const MIN_SHARE_FOR_ETA: f64 = 0.02;

/// A snapshot of the backends and the queue.
pub(super) struct QueueForecast {
    now: SystemTime,
    /// Mean duration of recent jobs.
    usual: Option<Duration>,
    active: HashMap<String, ActiveJob>,
    models: Vec<ModelView>,
    /// The jobs that the disk holds up, and why.
    held_up: HashMap<String, DiskFault>,
    /// For each waiting job, by number in the queue: the jobs ahead of it, and the time until it is done.
    waiting: Forecast,
    /// When each slot is free after all of those.
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

    /// When a job would be done that arrived now and took this long; `None` if unknown.
    pub(super) fn next(&self, backends: BackendSet, takes: Duration) -> Option<Duration> {
        let open = self.free.iter().filter(|(backend, _)| backends.contains(*backend));
        // An unknown time sorts after every known one.
        open.map(|(_, free)| *free).min_by_key(|free| free.unwrap_or(Duration::MAX))?.map(|free| free + takes)
    }

    /// The job with its progress, its position in the queue, and the time until it is done.
    pub(super) fn seen(&self, mut job: Job) -> Job {
        if job.state.is_final() {
            return job;
        }
        job.blocked_by = self.held_up.get(&job.id).copied();
        let Some(active) = self.active.get(&job.id) else { return job };
        job.waits_for = self.waits_for(active);
        if job.state == JobState::Running {
            let progress = *active.progress.borrow();
            if progress.started {
                // A resumed job may not be as far again as it was before.
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

    /// The model that a local job waits for, and its state. A model that is not loaded yet counts as queued, because this job waits for it.
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

    /// The remaining time of a running job: extrapolated from its progress, or else its estimate minus the time so far.
    fn time_left(&self, job: &ActiveJob) -> Option<Duration> {
        let (began, share_then) = job.began?;
        let took = self.now.duration_since(began).unwrap_or_default();
        let share = job.progress.borrow().share;
        if share - share_then > MIN_SHARE_FOR_ETA {
            return Duration::try_from_secs_f64(took.as_secs_f64() * (1.0 - share).max(0.0) / (share - share_then)).ok();
        }
        Some(self.needed(job)?.saturating_sub(took))
    }

    fn needed(&self, job: &ActiveJob) -> Option<Duration> {
        // The mean of local jobs says nothing about a provider.
        if job.is_remote() { job.expected } else { job.expected.or(self.usual) }
    }
}
