//! What all parts of jobs share: the stores, the dispatcher, and what is known of the jobs that have not ended.
//!
//! It must not know who supervises a job.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Instant, SystemTime},
};

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, watch};

use super::{
    DiskFault,
    active::{ActiveJob, ActiveJobs},
    artifacts::ArtifactStore,
    changes::Changes,
    disk_waits::{self, DiskWaits},
    error::StoreError,
    forecast::QueueForecast,
    held::HeldJobs,
    provider_counts::ProviderCounts,
    record::{Durability, Job},
    scratch::Scratch,
    settings::JobsSettings,
    store::{JobStore, MemoryStore, UntoldCancel},
};
use crate::{
    backend::{BackendError, local::LocalBackend},
    dispatch::Dispatcher,
};

/// How many jobs are begun at once: each has a thread of its own while it waits for the disk, and after a restart a provider's jobs come by
/// the hundred.
pub(super) const STARTS: usize = 8;

#[derive(Debug)]
pub(super) struct Inner {
    /// The jobs that outlive the program, and their files.
    pub(super) stored: Arc<dyn JobStore>,
    pub(super) files: Arc<dyn ArtifactStore>,
    /// Where files are made before they are put; none where jobs can only be held.
    pub(super) scratch: Option<Scratch>,
    /// The jobs that somebody waits for, and their results.
    pub(super) held: MemoryStore,
    pub(super) held_jobs: HeldJobs,
    pub(super) local: LocalBackend,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) settings: JobsSettings,
    /// The jobs that have not ended.
    pub(super) active: ActiveJobs,
    /// Those that the disk keeps from going on.
    pub(super) waits: DiskWaits,
    /// When there last was no room, for those who look for it again and again.
    pub(super) no_room: Mutex<Option<(Instant, DiskFault)>>,
    pub(super) changes: Changes,
    /// How providers' jobs ended.
    pub(super) provider_counts: ProviderCounts,
    /// Changes whenever a job leaves its backend, or ends.
    pub(super) endings: watch::Sender<()>,
    pub(super) stopping: watch::Sender<bool>,
    /// Whether nobody's result is waited for any more.
    pub(super) closed: watch::Sender<bool>,
    /// Taken while a job is begun.
    pub(super) starts: Semaphore,
    /// Held while a request with a name of its own is taken: its twin, which comes at the same time, takes no second place meanwhile.
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

    /// Runs what blocks off the async threads.
    pub(super) async fn off_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(self);
        // It only fails where the runtime goes down, or the work panicked.
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| StoreError::ShuttingDown)?
    }

    pub(super) fn scratch(&self) -> Result<&Scratch, StoreError> {
        self.scratch.as_ref().ok_or(StoreError::NoFolder)
    }

    /// A job as its owner sees it now.
    pub(super) fn seen(&self, job: Job) -> Job {
        if job.state.is_final() { job } else { QueueForecast::of(self).seen(job) }
    }

    /// Whether jobs that run are being stopped.
    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// A job has ended, or waits in the store for the program's next life.
    pub(super) fn forget(&self, id: &str) {
        self.waits.forget(id);
        self.active.lock().remove(id);
        self.changes.announce(id);
        self.endings.send_replace(());
    }

    /// Nobody waits for a held job any more: it leaves the queue at once, or stops at its next step. Its row ends with it.
    pub(super) fn abandon(weak: &Weak<Self>, id: &str) {
        let Some(inner) = weak.upgrade() else { return };
        let Some(job) = inner.active.get(id) else { return };
        job.cancel.cancel();
        if inner.dispatcher.remove(job.number) {
            return inner.set_aside(&job);
        }
        // The memory store never waits.
        let _cancelled = inner.held.cancel(&job.queued.owner, id).now_or_never();
        inner.changes.announce(id);
    }

    /// A job that no backend will have any more: a held one ends here, and a stored one waits in the store for the program's next life.
    pub(super) fn set_aside(&self, job: &ActiveJob) {
        let id = &job.queued.id;
        if let Durability::Held { .. } = job.durability {
            // The memory store never waits.
            let _cancelled = self.held.cancel(&job.queued.owner, id).now_or_never();
            self.held_jobs.end(id, Err(Arc::new(BackendError::Cancelled)), self.now());
        }
        self.forget(id);
    }

    /// Tells providers of the cancelled jobs that they have not heard of. Those that run here tell them themselves.
    pub(super) async fn tell_providers(self: Arc<Self>) {
        let untold = match self.stored.untold_cancels().await {
            Ok(untold) => untold,
            Err(error) => return tracing::error!(%error, "which cancelled jobs providers still work on cannot be read"),
        };
        for UntoldCancel { job, provider, remote_id } in untold {
            let Some((_, backend)) = self.dispatcher.provider(&provider).filter(|_| self.active.get(&job).is_none()) else { continue };
            match backend.abandon(&remote_id).await {
                Ok(()) => self.told(&job).await,
                Err(error) => {
                    tracing::warn!(%job, %error, "its provider does not hear that it is cancelled; the next start tells it again")
                }
            }
        }
    }

    /// A provider knows that this job is cancelled.
    pub(super) async fn told(&self, job: &str) {
        if let Err(error) = self.stored.cancel_told(job).await {
            tracing::warn!(%job, %error, "its provider is told again at the next start that this job is cancelled");
        }
    }

    fn set_all_aside(&self, ids: Vec<String>) {
        ids.iter().filter_map(|id| self.active.get(id)).for_each(|job| self.set_aside(&job));
    }

    /// A backend will never work again: those who wait for jobs that no other takes are answered, and stored ones wait for the next life.
    pub(super) fn lose_backend(&self, backend: usize) {
        self.set_all_aside(self.dispatcher.lose(backend));
    }

    /// Takes no more jobs, stops those that run, and answers everyone who waits. Supervisors still persist what becomes of their jobs.
    pub(super) fn close(&self) {
        self.stopping.send_replace(true);
        let waiting = self.dispatcher.close();
        self.closed.send_replace(true);
        self.active.lock().values().for_each(ActiveJob::stop);
        self.set_all_aside(waiting);
    }

    /// Whether there is room for an image, and for those that are made already.
    pub(super) async fn check_room(&self) -> Result<(), StoreError> {
        self.check_crowd()?;
        self.check_disk()?;
        self.files.check_room().await
    }

    /// Fails where so many jobs that are made wait to be stored that no more should be made.
    pub(super) fn check_crowd(&self) -> Result<(), StoreError> {
        self.waits.crowd().map_or(Ok(()), |(count, fault)| Err(StoreError::Crowded { count, fault }))
    }

    /// As [`Self::check_room`], for all the jobs that wait for room: a refusal holds a moment for each of them.
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

    /// The disk of tests that refuses when it is told to.
    pub(super) fn check_disk(&self) -> Result<(), StoreError> {
        self.settings.fail_hook.disk().map_err(|source| StoreError::Folder { path: self.settings.folder.clone(), source })
    }
}
