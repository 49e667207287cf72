//! Jobs on disk: SQLite in a folder that one program uses at a time.
//!
//! It must not know backends, files or HTTP. Invariants: every call is one transaction, and runs off the async threads; a write is on the
//! disk when its call returns (write-ahead log, synced at every commit), so that neither a crash nor a power loss undoes it. The exception
//! is [`Synced::Later`], whose writes a power loss may undo: a lost claim is claimed again; a lost note that a provider is being asked is
//! harmless because it is only used with providers that make one video per token, and the request is repeated with the same token. A call
//! that cannot write fails within [`PATIENCE`] of its arrival, however many calls wait.
//!
//! Readers do not wait for a writer, nor for its sync.

mod database;
mod migrations;
mod older_rows;
mod rows;
mod spend;
mod survey;
mod write;

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::MigrationDefinitionError;
use tokio::sync::Semaphore;

use self::{
    database::{Identity, check_whole, connect, identity, unusable},
    write::{Change, Texts, outcome_text},
};
use super::{
    Claimed, JobIds, JobStore, KeptFile, Lease, OwnerEvents, PendingCancel, ProgressRecord, QueuedJob, Stats, Synced, counts::Counts,
};
use crate::{
    backend::RemoteRecord,
    jobs::{
        error::{StoreError, SubmitError},
        folders::{ARTIFACTS, JOURNALS},
        month::Month,
        record::{Artifact, Cancelled, Delivery, Idempotency, Inserted, Job, JobError, JobEvent, NewJob, Outcome, Page, Reordered},
        spend::{Booking, Charge, Usage},
        state::JobState,
    },
    work::Priority,
};

/// How many reads, and how many writes, occupy a thread at once; one of them has the connection. Hundreds of a provider's jobs start or end
/// together when the program does.
const MAX_CONCURRENT: usize = 4;
/// The database's name in its folder.
const FILE: &str = "jobs.sqlite";
/// The file that is locked while a program uses the folder.
const LOCK: &str = "lock";
/// How long a call waits for another program's transaction (a backup, for example) and for earlier calls that wait for the same.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How long [`JobStore::check_writable`] waits: short, because a monitor will ask again.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The store.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// The identity of the open file, to detect a replacement.
    identity: Identity,
    now: fn() -> SystemTime,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
    /// Acquired by every write except inserts.
    writes: Semaphore,
    /// Acquired by every read.
    reads: Semaphore,
    /// Changed with each commit, while the writer is locked.
    counts: Mutex<Counts>,
    /// Held while the store is open; the system releases it even after a crash.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    /// The connection's current sync mode.
    synced: Option<Synced>,
}

impl SqliteStore {
    /// Opens the folder's database and migrates it to this version. `jobs_with_files` are the jobs that have files or journals beside it.
    /// Blocks, so it is for the program's start only.
    ///
    /// # Errors
    /// [`StoreError`]; the database is unchanged then. [`StoreError::Emptied`] if there are files of jobs but the database has no jobs: it
    /// was lost, and a sweep would remove the files.
    pub fn open(folder: &Path, now: fn() -> SystemTime, jobs_with_files: &[String]) -> Result<Self, StoreError> {
        let refused = |path: PathBuf| move |source| StoreError::Folder { path, source };
        std::fs::create_dir_all(folder).map_err(refused(folder.to_owned()))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(refused(path.clone()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(StoreError::Folder { path, source }),
        }
        let path = folder.join(FILE);
        let emptied = || match jobs_with_files {
            [] => Ok(()),
            [first, ..] => Err(StoreError::Emptied {
                path: path.clone(),
                folders: format!("{} and {}", folder.join(ARTIFACTS).display(), folder.join(JOURNALS).display()),
                count: jobs_with_files.len(),
                first: first.clone(),
            }),
        };
        // Before SQLite creates a new database in place of a lost one.
        if std::fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            emptied()?;
        }
        let unusable = |source| unusable(&path, source);
        let mut writer = connect(&path).map_err(unusable)?;
        check_whole(&writer, &path)?;
        migrations::migrate(&mut writer).map_err(|error| {
            let is_newer = matches!(error, rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead));
            if is_newer { StoreError::Newer { path: path.clone() } } else { error.into() }
        })?;
        if !writer.query_row("SELECT EXISTS (SELECT 1 FROM jobs)", [], |row| row.get::<_, bool>(0)).map_err(unusable)? {
            emptied()?;
        }
        let counts = survey::count(&writer)?;
        let reader = connect(&path).map_err(unusable)?;
        reader.pragma_update(None, "query_only", true)?;
        let identity = identity(&path).map_err(refused(path.clone()))?;
        let inner = Inner {
            path,
            identity,
            now,
            writer: Mutex::new(Writer { connection: writer, synced: None }),
            reader: Mutex::new(reader),
            writes: Semaphore::new(MAX_CONCURRENT),
            reads: Semaphore::new(MAX_CONCURRENT),
            counts: Mutex::new(counts),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs blocking work off the async threads.
    async fn off_thread<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let inner = Arc::clone(&self.inner);
        // Joining fails only if the runtime shuts down or the work panicked.
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| E::from(StoreError::ShuttingDown))?
    }

    async fn read<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let until = Instant::now() + PATIENCE;
        let _permit = self.inner.reads.acquire().await;
        self.off_thread(move |inner| work(&*inner.reader(until)?)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        synced: Synced,
        work: impl FnOnce(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let until = Instant::now() + PATIENCE;
        // The semaphore is never closed. A caller that waits here occupies no thread.
        let _permit = self.inner.writes.acquire().await;
        self.off_thread(move |inner| inner.change(synced, until, work)).await
    }
}

impl Inner {
    /// A connection that sees everything committed before it begins to read.
    fn reader(&self, until: Instant) -> Result<MutexGuard<'_, Connection>, StoreError> {
        let connection = lock(&self.reader);
        wait_until(&connection, until)?;
        Ok(connection)
    }

    /// Runs one transaction, which is rolled back if `work` fails.
    fn change<T, E: From<StoreError>>(
        &self,
        synced: Synced,
        until: Instant,
        work: impl FnOnce(&mut Change<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.check_in_place()?;
        // A transaction interrupted by a panic was rolled back when it was dropped.
        let mut writer = lock(&self.writer);
        wait_until(&writer.connection, until)?;
        writer.sync(synced)?;
        let transaction = writer.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let mut change = Change { transaction, now: (self.now)(), counts: *lock(&self.counts) };
        let done = work(&mut change)?;
        let counts = change.counts;
        change.transaction.commit().map_err(StoreError::from)?;
        *lock(&self.counts) = counts;
        Ok(done)
    }

    /// Fails if the open file is no longer in place: writes to a removed file are lost when the program exits.
    fn check_in_place(&self) -> Result<(), StoreError> {
        let is_in_place = identity(&self.path).is_ok_and(|found| found == self.identity);
        if is_in_place { Ok(()) } else { Err(StoreError::Gone { path: self.path.clone() }) }
    }
}

impl Writer {
    fn sync(&mut self, synced: Synced) -> Result<(), StoreError> {
        if self.synced != Some(synced) {
            let mode = match synced {
                Synced::Now => "full",
                Synced::Later => "normal",
            };
            self.connection.pragma_update(None, "synchronous", mode)?;
            self.synced = Some(synced);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a connection wait for other programs until this time. Earlier callers of the connection have given up earlier, so no call waits
/// much longer in total.
fn wait_until(connection: &Connection, until: Instant) -> Result<(), StoreError> {
    Ok(connection.busy_timeout(until.saturating_duration_since(Instant::now()))?)
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn insert(&self, new: NewJob, booking: Option<Booking>, until: Instant) -> Result<Inserted, SubmitError> {
        self.off_thread(move |inner| {
            // Serialized before locking the writer, because the work may contain images.
            let texts = Texts::of(&new)?;
            inner.change(Synced::Now, until, |change| change.insert(&new, booking.as_ref(), &texts))
        })
        .await
    }

    async fn find_replay(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError> {
        let (owner, name) = (owner.to_owned(), name.clone());
        self.read(move |connection| rows::replay(connection, &owner, &name)).await
    }

    async fn recover(&self) -> Result<Vec<QueuedJob>, StoreError> {
        self.write(Synced::Now, |change| change.recover()).await
    }

    async fn claim(&self, id: &str, worker: &str, most_idle: u32) -> Result<Claimed, StoreError> {
        let (id, worker) = (id.to_owned(), worker.to_owned());
        // The device waits for this, and must not wait for a sync.
        self.write(Synced::Later, move |change| change.claim(&id, &worker, most_idle)).await
    }

    async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let lease = lease.clone();
        // A power loss ends the worker too.
        self.write(Synced::Later, move |change| change.renew(&lease)).await
    }

    async fn record_progress(&self, lease: &Lease, progress: ProgressRecord, synced: Synced) -> Result<bool, StoreError> {
        let lease = lease.clone();
        self.write(synced, move |change| change.record_progress(&lease, &progress)).await
    }

    async fn record_remote(&self, lease: &Lease, record: &RemoteRecord, synced: Synced) -> Result<bool, StoreError> {
        let (lease, record) = (lease.clone(), record.clone());
        self.write(synced, move |change| change.record_remote(&lease, &record)).await
    }

    async fn complete(&self, lease: &Lease, outcome: &Outcome, files: &[Artifact]) -> Result<bool, StoreError> {
        let (lease, outcome, files) = (lease.clone(), outcome_text(&lease.job, outcome)?, files.to_vec());
        self.write(Synced::Now, move |change| change.complete(&lease, &outcome, &files)).await
    }

    async fn fail(&self, lease: &Lease, error: &JobError, charge: Charge) -> Result<bool, StoreError> {
        let (lease, error) = (lease.clone(), error.clone());
        self.write(Synced::Now, move |change| change.fail(&lease, &error, charge)).await
    }

    async fn release(&self, lease: &Lease, reason: &str) -> Result<bool, StoreError> {
        let (lease, reason) = (lease.clone(), reason.to_owned());
        self.write(Synced::Now, move |change| change.release(&lease, &reason)).await
    }

    async fn cancel(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.write(Synced::Now, move |change| change.cancel(&owner, &id)).await
    }

    async fn set_own_priority(&self, owner: &str, id: &str, priority: Priority) -> Result<Reordered, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.write(Synced::Now, move |change| change.set_own_priority(&owner, &id, priority)).await
    }

    async fn pending_cancels(&self) -> Result<Vec<PendingCancel>, StoreError> {
        self.read(survey::pending_cancels).await
    }

    async fn cancel_delivered(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(Synced::Later, move |change| change.cancel_delivered(&id)).await
    }

    async fn state(&self, id: &str) -> Result<Option<JobState>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| rows::state(connection, &id)).await
    }

    async fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.read(move |connection| rows::job(connection, Some(&owner), &id)).await
    }

    async fn find_remote(&self, owner: &str, remote_id: &str) -> Result<Option<Job>, StoreError> {
        let (owner, remote_id) = (owner.to_owned(), remote_id.to_owned());
        self.read(move |connection| rows::remote_job(connection, &owner, &remote_id)).await
    }

    async fn usage(&self, owner: Option<&str>, month: Month) -> Result<Vec<Usage>, StoreError> {
        let owner = owner.map(str::to_owned);
        self.read(move |connection| spend::usage(connection, owner.as_deref(), month)).await
    }

    async fn list(&self, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError> {
        let (owner, page) = (owner.to_owned(), page.clone());
        self.read(move |connection| rows::jobs(connection, &owner, &page)).await
    }

    async fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.read(move |connection| rows::events(connection, &owner, &id, after, limit)).await
    }

    async fn owner_events(&self, owner: &str, after: i64, limit: usize) -> Result<OwnerEvents, StoreError> {
        let owner = owner.to_owned();
        self.read(move |connection| rows::owner_events(connection, &owner, after, limit)).await
    }

    async fn last_event(&self) -> Result<i64, StoreError> {
        self.read(rows::last_event).await
    }

    async fn due_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let now = self.inner.now;
        self.read(move |connection| rows::due_deliveries(connection, limit, now())).await
    }

    async fn delivery_tried(&self, id: i64, next: Option<SystemTime>, reason: Option<&str>) -> Result<(), StoreError> {
        let reason = reason.map(str::to_owned);
        self.write(Synced::Now, move |change| change.delivery_tried(id, next, reason.as_deref())).await
    }

    async fn kept_files(&self) -> Result<Vec<KeptFile>, StoreError> {
        self.read(survey::kept_files).await
    }

    async fn file_removed(&self, id: &str, name: &str) -> Result<(), StoreError> {
        let (id, name) = (id.to_owned(), name.to_owned());
        self.write(Synced::Now, move |change| change.file_removed(&id, &name)).await
    }

    async fn forget_before(&self, time: SystemTime) -> Result<usize, StoreError> {
        self.write(Synced::Now, move |change| change.forget_before(time)).await
    }

    async fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let (owner, id) = (owner.to_owned(), id.to_owned());
        self.write(Synced::Now, move |change| change.forget(&owner, &id)).await
    }

    async fn ids(&self) -> Result<JobIds, StoreError> {
        self.read(survey::ids).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(lock(&self.inner.counts).stats())
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let until = Instant::now() + CHECK_TIMEOUT;
        self.off_thread(move |inner| inner.change(Synced::Now, until, |change| change.check_writable())).await
    }

    async fn inconsistencies(&self) -> Result<Vec<String>, StoreError> {
        // Through the writer, so that the counters do not change meanwhile.
        self.write(Synced::Now, |change| survey::inconsistencies(&change.transaction, &change.counts)).await
    }
}

#[cfg(test)]
mod tests;
