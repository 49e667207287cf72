//! Shared state of all job modules: the stores, the dispatcher, and the unfinished jobs.
//!
//! It must not know who supervises a job.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Instant, SystemTime},
};

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, broadcast, watch};

use super::{
    DiskFault,
    active::{ActiveJob, ActiveJobs},
    artifacts::ArtifactStore,
    changes::Changes,
    deletions::ForgottenJob,
    disk_waits::{self, DiskWaits},
    error::StoreError,
    forecast::QueueForecast,
    held::HeldJobs,
    provider_counts::ProviderCounts,
    record::{Durability, Job},
    scratch::Scratch,
    settings::JobsSettings,
    store::{JobStore, MemoryStore, PendingCancel},
};
use crate::{
    backend::{BackendError, local::LocalBackend, parts::store::PartStore},
    dispatch::Dispatcher,
};

/// How many jobs start at once: each occupies a thread while it waits for the disk, and after a restart a provider's jobs arrive by the
/// hundred.
pub(super) const STARTS: usize = 8;

#[derive(Debug)]
pub(super) struct Inner {
    /// The stored jobs, which outlive the program, and their files.
    pub(super) stored: Arc<dyn JobStore>,
    pub(super) files: Arc<dyn ArtifactStore>,
    /// Staging and journal folders; `None` if jobs can only be held.
    pub(super) scratch: Option<Scratch>,
    /// Parts of videos of scenes; `None` if jobs can only be held.
    pub(super) parts: Option<Arc<PartStore>>,
    /// The held jobs, and their results.
    pub(super) held: MemoryStore,
    pub(super) held_jobs: HeldJobs,
    pub(super) local: LocalBackend,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) settings: JobsSettings,
    /// The unfinished jobs.
    pub(super) active: ActiveJobs,
    /// Jobs that the disk holds up.
    pub(super) waits: DiskWaits,
    /// The last refusal of the disk, cached for the waiting jobs that probe it again and again.
    pub(super) no_room: Mutex<Option<(Instant, DiskFault)>>,
    pub(super) changes: Changes,
    /// Tells of jobs that were deleted: their events went with them.
    pub(super) forgotten: broadcast::Sender<ForgottenJob>,
    /// How providers' jobs ended.
    pub(super) provider_counts: ProviderCounts,
    /// Changes whenever a job leaves its backend or ends.
    pub(super) endings: watch::Sender<()>,
    pub(super) stopping: watch::Sender<bool>,
    /// Whether held results are no longer delivered.
    pub(super) closed: watch::Sender<bool>,
    /// Acquired while a job starts.
    pub(super) starts: Semaphore,
    /// Held while a request with an idempotency key is submitted, so that a concurrent duplicate takes no second place in the queue.
    pub(super) naming: tokio::sync::Mutex<()>,
}

impl Inner {
    pub(super) fn now(&self) -> SystemTime {
        (self.settings.now)()
    }

    /// The store that keeps a job of this durability.
    pub(super) fn store_of(&self, durability: &Durability) -> &dyn JobStore {
        match durability {
            Durability::Held { .. } => &self.held,
            Durability::Stored => self.stored.as_ref(),
        }
    }

    /// Runs blocking work off the async threads.
    pub(super) async fn off_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(self);
        // Joining fails only if the runtime shuts down or the work panicked.
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| StoreError::ShuttingDown)?
    }

    pub(super) fn scratch(&self) -> Result<&Scratch, StoreError> {
        self.scratch.as_ref().ok_or(StoreError::NoFolder)
    }

    /// A job as its owner sees it now.
    pub(super) fn seen(&self, job: Job) -> Job {
        if job.state.is_final() { job } else { QueueForecast::of(self).seen(job) }
    }

    /// Whether running jobs are being stopped.
    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Drops the live state of a job that has ended, or that waits in the store for a restart.
    pub(super) fn forget(&self, id: &str) {
        self.waits.forget(id);
        self.active.lock().remove(id);
        self.changes.announce(id);
        self.endings.send_replace(());
    }

    /// Cancels a held job that no caller waits for: it leaves the queue at once, or stops at its next step, and its row is cancelled.
    pub(super) fn abandon(weak: &Weak<Self>, id: &str) {
        let Some(inner) = weak.upgrade() else { return };
        let Some(job) = inner.active.get(id) else { return };
        job.cancel.cancel();
        if inner.dispatcher.remove(job.number) {
            return inner.set_aside(&job);
        }
        // The memory store never blocks.
        let _cancelled = inner.held.cancel(&job.queued.owner, id).now_or_never();
        inner.changes.announce(id);
    }

    /// Gives up on a job that no backend will take: a held one ends, a stored one waits in the store for a restart.
    pub(super) fn set_aside(&self, job: &ActiveJob) {
        let id = &job.queued.id;
        if let Durability::Held { .. } = job.durability {
            // The memory store never blocks.
            let _cancelled = self.held.cancel(&job.queued.owner, id).now_or_never();
            self.held_jobs.end(id, Err(Arc::new(BackendError::Cancelled)), self.now());
        }
        self.forget(id);
    }

    /// Tells providers of cancelled jobs that they do not know of yet. Jobs that run here do so themselves.
    pub(super) async fn tell_providers(self: Arc<Self>) {
        let untold = match self.stored.pending_cancels().await {
            Ok(untold) => untold,
            Err(error) => return tracing::error!(%error, "cannot read which cancelled jobs providers still work on"),
        };
        for PendingCancel { job, provider, remote_id } in untold {
            let Some((_, backend)) = self.dispatcher.provider(&provider).filter(|_| self.active.get(&job).is_none()) else { continue };
            match backend.abandon(&remote_id).await {
                Ok(()) => self.told(&job).await,
                Err(error) => {
                    tracing::warn!(%job, %error, "could not tell the provider that the job is cancelled; the next start tries again")
                }
            }
        }
    }

    /// Persists that the provider knows of this job's cancellation.
    pub(super) async fn told(&self, job: &str) {
        if let Err(error) = self.stored.cancel_delivered(job).await {
            tracing::warn!(%job, %error, "could not persist that the provider knows of the cancellation; the next start tells it again");
        }
    }

    fn set_all_aside(&self, ids: Vec<String>) {
        ids.iter().filter_map(|id| self.active.get(id)).for_each(|job| self.set_aside(&job));
    }

    /// Handles the permanent loss of a backend: callers of held jobs that no other backend takes get an answer, and stored ones wait for a
    /// restart.
    pub(super) fn lose_backend(&self, backend: usize) {
        self.set_all_aside(self.dispatcher.lose(backend));
    }

    /// Accepts no more jobs, stops the running ones, and answers every waiting caller. Supervisors still persist how their jobs end.
    pub(super) fn close(&self) {
        self.stopping.send_replace(true);
        let waiting = self.dispatcher.close();
        self.closed.send_replace(true);
        self.active.lock().values().for_each(ActiveJob::stop);
        self.set_all_aside(waiting);
    }

    /// Whether there is space for another image, and for the finished jobs that wait.
    pub(super) async fn check_room(&self) -> Result<(), StoreError> {
        self.check_crowd()?;
        self.check_disk()?;
        match self.files.check_room().await {
            Err(error) if self.free_parts(error.fault()) => self.files.check_room().await,
            checked => checked,
        }
    }

    /// Fails if so many finished jobs wait to be stored that no more should be started.
    pub(super) fn check_crowd(&self) -> Result<(), StoreError> {
        self.waits.crowd().map_or(Ok(()), |(count, fault)| Err(StoreError::TooManyUnstored { count, fault }))
    }

    /// As [`Self::check_room`], for all jobs that wait for space: a refusal is cached for a moment.
    pub(super) async fn look_for_room(&self) -> Result<(), DiskFault> {
        // No code panics while it holds the lock.
        let no_room = || self.no_room.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, fault)) = *no_room()
            && at.elapsed() < disk_waits::FIRST
        {
            return Err(fault);
        }
        let looked = self.check_room().await.map_err(|error| error.fault());
        *no_room() = looked.err().map(|fault| (Instant::now(), fault));
        looked
    }

    /// The fake disk of tests.
    pub(super) fn check_disk(&self) -> Result<(), StoreError> {
        self.settings.fail_hook.disk().map_err(|source| StoreError::Folder { path: self.settings.folder.clone(), source })
    }
}
