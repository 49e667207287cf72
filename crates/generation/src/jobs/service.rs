//! The one way to jobs: handing them in, asking after them, calling them off.
//!
//! It must not know HTTP. The invariants: whatever blocks runs off the async threads; a job that is written down is queued even if its
//! caller hangs up in between; other people's jobs are as if they were not there.

mod room;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use super::{
    DiskFault,
    artifacts::{ArtifactStore, is_plain_name},
    attendant,
    disk_waits::DiskWaits,
    error::{StoreError, SubmitJobError},
    fail_point::{FailHook, FailPoint},
    record::{ArtifactFile, Cancelled, Delivery, Idempotency, Job, JobEvent, NewJob, Page, Submitted},
    retention::{self, Retention},
    state::JobState,
    store::{self, JobStore, Waiting},
    view::{self, Outlook},
};
use crate::{
    Engine,
    error::SubmitError,
    job::{CancelSwitch, JobProgress},
    preview::{PreviewSlot, Previews},
    queue::Place,
};

/// How often old files are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How jobs are kept and served; the operator's choice.
#[derive(Clone, Debug)]
pub struct JobsSettings {
    /// Where jobs and their files lie. One program at a time uses it.
    pub folder: PathBuf,
    /// The clock: `SystemTime::now`.
    pub now: fn() -> SystemTime,
    /// A job fails when the program went down so often while working on it without its getting any further.
    pub most_idle_attempts: u32,
    /// What is kept of jobs that have ended.
    pub keep: Retention,
    /// For tests that kill the program, or fill its disk.
    pub fail_hook: FailHook,
}

impl JobsSettings {
    /// Five attempts, a week and ten gigabytes, and the given clock (`SystemTime::now`).
    pub fn new(folder: impl Into<PathBuf>, now: fn() -> SystemTime) -> Self {
        let folder = folder.into();
        Self { folder, now, most_idle_attempts: 5, keep: Retention::default(), fail_hook: FailHook::default() }
    }
}

/// How jobs stand, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// How many jobs stand where.
    pub jobs: Vec<(JobState, u64)>,
    /// Bytes of files that are kept.
    pub kept_bytes: u64,
    /// Files that are kept.
    pub kept_files: u64,
}

/// All jobs; clones share them.
#[derive(Clone, Debug)]
pub struct Jobs {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: JobStore,
    pub(super) files: ArtifactStore,
    pub(super) engine: Engine,
    pub(super) settings: JobsSettings,
    /// The jobs that have not ended, by id.
    live: Mutex<HashMap<String, Live>>,
    /// Those that the disk keeps from going on.
    pub(super) waits: DiskWaits,
    /// When there last was no room, for those who look for it again and again.
    no_room: Mutex<Option<(Instant, DiskFault)>>,
    /// Rises with every change of any job.
    changes: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
    /// Held while a request with a name of its own is taken: its twin, which comes at the same time, takes no second place meanwhile.
    naming: tokio::sync::Mutex<()>,
}

/// What is known of a job beside its row, while it has not ended.
#[derive(Clone, Debug)]
pub(super) struct Live {
    /// Its number in the engine.
    pub(super) engine_id: u64,
    pub(super) owner: String,
    pub(super) cancel: CancelSwitch,
    pub(super) progress: watch::Receiver<JobProgress>,
    pub(super) previews: PreviewSlot,
    /// When the device took it, and how far it was then.
    pub(super) began: Option<(SystemTime, f64)>,
    /// How long the device will need, where something like it was measured.
    pub(super) expected: Option<Duration>,
}

impl Jobs {
    /// Opens the folder and goes on with every job that has not ended. Blocks while it reads, so it is for the program's start; must be
    /// called inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError`] if the folder or its database cannot be used, or another program uses it.
    pub fn open(settings: JobsSettings, engine: Engine) -> Result<Self, StoreError> {
        let files = ArtifactStore::open(&settings.folder)?;
        let store = JobStore::open(&settings.folder, &files.jobs()?)?;
        let waiting = store.recover((settings.now)())?;
        settings.fail_hook.reached(FailPoint::Recovered);
        files.sweep(&store.open_ids()?, &store.ids_with_files()?, &store.known_ids()?)?;
        if let Err(error) = retention::sweep(&store, &files, settings.keep, (settings.now)()) {
            tracing::error!(%error, "old files could not be removed");
        }
        let inner = Inner {
            store,
            files,
            engine,
            settings,
            live: Mutex::default(),
            waits: DiskWaits::default(),
            no_room: Mutex::default(),
            changes: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            naming: tokio::sync::Mutex::default(),
        };
        let jobs = Self { inner: Arc::new(inner) };
        if !waiting.is_empty() {
            tracing::info!(jobs = waiting.len(), "going on with jobs of an earlier run");
        }
        for job in waiting {
            // Only an engine that goes down refuses, and then the job waits for the next.
            let _waits_in_the_store: Result<(), SubmitError> = attendant::queue(&jobs.inner, job, None, None);
        }
        jobs.sweep_now_and_then();
        Ok(jobs)
    }

    /// The engine that makes them.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Removes old files for as long as there are jobs.
    fn sweep_now_and_then(&self) {
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                let jobs = Self { inner };
                if let Err(error) = jobs.sweep().await {
                    tracing::error!(%error, "old files could not be removed");
                }
            }
        });
    }

    /// Removes what is not to be kept any more, and returns the bytes of files that are left.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be changed. A file that cannot be removed is kept, and tried again at the next call.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        self.on_disk(|inner| retention::sweep(&inner.store, &inner.files, inner.settings.keep, inner.now())).await
    }

    /// Takes a job. It is on the disk when this returns, and will end, even if the caller hangs up before that.
    ///
    /// # Errors
    /// [`SubmitJobError`] if it cannot be taken now, or the same idempotency key was used with another request. While another program holds
    /// the store's file, that is known after some seconds, however many callers wait.
    pub async fn submit(&self, new: NewJob) -> Result<Submitted, SubmitJobError> {
        if !is_plain_name(&new.id) {
            return Err(SubmitJobError::BadId(new.id));
        }
        let (jobs, until) = (self.clone(), store::until(store::PATIENCE));
        // A task of its own, for a caller that hangs up drops this future: between the store and the queue nothing may break off.
        let taken = tokio::spawn(async move { jobs.take(new, until).await });
        taken.await.map_err(|_| StoreError::ShuttingDown)?
    }

    async fn take(&self, new: NewJob, until: Instant) -> Result<Submitted, SubmitJobError> {
        let new = Arc::new(new);
        // Whoever holds this came earlier, and gives up earlier.
        let _alone = match &new.idempotency {
            Some(_) => Some(self.inner.naming.lock().await),
            None => None,
        };
        if let Some(name) = &new.idempotency
            && let Some(job) = self.replayed(&new.owner, name).await?
        {
            return Ok(Submitted { job, replayed: true });
        }
        if self.inner.waits.are_any() {
            // Where finished jobs wait for room, more of them would only wait too, and fill the memory.
            self.on_disk(Inner::check_room).await?;
        }
        let place = self.place_for(&new)?;
        let expected = view::expected(&self.inner.engine, &new.work);
        let waiting = Waiting { id: new.id.clone(), owner: new.owner.clone(), priority: new.priority, parts: new.work.parts() };
        let (job, replayed) = self.on_disk(move |inner| inner.store.insert(&new, until, inner.now())).await?;
        if replayed {
            return Ok(Submitted { job: self.inner.seen(job), replayed });
        }
        self.inner.settings.fail_hook.reached(FailPoint::Inserted);
        self.inner.changed();
        // Only an engine that goes down refuses now; the job is in the store, and the program's next life makes it.
        let _waits_in_the_store: Result<(), SubmitError> = attendant::queue(&self.inner, waiting, Some(place), expected);
        Ok(Submitted { job: self.inner.seen(job), replayed })
    }

    fn place_for(&self, new: &NewJob) -> Result<Place, SubmitJobError> {
        if *self.inner.stopping.borrow() {
            return Err(SubmitError::ShuttingDown.into());
        }
        Ok(self.inner.engine.reserve(&new.owner, &new.work)?)
    }

    /// The job that was taken under this name, for those who would otherwise work to make the same request anew; `None` if there is none.
    ///
    /// # Errors
    /// [`SubmitJobError::IdempotencyConflict`] if the name was used with another request; [`SubmitJobError::Store`].
    pub async fn replayed(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitJobError> {
        let (owner, name) = (owner.to_owned(), name.clone());
        self.on_disk(move |inner| Ok(inner.store.replayed(&owner, &name)?.map(|job| inner.seen(job)))).await
    }

    /// A job as it stands; `None` if there is none or it is another's.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.on_disk(move |inner| Ok(inner.store.get(&owner, &id)?.map(|job| inner.seen(job)))).await
    }

    /// An owner's jobs.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn list(&self, owner: &str, page: Page) -> Result<Vec<Job>, StoreError> {
        let owner = owner.to_owned();
        let listed = self.on_disk(move |inner| {
            let jobs = inner.store.list(&owner, &page)?;
            let outlook = Outlook::of(inner);
            Ok::<_, StoreError>(jobs.into_iter().map(|job| outlook.seen(job)).collect())
        });
        listed.await
    }

    /// Calls a job off: one that waits at once, one that runs at its next step.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn cancel(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        let outcome = self.on_disk(move |inner| {
            let outcome = inner.store.cancel(&owner, &id, inner.now())?;
            if matches!(outcome, Cancelled::Done(_)) {
                inner.settings.fail_hook.reached(FailPoint::Cancelled);
                inner.waits.forget(&id);
                if let Some(live) = inner.live().get(&id) {
                    live.cancel.cancel();
                    inner.engine.remove(live.engine_id);
                }
                inner.changed();
            }
            Ok::<_, StoreError>(outcome)
        });
        outcome.await
    }

    /// What happened to a job after an event's number, the oldest first; `None` if there is no such job or it is another's.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.on_disk(move |inner| inner.store.events(&owner, &id, after, limit)).await
    }

    /// Pictures of a job in the making, made for as long as what this returns is held; `None` if the job has ended, or there is no such
    /// job, or it is another's.
    pub fn previews(&self, owner: &str, id: &str) -> Option<Previews> {
        self.inner.live().get(id).filter(|live| live.owner == owner).map(|live| live.previews.want())
    }

    /// Changes with every change of any job, for those who wait for one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Becomes true when the program goes down, for those who would otherwise wait for changes for ever.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// Waits for a job's end; `None` if there is no such job or it is another's.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read, or the program goes down first.
    pub async fn finished(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        self.until(owner, id, |job| job.state.is_final()).await
    }

    /// As [`Self::finished`], but a job that the disk keeps from going on is returned too ([`Job::held_up_by`]): it ends by itself, and that
    /// may take hours.
    ///
    /// # Errors
    /// As [`Self::finished`].
    pub async fn finished_or_held_up(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        self.until(owner, id, |job| job.state.is_final() || job.held_up_by.is_some()).await
    }

    async fn until(&self, owner: &str, id: &str, is_enough: impl Fn(&Job) -> bool) -> Result<Option<Job>, StoreError> {
        let (mut changes, mut stopping) = (self.changes(), self.inner.stopping.subscribe());
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

    /// A file of a completed job; `None` if there is no such file or it is another's. One that was removed since is told of as expired.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn artifact(&self, owner: &str, id: &str, name: &str) -> Result<Option<ArtifactFile>, StoreError> {
        let job = self.get(owner, id).await?;
        let artifact = job.and_then(|job| job.artifacts.into_iter().find(|artifact| artifact.name == name));
        Ok(artifact.map(|artifact| ArtifactFile { path: self.inner.files.path_of(id, name), artifact }))
    }

    /// Messages to callbacks whose time has come: the oldest of each owner, then the second of each, and so on.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn due_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.on_disk(move |inner| inner.store.due_deliveries(limit, inner.now())).await
    }

    /// A message has arrived.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn delivered(&self, id: i64) -> Result<(), StoreError> {
        self.on_disk(move |inner| inner.store.delivery_tried(id, None, None, inner.now())).await
    }

    /// A message has not arrived; it is tried again at `next`, or never.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub async fn delivery_failed(&self, id: i64, next: Option<SystemTime>, reason: &str) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.on_disk(move |inner| inner.store.delivery_tried(id, next, Some(&reason), inner.now())).await
    }

    /// Whether a job could be written down now, and a picture stored.
    ///
    /// # Errors
    /// [`StoreError`] with the reason why not.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        if self.inner.is_stopping() {
            return Err(StoreError::ShuttingDown);
        }
        self.on_disk(|inner| inner.store.check_writable().and_then(|()| inner.check_room())).await
    }

    /// How jobs stand, in numbers.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let stats = self.on_disk(|inner| {
            let kept = inner.store.kept_files()?;
            let kept_bytes = kept.iter().map(|(_, _, bytes, _)| bytes).sum();
            Ok::<_, StoreError>(Stats { jobs: inner.store.counts()?, kept_bytes, kept_files: kept.len() as u64 })
        });
        stats.await
    }

    /// Takes no more jobs, lets the one that runs end if it does so within `limit`, and puts it back if it does not. Those that wait stay
    /// in the store. The engine takes nothing more after this.
    pub async fn shut_down(&self, limit: Duration) {
        self.inner.stopping.send_replace(true);
        self.inner.engine.drain();
        let mut changes = self.changes();
        // The device may have one that is not written down as begun yet, or have let go of one whose end is on its way here.
        let runs = || {
            let running = self.inner.engine.running();
            self.inner.live().values().any(|live| live.began.is_some() || running == Some(live.engine_id))
        };
        let ended = async { while runs() && changes.changed().await.is_ok() {} };
        let _in_time: Result<(), tokio::time::error::Elapsed> = tokio::time::timeout(limit, ended).await;
        self.inner.engine.shut_down();
        // Every attendant writes down what became of its job, which takes a moment, and a step of the device at most.
        let mut changes = self.changes();
        while !self.inner.live().is_empty() && changes.changed().await.is_ok() {}
    }

    /// Runs what blocks off the async threads.
    async fn on_disk<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let inner = Arc::clone(&self.inner);
        // It only fails where the runtime goes down, or the work panicked.
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| E::from(StoreError::ShuttingDown))?
    }
}

impl Inner {
    pub(super) fn now(&self) -> SystemTime {
        (self.settings.now)()
    }

    pub(super) fn live(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        // No code panics while it holds the lock.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job as its owner sees it now.
    fn seen(&self, job: Job) -> Job {
        if job.state.is_final() { job } else { Outlook::of(self).seen(job) }
    }

    /// Wakes whoever waits for a change.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A job has ended, or waits in the store for the program's next life.
    pub(super) fn let_go_of(&self, id: &str) {
        self.waits.forget(id);
        self.live().remove(id);
        self.changed();
    }
}
