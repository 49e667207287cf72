//! Jobs that the disk holds up: why, since when, and when each is tried again.
//!
//! It must not know engines or stores. Nothing of this is persisted: a waiting job is queued or running in the store, and after a restart
//! it meets the disk anew.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::DiskFault;

/// The first pause; each further one is twice as long, up to [`LONGEST`].
pub(super) const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// How long a finished job waits for its file to be stored: a whole day, so that an operator who frees space the next morning loses
/// nothing.
pub(super) const MOST: Duration = Duration::from_secs(24 * 3600);
/// How many finished jobs may wait: their images stay in memory until they are stored.
const MAX_FINISHED: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Wait {
    since: SystemTime,
    tries: u32,
    /// Why it waits; `None` during a retry.
    fault: Option<DiskFault>,
    /// Whether its result is finished and only has to be stored.
    is_made: bool,
}

/// The jobs, by id.
#[derive(Debug, Default)]
pub(super) struct DiskWaits(Mutex<HashMap<String, Wait>>);

impl DiskWaits {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Wait>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the disk refused a job; returns the pause until the next attempt.
    pub(super) fn refused(&self, job: &str, fault: DiskFault, now: SystemTime) -> Duration {
        let mut waits = self.lock();
        let wait = waits.entry(job.to_owned()).or_insert(Wait { since: now, tries: 0, fault: None, is_made: false });
        let again = FIRST.saturating_mul(2_u32.saturating_pow(wait.tries)).min(LONGEST);
        wait.tries = wait.tries.saturating_add(1);
        wait.fault = Some(fault);
        again
    }

    /// How long ago the disk first refused a job.
    pub(super) fn waited(&self, job: &str, now: SystemTime) -> Duration {
        self.lock().get(job).and_then(|wait| now.duration_since(wait.since).ok()).unwrap_or_default()
    }

    /// Records a retry of the job; if it fails, the wait continues where it was.
    pub(super) fn tried_again(&self, job: &str) {
        if let Some(wait) = self.lock().get_mut(job) {
            wait.fault = None;
        }
    }

    /// Records that a waiting job's result is finished.
    pub(super) fn is_made(&self, job: &str) {
        if let Some(wait) = self.lock().get_mut(job) {
            wait.is_made = true;
        }
    }

    /// If the limit of finished jobs that wait is reached: how many there are, and why one of them waits.
    pub(super) fn crowd(&self) -> Option<(usize, DiskFault)> {
        let waits = self.lock();
        let mut finished = waits.values().filter(|wait| wait.is_made).filter_map(|wait| wait.fault);
        let fault = finished.next()?;
        let count = finished.count() + 1;
        (count >= MAX_FINISHED).then_some((count, fault))
    }

    /// The job has ended, or the disk has accepted a whole run.
    pub(super) fn forget(&self, job: &str) {
        self.lock().remove(job);
    }

    /// Why a job waits; `None` if it does not.
    pub(super) fn of(&self, job: &str) -> Option<DiskFault> {
        self.lock().get(job).and_then(|wait| wait.fault)
    }

    /// Whether any job waits.
    pub(super) fn are_any(&self) -> bool {
        self.lock().values().any(|wait| wait.fault.is_some())
    }

    /// All waiting jobs, and why they wait.
    pub(super) fn all(&self) -> HashMap<String, DiskFault> {
        self.lock().iter().filter_map(|(job, wait)| Some((job.clone(), wait.fault?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_count_from_the_first_refusal() {
        let (waits, start) = (DiskWaits::default(), SystemTime::UNIX_EPOCH);
        let seconds: Vec<u64> = (0..8).map(|_| waits.refused("a", DiskFault::Full, start).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        waits.tried_again("a");
        assert_eq!((waits.of("a"), waits.are_any()), (None, false));
        let later = start + MOST;
        assert_eq!((waits.refused("a", DiskFault::Gone, later), waits.waited("a", later)), (LONGEST, MOST));
        assert_eq!(waits.of("a"), Some(DiskFault::Gone));
        waits.forget("a");
        assert!(waits.all().is_empty());
        assert_eq!((waits.refused("a", DiskFault::Full, later), waits.waited("a", later)), (FIRST, Duration::ZERO), "it counts anew");
    }

    #[test]
    fn only_finished_jobs_make_a_crowd() {
        let waits = DiskWaits::default();
        for job in ["a", "b", "c", "d", "e"] {
            waits.refused(job, DiskFault::Full, SystemTime::UNIX_EPOCH);
        }
        for job in ["a", "b", "c"] {
            waits.is_made(job);
        }
        assert_eq!(waits.crowd(), None);
        waits.is_made("d");
        assert_eq!(waits.crowd(), Some((4, DiskFault::Full)));
        waits.forget("a");
        assert_eq!(waits.crowd(), None);
    }
}
