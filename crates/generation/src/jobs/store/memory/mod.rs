//! Jobs in memory, for held jobs: they end with the program.
//!
//! It must not know backends, files or HTTP. No call blocks while it holds the lock. Stricter than the contract: a worker's write is an
//! error if no claim returned its epoch, or if progress decreases within an epoch.

mod deliveries;
mod spend;
mod table;

use std::{
    collections::btree_map::Entry,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use self::table::{Jobs, Row};
use super::{
    Claimed, JobIds, JobStore, KeptFile, LEASE, Lease, OwnerEvents, PendingCancel, ProgressRecord, QueuedJob, Stats, Synced,
    events::{self, RESTARTED},
};
use crate::{
    backend::RemoteRecord,
    jobs::{
        error::{StoreError, SubmitError},
        month::Month,
        record::{Artifact, Cancelled, Delivery, Idempotency, Inserted, Job, JobError, JobEvent, NewJob, Outcome, Page, Reordered},
        spend::{Booking, Charge, Usage},
        state::{JobState, Transition},
    },
    work::{Priority, folded},
};
use async_trait::async_trait;

/// The store.
#[derive(Debug)]
pub struct MemoryStore {
    now: fn() -> SystemTime,
    jobs: Mutex<Jobs>,
}

impl MemoryStore {
    /// An empty store. Numbers of jobs, events and messages begin at `first`: with 2^62, its jobs sort after any on disk in merged lists,
    /// and its message ids differ from those on disk.
    pub fn new(now: fn() -> SystemTime, first: i64) -> Self {
        Self { now, jobs: Mutex::new(Jobs::new(first)) }
    }

    /// Removes jobs that are too old; returns the rest, and the time.
    fn lock(&self) -> (MutexGuard<'_, Jobs>, SystemTime) {
        // No code panics while it holds the lock.
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)();
        jobs.forget_old(now);
        (jobs, now)
    }

    /// Damages a row for a test.
    #[cfg(test)]
    fn tear(&self, id: &str, fault: impl FnOnce(&mut table::Row)) {
        let (mut jobs, _) = self.lock();
        fault(jobs.row_mut(id).unwrap_or_else(|| panic!("no job {id}")));
    }
}

#[async_trait]
impl JobStore for MemoryStore {
    async fn insert(&self, new: NewJob, booking: Option<Booking>, _until: Instant) -> Result<Inserted, SubmitError> {
        let (mut jobs, now) = self.lock();
        jobs.insert(new, booking, now)
    }

    async fn find_replay(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError> {
        self.lock().0.replay(owner, name)
    }

    async fn recover(&self) -> Result<Vec<QueuedJob>, StoreError> {
        let (mut jobs, now) = self.lock();
        let running = jobs.by_number.values().filter(|row| row.job.state == JobState::Running);
        for id in running.map(|row| row.job.id.clone()).collect::<Vec<_>>() {
            jobs.transit(&id, Transition::Requeue, events::reason(RESTARTED), now);
        }
        let queued = jobs.by_number.values().filter(|row| row.job.state == JobState::Queued).map(|row| QueuedJob {
            id: row.job.id.clone(),
            owner: row.job.owner.clone(),
            priority: row.job.priority,
            own_priority: row.job.own_priority,
            parts: row.job.progress.parts,
            provider: row.job.remote.as_ref().map(|remote| remote.provider.clone()),
            model: row.work.as_ref().and_then(|work| work.model().map(str::to_owned)),
        });
        Ok(queued.collect())
    }

    async fn claim(&self, id: &str, _worker: &str, most_idle: u32) -> Result<Claimed, StoreError> {
        let (mut jobs, now) = self.lock();
        Ok(jobs.claim(id, most_idle, now))
    }

    async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let (mut jobs, now) = self.lock();
        let held = jobs.held_by(lease)?.and_then(|row| row.held.as_mut());
        Ok(held.map(|held| held.until = now + LEASE).is_some())
    }

    async fn record_progress(&self, lease: &Lease, progress: ProgressRecord, _synced: Synced) -> Result<bool, StoreError> {
        let (mut jobs, now) = self.lock();
        jobs.record_progress(lease, progress, now)
    }

    async fn record_remote(&self, lease: &Lease, record: &RemoteRecord, _: Synced) -> Result<bool, StoreError> {
        let (mut jobs, now) = self.lock();
        jobs.record_remote(lease, record, now)
    }

    async fn complete(&self, lease: &Lease, outcome: &Outcome, files: &[Artifact]) -> Result<bool, StoreError> {
        let (mut jobs, now) = self.lock();
        jobs.complete(lease, outcome, files, now)
    }

    async fn fail(&self, lease: &Lease, error: &JobError, charge: Charge) -> Result<bool, StoreError> {
        let (mut jobs, now) = self.lock();
        let held = jobs.held_by(lease)?.map(|row| row.job.number);
        if let (Some(number), Charge::Never) = (held, charge) {
            jobs.spend.settle(number, false);
        }
        Ok(held.is_some() && jobs.fail(&lease.job, error, now))
    }

    async fn release(&self, lease: &Lease, reason: &str) -> Result<bool, StoreError> {
        let (mut jobs, now) = self.lock();
        let Some(row) = jobs.held_by(lease)? else { return Ok(false) };
        row.idle_attempts = row.idle_attempts.saturating_sub(1);
        Ok(jobs.transit(&lease.job, Transition::Requeue, events::reason(reason), now))
    }

    async fn cancel(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError> {
        let (mut jobs, now) = self.lock();
        if jobs.owned(owner, id).is_none() {
            return Ok(Cancelled::Unknown);
        }
        let is_cancelled = jobs.cancel(id, now);
        let Some(row) = jobs.row(id) else { return Ok(Cancelled::Unknown) };
        Ok(if is_cancelled { Cancelled::Done(row.view()) } else { Cancelled::Finished(row.view()) })
    }

    async fn set_own_priority(&self, owner: &str, id: &str, priority: Priority) -> Result<Reordered, StoreError> {
        let (mut jobs, now) = self.lock();
        if jobs.owned(owner, id).is_none() {
            return Ok(Reordered::Unknown);
        }
        let is_done = jobs.set_own_priority(id, priority, now);
        let Some(row) = jobs.row(id) else { return Ok(Reordered::Unknown) };
        Ok(if is_done { Reordered::Done(row.view()) } else { Reordered::NotWaiting(row.view()) })
    }

    async fn pending_cancels(&self) -> Result<Vec<PendingCancel>, StoreError> {
        let (jobs, _) = self.lock();
        let untold = jobs.by_number.values().filter(|row| row.has_untold_cancel);
        let of = |row: &Row| {
            let remote = row.job.remote.as_ref()?;
            Some(PendingCancel { job: row.job.id.clone(), provider: remote.provider.clone(), remote_id: remote.id.clone()? })
        };
        Ok(untold.filter_map(of).collect())
    }

    async fn cancel_delivered(&self, id: &str) -> Result<(), StoreError> {
        if let Some(row) = self.lock().0.row_mut(id) {
            row.has_untold_cancel = false;
        }
        Ok(())
    }

    async fn state(&self, id: &str) -> Result<Option<JobState>, StoreError> {
        Ok(self.lock().0.row(id).map(|row| row.job.state))
    }

    async fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        Ok(self.lock().0.owned(owner, id).map(Row::view))
    }

    async fn find_remote(&self, owner: &str, remote_id: &str) -> Result<Option<Job>, StoreError> {
        let (jobs, _) = self.lock();
        let is_it = |row: &&Row| row.job.owner == owner && row.job.remote_id() == Some(remote_id);
        Ok(jobs.by_number.values().rev().find(is_it).map(Row::view))
    }

    async fn usage(&self, owner: Option<&str>, month: Month) -> Result<Vec<Usage>, StoreError> {
        Ok(self.lock().0.spend.usage(owner, month))
    }

    async fn list(&self, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError> {
        let (jobs, _) = self.lock();
        let words: Vec<String> = page.words.iter().map(|word| folded(word)).collect();
        let has_words = |row: &Row| {
            let prompt = row.job.about.prompt.as_deref().filter(|_| !words.is_empty()).map(folded);
            words.iter().all(|word| prompt.as_ref().is_some_and(|prompt| prompt.contains(word)))
        };
        let is_wanted = |row: &&Row| {
            row.job.owner == owner
                && (page.states.is_empty() || page.states.contains(&row.job.state))
                && page.work_kind.is_none_or(|kind| row.job.about.kind == Some(kind))
                && has_words(row)
                && page.kind.as_ref().is_none_or(|kind| row.job.metadata.kind == *kind)
                && page.beyond.is_none_or(|beyond| if page.newest_first { row.job.number < beyond } else { row.job.number > beyond })
        };
        let rows: Box<dyn Iterator<Item = &Row> + Send> =
            if page.newest_first { Box::new(jobs.by_number.values().rev()) } else { Box::new(jobs.by_number.values()) };
        Ok(rows.filter(is_wanted).take(page.limit).map(Row::view).collect())
    }

    async fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError> {
        let (jobs, _) = self.lock();
        let Some(row) = jobs.owned(owner, id) else { return Ok(None) };
        Ok(Some(row.events.iter().filter(|event| event.id > after).take(limit).cloned().collect()))
    }

    async fn owner_events(&self, owner: &str, after: i64, limit: usize) -> Result<OwnerEvents, StoreError> {
        Ok(self.lock().0.owner_events(owner, after, limit))
    }

    async fn last_event(&self) -> Result<i64, StoreError> {
        Ok(self.lock().0.next_event - 1)
    }

    async fn due_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let (jobs, now) = self.lock();
        Ok(jobs.due_deliveries(limit, now))
    }

    async fn delivery_tried(&self, id: i64, next: Option<SystemTime>, _reason: Option<&str>) -> Result<(), StoreError> {
        if let Entry::Occupied(mut entry) = self.lock().0.deliveries.entry(id) {
            let message = entry.get_mut();
            message.delivery.attempts += 1;
            message.due_at = next;
        }
        Ok(())
    }

    async fn kept_files(&self) -> Result<Vec<KeptFile>, StoreError> {
        let (jobs, _) = self.lock();
        let mut kept: Vec<KeptFile> = Vec::new();
        for job in jobs.by_number.values().map(|row| &row.job) {
            let finished_at = job.finished_at.unwrap_or(job.updated_at);
            let files = job.artifacts.iter().filter(|file| !file.expired);
            kept.extend(files.map(|file| KeptFile { job: job.id.clone(), name: file.name.clone(), bytes: file.bytes, finished_at }));
        }
        kept.sort_by_key(|file| file.finished_at);
        Ok(kept)
    }

    async fn file_removed(&self, id: &str, name: &str) -> Result<(), StoreError> {
        let (mut jobs, _) = self.lock();
        let file = jobs.row_mut(id).and_then(|row| row.job.artifacts.iter_mut().find(|file| file.name == name && !file.expired));
        if let Some(bytes) = file.map(|file| {
            file.expired = true;
            file.bytes
        }) {
            jobs.counts.removed(bytes);
        }
        Ok(())
    }

    async fn forget_before(&self, time: SystemTime) -> Result<usize, StoreError> {
        let (mut jobs, _) = self.lock();
        Ok(jobs.forget_before(time))
    }

    async fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.lock().0.forget_one(owner, id))
    }

    async fn ids(&self) -> Result<JobIds, StoreError> {
        let (jobs, _) = self.lock();
        let ids = |is_wanted: &dyn Fn(&Job) -> bool| {
            jobs.by_number.values().map(|row| &row.job).filter(|job| is_wanted(job)).map(|job| job.id.clone()).collect()
        };
        Ok(JobIds {
            known: ids(&|_| true),
            open: ids(&|job| !job.state.is_final()),
            with_files: ids(&|job| job.artifacts.iter().any(|file| !file.expired)),
        })
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(self.lock().0.counts.stats())
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn inconsistencies(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lock().0.inconsistencies())
    }
}

#[cfg(test)]
mod tests;
