//! All jobs: opening, queries, cancellation and shutdown.
//!
//! It must not know HTTP. Invariant: to an owner, other owners' jobs do not exist.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, watch};

use super::{
    active::{ActiveJob, ActiveJobs},
    artifacts::{ArtifactReader, ArtifactStore, FolderArtifacts, MemoryArtifacts},
    changes::Changes,
    deletions::forgotten_jobs,
    disk_waits::DiskWaits,
    error::{StoreError, SubmitError},
    fail_point::FailPoint,
    forecast::QueueForecast,
    held::{HeldJobs, KeepAlive},
    inner::{Inner, STARTS},
    parts, placing,
    provider_counts::{ProviderCounts, ProviderMetrics},
    record::{Artifact, Cancelled, Delivery, Durability, Idempotency, Job, JobEvent, Page},
    retention,
    scratch::Scratch,
    settings::JobsSettings,
    store::{JobStore, MemoryStore, SqliteStore, Stats},
    supervisor::{enqueue, pump},
};
use crate::{
    backend::{Backend, local::LocalBackend, parts::store::PartStore},
    dispatch::{Dispatcher, JobMetrics},
    preview::Previews,
};

/// The interval between sweeps of old files.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Held jobs sort after every stored one: their numbers, by which lists are ordered, begin here.
const FIRST_HELD: i64 = 1 << 62;

/// The stores of jobs, of their files, of what they need meanwhile, and of parts of videos.
pub(super) type Stores = (Arc<dyn JobStore>, Arc<dyn ArtifactStore>, Option<Scratch>, Option<Arc<PartStore>>);

/// All jobs; clones share them. When the last clone is dropped, running jobs stop at their next step, and the folder is released soon
/// after.
#[derive(Clone, Debug)]
pub struct Jobs {
    pub(super) inner: Arc<Inner>,
    last: Arc<LastHandle>,
}

/// Shared by the handles alone, while supervisors share its content for as long as their jobs run.
#[derive(Debug)]
struct LastHandle(Arc<Inner>);

impl Drop for LastHandle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Jobs {
    /// Opens the folder and resumes every unfinished job.
    ///
    /// # Errors
    /// [`StoreError`] if the folder or its database cannot be used, or another program uses it.
    pub async fn open(settings: JobsSettings, local: LocalBackend) -> Result<Self, StoreError> {
        Self::open_with(settings, local, Vec::new()).await
    }

    /// As [`Self::open`], with further backends in addition to this machine's device. A job goes to the first free backend that accepts it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(settings: JobsSettings, local: LocalBackend, others: Vec<Arc<dyn Backend>>) -> Result<Self, StoreError> {
        let scratch = Scratch::open(&settings.folder)?;
        let files = FolderArtifacts::open(&settings.folder)?;
        let mut jobs_with_files = files.jobs_with_files().await?;
        jobs_with_files.extend(scratch.jobs_with_journals()?);
        jobs_with_files.sort();
        jobs_with_files.dedup();
        let store = SqliteStore::open(&settings.folder, settings.now, &jobs_with_files)?;
        let waiting = store.recover().await?;
        settings.fail_hook.reached(FailPoint::Recovered);
        let ids = store.ids().await?;
        scratch.sweep(&ids.open, &ids.known)?;
        files.sweep(&ids.open.union(&ids.with_files).cloned().collect(), &ids.known).await?;
        let parts = Some(Arc::new(parts::open(&settings)));
        let jobs = Self::new(settings, local, others, (Arc::new(store), Arc::new(files), Some(scratch), parts));
        if !waiting.is_empty() {
            tracing::info!(jobs = waiting.len(), "resuming jobs of an earlier run");
        }
        for job in waiting {
            // Only a shutdown can refuse the job, and then it waits in the store for the next start.
            let backends = jobs.inner.dispatcher.all(job.provider.as_deref());
            if backends.is_empty() {
                tracing::warn!(job = %job.id, provider = job.provider, "its provider is not set up, so this job waits for a start with it");
            }
            let job = ActiveJob::new(job, Durability::Stored, None);
            let _waits_in_the_store: Result<(), SubmitError> = enqueue(&jobs.inner, job, backends, None);
        }
        tokio::spawn(Arc::clone(&jobs.inner).tell_providers());
        if let Err(error) = jobs.sweep().await {
            tracing::error!(%error, "old files could not be removed");
        }
        jobs.sweep_periodically();
        Ok(jobs)
    }

    /// Held jobs only, without a folder: for a command that waits for its result. Must be called inside a tokio runtime.
    pub fn held_only(settings: JobsSettings, local: LocalBackend) -> Self {
        let store = MemoryStore::new(settings.now, 1);
        Self::new(settings, local, Vec::new(), (Arc::new(store), Arc::new(MemoryArtifacts::default()), None, None))
    }

    pub(super) fn new(
        settings: JobsSettings,
        local: LocalBackend,
        others: Vec<Arc<dyn Backend>>,
        (stored, files, scratch, parts): Stores,
    ) -> Self {
        let mut backends: Vec<Arc<dyn Backend>> = vec![Arc::new(local.clone())];
        backends.extend(others);
        let dispatcher = Dispatcher::new(settings.queue_capacity, settings.capacity_per_owner, backends, settings.instant);
        let inner = Inner {
            stored,
            files,
            scratch,
            parts,
            held: MemoryStore::new(settings.now, FIRST_HELD),
            held_jobs: HeldJobs::default(),
            local,
            dispatcher: Arc::new(dispatcher),
            settings,
            active: ActiveJobs::default(),
            waits: DiskWaits::default(),
            no_room: Mutex::default(),
            changes: Changes::default(),
            forgotten: forgotten_jobs(),
            provider_counts: ProviderCounts::default(),
            endings: watch::Sender::new(()),
            stopping: watch::Sender::new(false),
            closed: watch::Sender::new(false),
            starts: Semaphore::new(STARTS),
            naming: tokio::sync::Mutex::default(),
        };
        let inner = Arc::new(inner);
        let jobs = Self { last: Arc::new(LastHandle(Arc::clone(&inner))), inner };
        for (index, backend) in jobs.inner.dispatcher.backends().iter().enumerate() {
            if let Some(Ok(())) = backend.ready().now_or_never() {
                jobs.inner.dispatcher.is_ready(index);
                continue;
            }
            let (weak, backend) = (Arc::downgrade(&jobs.inner), Arc::clone(backend));
            tokio::spawn(async move {
                let ready = backend.ready().await;
                let Some(inner) = weak.upgrade() else { return };
                match ready {
                    Ok(()) => {
                        inner.dispatcher.is_ready(index);
                        pump(&inner);
                    }
                    Err(_) => inner.lose_backend(index),
                }
            });
        }
        let (weak, mut models) = (Arc::downgrade(&jobs.inner), jobs.inner.local.changes());
        tokio::spawn(async move {
            // A model that has loaded, or has failed to, lets its jobs start.
            while models.changed().await.is_ok() {
                let Some(inner) = weak.upgrade() else { return };
                pump(&inner);
            }
        });
        jobs
    }

    pub(super) fn keep_alive(&self) -> KeepAlive {
        KeepAlive { closed: self.inner.closed.subscribe(), _jobs: Arc::clone(&self.last) as _ }
    }

    /// The backend of this machine's device.
    pub fn local(&self) -> &LocalBackend {
        &self.inner.local
    }

    /// What backends have done since the program started.
    pub fn metrics(&self) -> JobMetrics {
        self.inner.dispatcher.metrics()
    }

    /// What each provider has done since the program started, in the order in which they were set up.
    pub fn provider_metrics(&self) -> Vec<ProviderMetrics> {
        let providers = self.inner.dispatcher.providers().into_iter();
        let counted = |name: String, waiting, running| ProviderMetrics { waiting, running, ..self.inner.provider_counts.of(&name) };
        providers.map(|(name, (waiting, running))| counted(name, waiting, running)).collect()
    }

    /// An owner's job by its provider's id, the newest of several; `None` if there is none or it belongs to another owner.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn find_by_remote_id(&self, owner: &str, remote_id: &str) -> Result<Option<Job>, StoreError> {
        Ok(self.inner.stored.find_remote(owner, remote_id).await?.map(|job| self.inner.seen(job)))
    }

    /// The number of jobs that hold a place: waiting and running.
    pub fn active(&self) -> usize {
        self.inner.dispatcher.jobs()
    }

    /// The number of jobs that wait for a backend.
    pub fn waiting(&self) -> usize {
        self.inner.dispatcher.waiting()
    }

    /// Removes old files at intervals while there are jobs.
    fn sweep_periodically(&self) {
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = sweep(&inner).await {
                    tracing::error!(%error, "old files could not be removed");
                }
            }
        });
    }

    /// Removes what has expired, and returns the bytes of the files that are left.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be changed. A file that cannot be removed is kept, and tried again by the next call.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        sweep(&self.inner).await
    }

    /// The stored job that was submitted with this idempotency key, for callers who would otherwise prepare the same request again; `None`
    /// if there is none.
    ///
    /// # Errors
    /// [`SubmitError::IdempotencyConflict`] if the key was used with another request; [`SubmitError::Store`].
    pub async fn replayed(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError> {
        Ok(self.inner.stored.find_replay(owner, name).await?.map(|job| self.inner.seen(job)))
    }

    /// The owner's job, with the store that has it.
    pub(super) async fn find(&self, owner: &str, id: &str) -> Result<Option<(&dyn JobStore, Job)>, StoreError> {
        let stores: [&dyn JobStore; 2] = [&self.inner.held, self.inner.stored.as_ref()];
        for store in stores {
            if let Some(job) = store.get(owner, id).await? {
                return Ok(Some((store, job)));
            }
        }
        Ok(None)
    }

    /// A job's current state; `None` if there is none or it belongs to another owner.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        Ok(self.find(owner, id).await?.map(|(_, job)| self.inner.seen(job)))
    }

    /// An owner's jobs, including unfinished held ones.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn list(&self, owner: &str, page: Page) -> Result<Vec<Job>, StoreError> {
        // Held jobs sort after every stored one.
        let mut held = self.inner.held.list(owner, &Page { limit: usize::MAX, ..page.clone() }).await?;
        held.retain(|job| !job.state.is_final());
        let stored = self.inner.stored.list(owner, &page).await?;
        let (mut jobs, rest) = if page.newest_first { (held, stored) } else { (stored, held) };
        jobs.extend(rest);
        jobs.truncate(page.limit);
        let forecast = QueueForecast::of(&self.inner);
        Ok(jobs.into_iter().map(|job| forecast.seen(job)).collect())
    }

    /// Cancels a job: a waiting one at once, a running one at its next step.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn cancel(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError> {
        let (jobs, owner, id) = (self.clone(), owner.to_owned(), id.to_owned());
        // A task of its own, as in `submit`: the steps from the store to the queue must not be interrupted.
        let outcome = tokio::spawn(async move { jobs.cancel_and_dequeue(&owner, &id).await });
        outcome.await.map_err(|_| StoreError::ShuttingDown)?
    }

    async fn cancel_and_dequeue(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError> {
        let inner = &self.inner;
        let Some((store, _)) = self.find(owner, id).await? else { return Ok(Cancelled::Unknown) };
        let outcome = store.cancel(owner, id).await?;
        if matches!(outcome, Cancelled::Done(_)) {
            inner.settings.fail_hook.reached(FailPoint::Cancelled);
            inner.waits.forget(id);
            if let Some(active) = inner.active.get(id) {
                active.cancel.cancel();
                if inner.dispatcher.remove(active.number) {
                    // An earlier attempt may have left files.
                    if let Durability::Stored = active.durability
                        && let Err(error) = placing::remove(inner, id).await
                    {
                        tracing::warn!(job = %id, %error, "files of a cancelled job could not be removed; the next start removes them");
                    }
                    inner.set_aside(&active);
                    if active.is_remote() {
                        tokio::spawn(Arc::clone(inner).tell_providers());
                    }
                }
            }
            inner.changes.announce(id);
            inner.endings.send_replace(());
        }
        Ok(outcome)
    }

    /// A job's events after this event number, the oldest first; `None` if there is no such job or it belongs to another owner.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError> {
        if let Some(events) = self.inner.held.events(owner, id, after, limit).await? {
            return Ok(Some(events));
        }
        self.inner.stored.events(owner, id, after, limit).await
    }

    /// Previews of a job, made while the returned value is alive; `None` if the job has ended, does not exist, or belongs to another owner.
    pub fn previews(&self, owner: &str, id: &str) -> Option<Previews> {
        self.inner.active.lock().get(id).filter(|job| job.queued.owner == owner).map(|job| job.previews.want())
    }

    /// A receiver that changes with every change of this job.
    pub fn subscribe(&self, id: &str) -> watch::Receiver<()> {
        self.inner.changes.subscribe(id)
    }

    /// A receiver that changes whenever a job has ended: callback messages may be due then.
    pub fn endings(&self) -> watch::Receiver<()> {
        self.inner.endings.subscribe()
    }

    /// Becomes true when the program shuts down, for callers who would otherwise wait for changes for ever.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// Waits until a job has ended; `None` if there is no such job or it belongs to another owner.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read, or the program shuts down first.
    pub async fn finished(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        self.until(owner, id, |job| job.state.is_final()).await
    }

    /// As [`Self::finished`], but also returns a job that the disk holds up ([`Job::blocked_by`]): it ends by itself, but that may take
    /// hours.
    ///
    /// # Errors
    /// As [`Self::finished`].
    pub async fn finished_or_held_up(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        self.until(owner, id, |job| job.state.is_final() || job.blocked_by.is_some()).await
    }

    /// Waits until `is_enough` accepts a job's state; `None` if there is no such job or it belongs to another owner.
    ///
    /// # Errors
    /// As [`Self::finished`].
    pub async fn until(&self, owner: &str, id: &str, is_enough: impl Fn(&Job) -> bool) -> Result<Option<Job>, StoreError> {
        let (mut changes, mut stopping) = (self.subscribe(id), self.inner.stopping.subscribe());
        loop {
            changes.mark_unchanged();
            match self.get(owner, id).await? {
                Some(job) if !is_enough(&job) => {}
                found => return Ok(found),
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| StoreError::ShuttingDown)?,
                _ = stopping.wait_for(|stopping| *stopping) => return Err(StoreError::ShuttingDown),
            }
        }
    }

    /// A file of a completed job; `None` if there is no such file or it belongs to another owner. A file that has been removed since is
    /// expired, and cannot be [opened](Self::open_artifact).
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn artifact(&self, owner: &str, id: &str, name: &str) -> Result<Option<Artifact>, StoreError> {
        let job = self.get(owner, id).await?;
        Ok(job.and_then(|job| job.artifacts.into_iter().find(|artifact| artifact.name == name)))
    }

    /// Opens a job's file for reading; `None` if there is no regular file.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened.
    pub async fn open_artifact(&self, id: &str, name: &str) -> Result<Option<ArtifactReader>, StoreError> {
        self.inner.files.open(id, name).await
    }

    /// Callback messages that are due: the oldest of each owner, then the second of each, and so on.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn due_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.inner.stored.due_deliveries(limit).await
    }

    /// Records that a message has arrived.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn delivered(&self, id: i64) -> Result<(), StoreError> {
        self.inner.stored.delivery_tried(id, None, None).await
    }

    /// Records that a message has not arrived; it is tried again at `next`, or never.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn delivery_failed(&self, id: i64, next: Option<SystemTime>, reason: &str) -> Result<(), StoreError> {
        self.inner.stored.delivery_tried(id, next, Some(reason)).await
    }

    /// Whether a job could be persisted and an image stored now.
    ///
    /// # Errors
    /// [`StoreError`] with the reason if not.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        if self.inner.is_stopping() {
            return Err(StoreError::ShuttingDown);
        }
        self.inner.stored.check_writable().await?;
        self.inner.check_room().await
    }

    /// Counts of the stored jobs.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stored.stats().await
    }

    /// Contradictions in the stores, one sentence each; empty if there are none.
    ///
    /// # Errors
    /// [`StoreError`] if a store cannot be read.
    pub async fn inconsistencies(&self) -> Result<Vec<String>, StoreError> {
        let mut found = self.inner.held.inconsistencies().await?;
        found.extend(self.inner.stored.inconsistencies().await?);
        Ok(found)
    }

    /// Accepts no more jobs and answers all callers of held jobs. Running stored jobs may finish within `limit`; then they return to the
    /// queue. Waiting jobs stay in the store. Nothing is accepted after this.
    pub async fn shut_down(&self, limit: Duration) {
        let inner = &self.inner;
        inner.stopping.send_replace(true);
        inner.dispatcher.drain();
        inner.closed.send_replace(true);
        // A provider continues without this program, and the next start resumes its jobs: waiting for them gains nothing.
        let is_at_once = |job: &&ActiveJob| job.is_remote() || matches!(job.durability, Durability::Held { .. });
        inner.active.lock().values().filter(is_at_once).for_each(ActiveJob::stop);
        let mut endings = self.endings();
        let runs = || inner.dispatcher.jobs() > inner.dispatcher.waiting();
        let ended = async { while runs() && endings.changed().await.is_ok() {} };
        let _in_time: Result<(), tokio::time::error::Elapsed> = tokio::time::timeout(limit, ended).await;
        let mut endings = self.endings();
        inner.close();
        // Every supervisor persists its job's end, which takes a moment, after at most one step of the backend.
        while !inner.active.lock().is_empty() && endings.changed().await.is_ok() {}
    }
}

async fn sweep(inner: &Inner) -> Result<u64, StoreError> {
    let Inner { stored, files, settings, .. } = inner;
    inner.held_jobs.forget_old(inner.now());
    if let Some(parts) = &inner.parts {
        parts.expire(settings.keep.age);
    }
    retention::sweep(stored.as_ref(), files.as_ref(), settings.keep, inner.now()).await
}
