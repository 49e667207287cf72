//! The state of unfinished jobs that is not in their rows.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use super::{record::Durability, store::QueuedJob};
use crate::{
    backend::{JobProgress, job::CancelSwitch, parts::PartReports},
    preview::PreviewSlot,
};

/// A job that waits or runs.
#[derive(Clone, Debug)]
pub(super) struct ActiveJob {
    /// What the queue needs to know about it.
    pub(super) queued: QueuedJob,
    pub(super) durability: Durability,
    /// Its number in the queue.
    pub(super) number: u64,
    pub(super) cancel: CancelSwitch,
    pub(super) progress: watch::Sender<JobProgress>,
    pub(super) previews: PreviewSlot,
    /// The finished parts of a video of scenes, until they are persisted.
    pub(super) parts: PartReports,
    /// When a backend started it, and its progress at that time.
    pub(super) began: Option<(SystemTime, f64)>,
    /// How long a backend will need, if there are timings of similar work.
    pub(super) expected: Option<Duration>,
}

impl ActiveJob {
    pub(super) fn new(queued: QueuedJob, durability: Durability, expected: Option<Duration>) -> Self {
        let progress = JobProgress { parts: queued.parts, ..JobProgress::default() };
        Self {
            queued,
            durability,
            number: 0,
            cancel: CancelSwitch::default(),
            progress: watch::Sender::new(progress),
            previews: PreviewSlot::default(),
            parts: PartReports::default(),
            began: None,
            expected,
        }
    }

    /// Stops a job because the program shuts down: a held one has no caller any more, a stored one continues after the restart.
    pub(super) fn stop(&self) {
        match self.durability {
            Durability::Held { .. } => self.cancel.cancel(),
            Durability::Stored => self.cancel.interrupt(),
        }
    }

    /// Whether it continues elsewhere while the program is down.
    pub(super) fn is_remote(&self) -> bool {
        self.queued.provider.is_some()
    }
}

/// All jobs that wait or run, by id.
#[derive(Debug, Default)]
pub(super) struct ActiveJobs(Mutex<HashMap<String, ActiveJob>>);

impl ActiveJobs {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, ActiveJob>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: &str) -> Option<ActiveJob> {
        self.lock().get(id).cloned()
    }
}
