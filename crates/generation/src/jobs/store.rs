//! The jobs on disk: SQLite in a folder that one program uses at a time.
//!
//! It must not know engines, files or threads: every call is one transaction, and blocks. The invariants: a job changes its state by
//! [`JobState::after`] only, together with the event that tells of it; numbers of jobs and events only rise; what is written is on the
//! disk when a call returns (write-ahead log, synced at every commit), so that neither a killed program nor a lost machine undoes it. The
//! one exception is that a job has just begun ([`Synced::Later`]), which a lost machine may forget, and then begins it again. What cannot be
//! written down is an error within [`PATIENCE`] of the call's arrival, however many calls wait.
//!
//! Whoever reads waits for no writer, nor for the disk that a writer waits for.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use rusqlite_migration::MigrationDefinitionError;
use serde_json::{Value, json};

use super::{
    artifacts::{ARTIFACTS, JOURNALS},
    database::{Identity, check_whole, connected, identity, unusable},
    error::{StoreError, SubmitJobError},
    migrations::migrations,
    record::{Artifact, Cancelled, Delivery, Idempotency, Job, JobError, JobErrorKind, JobEvent, NewJob, Outcome, Page, Work},
    rows::{self, millis},
    state::{JobState, Priority, Transition},
};

/// The database's name in its folder.
pub(super) const FILE: &str = "jobs.sqlite";
/// The file that says that a program uses the folder.
const LOCK: &str = "lock";
/// How long a call waits for another program's transaction, such as a backup's, and for the calls that came before it and wait for the same.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How long the question waits whether anything could be written: a monitor asks again.
const PATIENCE_OF_CHECKS: Duration = Duration::from_secs(1);

/// The jobs on disk.
#[derive(Debug)]
pub(super) struct JobStore {
    path: PathBuf,
    /// What tells the file that is open from another of its name.
    identity: Identity,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Held as long as the store is open; the system lets go of it however the program ends.
    _lock: File,
}

/// When what is written is on the disk, which it takes a while to say; the end of the program undoes neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Synced {
    /// When the call returns.
    Now,
    /// With the next that is synced at once.
    Later,
}

/// A job that waits, as the queue needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) priority: Priority,
    pub(super) parts: u32,
}

/// What becomes of a job whose turn it is.
#[derive(Debug)]
pub(super) enum Started {
    /// It is to be made.
    Work(Box<Work>),
    /// It was called off meanwhile, or has just failed for good.
    Ended,
}

impl JobStore {
    /// Opens the folder's database, and brings it to this version. `made` names the jobs of which something lies beside it.
    ///
    /// # Errors
    /// [`StoreError`]; the database is as it was then. [`StoreError::Emptied`] if something was made and the database knows of no job: it was
    /// lost, and whoever sweeps by it would remove all that is left.
    pub(super) fn open(folder: &Path, made: &[String]) -> Result<Self, StoreError> {
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
        let emptied = || match made {
            [] => Ok(()),
            [first, ..] => Err(StoreError::Emptied {
                path: path.clone(),
                folders: format!("{} and {}", folder.join(ARTIFACTS).display(), folder.join(JOURNALS).display()),
                count: made.len(),
                first: first.clone(),
            }),
        };
        // Before SQLite makes a new one in the place of one that was lost.
        if std::fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            emptied()?;
        }
        let unusable = |source| unusable(&path, source);
        let mut writer = connected(&path).map_err(unusable)?;
        check_whole(&writer, &path)?;
        migrations().to_latest(&mut writer).map_err(|error| {
            let is_newer = matches!(error, rusqlite_migration::Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead));
            if is_newer { StoreError::Newer { path: path.clone() } } else { error.into() }
        })?;
        if !writer.query_row("SELECT EXISTS (SELECT 1 FROM jobs)", [], |row| row.get::<_, bool>(0)).map_err(unusable)? {
            emptied()?;
        }
        let reader = connected(&path).map_err(unusable)?;
        reader.pragma_update(None, "query_only", true)?;
        let identity = identity(&path).map_err(refused(path.clone()))?;
        Ok(Self { path, identity, writer: Mutex::new(writer), reader: Mutex::new(reader), _lock: lock })
    }

    /// Whether the file that is open still lies where it was. What is written to one that was removed is lost with the program.
    fn check_there(&self) -> Result<(), StoreError> {
        let is_there = identity(&self.path).is_ok_and(|found| found == self.identity);
        if is_there { Ok(()) } else { Err(StoreError::Gone { path: self.path.clone() }) }
    }

    /// Runs one transaction, which is rolled back if `work` fails.
    fn transaction<T, E: From<StoreError>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.transaction_synced(Synced::Now, until(PATIENCE), work)
    }

    fn transaction_synced<T, E: From<StoreError>>(
        &self,
        synced: Synced,
        until: Instant,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.check_there()?;
        let mut connection = locked(&self.writer, until)?;
        let mode = match synced {
            Synced::Now => "full",
            Synced::Later => "normal",
        };
        connection.pragma_update(None, "synchronous", mode).map_err(|error| E::from(error.into()))?;
        let begin = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begin.map_err(|error| E::from(error.into()))?;
        let done = work(&transaction)?;
        transaction.commit().map_err(|error| E::from(error.into()))?;
        Ok(done)
    }

    /// Runs one statement as a transaction of its own.
    fn execute(&self, statement: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        self.transaction(|transaction| Ok(transaction.execute(statement, params)?))
    }

    /// Leaves a row as no program writes it: `set` is SQL's ("work = '{'").
    #[cfg(test)]
    pub(super) fn tear(&self, id: &str, set: &str) {
        let unchecked = self.writer.lock().map(|writer| writer.pragma_update(None, "ignore_check_constraints", true));
        let torn = self.execute(&format!("UPDATE jobs SET {set} WHERE id = ?1"), [id]);
        assert!(matches!((unchecked, torn), (Ok(Ok(())), Ok(1))), "{set}");
    }

    /// As [`Self::tear`], of the rows of a job's files.
    #[cfg(test)]
    pub(super) fn tear_files(&self, id: &str, set: &str) {
        let torn = self.execute(&format!("UPDATE artifacts SET {set} WHERE job = (SELECT number FROM jobs WHERE id = ?1)"), [id]);
        assert!(matches!(torn, Ok(1..)), "{set}");
    }

    /// Makes the disk as full as if not another page found room on it, or makes room again.
    #[cfg(test)]
    pub(super) fn fill(&self, is_full: bool) {
        let pages = if is_full { 1 } else { i64::from(u32::MAX - 1) };
        let set = |writer: &Connection| writer.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()));
        assert!(matches!(self.writer.lock().map(|writer| set(&writer)), Ok(Ok(()))));
    }

    /// Sees all that was committed when it began to read.
    fn reader(&self) -> Result<MutexGuard<'_, Connection>, StoreError> {
        locked(&self.reader, until(PATIENCE))
    }

    /// Takes a job in, and gives up at `until`. The second of the pair says whether the same request had been taken before; then that job is
    /// returned.
    pub(super) fn insert(&self, new: &NewJob, until: Instant, at: SystemTime) -> Result<(Job, bool), SubmitJobError> {
        let work = serde_json::to_string(&new.work).map_err(|error| corrupt(&new.id, "the work", &error))?;
        self.transaction_synced(Synced::Now, until, |transaction| {
            if let Some(name) = &new.idempotency
                && let Some(job) = replayed(transaction, &new.owner, name)?
            {
                return Ok((job, true));
            }
            if rows::job(transaction, None, &new.id)?.is_some() {
                return Err(SubmitJobError::IdTaken(new.id.clone()));
            }
            let mut insert = transaction
                .prepare_cached(
                    "INSERT INTO jobs (id, owner, state, priority, work, note, callback_url, created_at, updated_at, parts)
                     VALUES (?1, ?2, 'queued', ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
                )
                .map_err(StoreError::from)?;
            let row =
                params![new.id, new.owner, new.priority.name(), work, new.note.to_string(), new.callback_url, millis(at), new.work.parts()];
            let number = insert.insert(row).map_err(StoreError::from)?;
            if let Some(name) = &new.idempotency {
                let row = params![new.owner, name.key, name.fingerprint, number];
                let sql = "INSERT INTO idempotency (owner, key, fingerprint, job) VALUES (?1, ?2, ?3, ?4)";
                transaction.execute(sql, row).map_err(StoreError::from)?;
            }
            event(transaction, number, at, "queued", &json!({}))?;
            let job = rows::job(transaction, None, &new.id)?.ok_or_else(|| corrupt(&new.id, "the job", &"it is not there"))?;
            Ok((job, false))
        })
    }

    /// The job that was made of the same request before, if there was one.
    pub(super) fn replayed(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitJobError> {
        let connection = self.reader()?;
        replayed(&connection, owner, name)
    }

    /// Puts the jobs back that ran when the program went down, and returns all that wait, the oldest first.
    pub(super) fn recover(&self, at: SystemTime) -> Result<Vec<Waiting>, StoreError> {
        self.transaction(|transaction| {
            // No program writes such a state; a job that stood in it would never end.
            let known = JobState::ALL.map(|state| format!("'{}'", state.name())).join(", ");
            let end = format!("UPDATE jobs SET state = 'failed', finished_at = coalesce(finished_at, ?1) WHERE state NOT IN ({known})");
            transaction.execute(&end, [millis(at)])?;
            for id in rows::ids(transaction, "SELECT id FROM jobs WHERE state = 'running'")? {
                move_on(transaction, &id, Transition::Requeue, at, "requeued", &json!({"reason": "the server was restarted"}))?;
            }
            rows::waiting(transaction)
        })
    }

    /// Puts a job back that ran: the program goes down, or the disk refuses it.
    pub(super) fn requeue(&self, id: &str, reason: &str, at: SystemTime) -> Result<bool, StoreError> {
        let data = json!({ "reason": reason });
        self.transaction(|transaction| {
            let is_back = move_on(transaction, id, Transition::Requeue, at, "requeued", &data)?;
            if is_back {
                // The job had no part in that, so this attempt does not count against it.
                transaction.execute("UPDATE jobs SET idle_attempts = max(idle_attempts - 1, 0) WHERE id = ?1", [id])?;
            }
            Ok(is_back)
        })
    }

    /// The device takes a job. One that was taken `most_idle` times without getting any further fails instead.
    ///
    /// The device waits for this, and does not wait for the disk: a lost machine may forget that the job had begun.
    pub(super) fn start(&self, id: &str, most_idle: u32, at: SystemTime) -> Result<Started, StoreError> {
        self.transaction_synced(Synced::Later, until(PATIENCE), |transaction| {
            let select = "SELECT work, attempts, idle_attempts, percent FROM jobs WHERE id = ?1 AND state = 'queued'";
            let read = |row: &rusqlite::Row<'_>| {
                // A damaged count must not keep the device from ever taking the job.
                let count = |column| row.get::<_, u32>(column).unwrap_or_default();
                Ok((row.get_ref(0)?.as_bytes().unwrap_or_default().to_owned(), count(1), count(2), count(3)))
            };
            let Some((work, attempts, idle, percent)) = transaction.query_row(select, [id], read).optional()? else {
                return Ok(Started::Ended);
            };
            if idle >= most_idle {
                let message = format!("the server went down {idle} times while it worked on this, each time at {percent} %");
                end_badly(transaction, id, &JobError { kind: JobErrorKind::Crashed, message, retryable: false }, at)?;
                return Ok(Started::Ended);
            }
            let work = match serde_json::from_slice(&work) {
                Ok(work) => work,
                Err(error) => {
                    let message = format!("what was stored of it cannot be read: {error}");
                    end_badly(transaction, id, &JobError { kind: JobErrorKind::Internal, message, retryable: false }, at)?;
                    return Ok(Started::Ended);
                }
            };
            move_on(transaction, id, Transition::Start, at, "started", &json!({"attempt": attempts + 1}))?;
            let update = "UPDATE jobs SET attempts = attempts + 1, idle_attempts = idle_attempts + 1,
                          started_at = coalesce(started_at, ?2) WHERE id = ?1";
            transaction.execute(update, params![id, millis(at)])?;
            Ok(Started::Work(Box::new(work)))
        })
    }

    /// Writes down how far a running job is.
    pub(super) fn progress(
        &self,
        id: &str,
        (percent, kind, data): (u32, &str, &Value),
        synced: Synced,
        at: SystemTime,
    ) -> Result<(), StoreError> {
        self.transaction_synced(synced, until(PATIENCE), |transaction| {
            let update = "UPDATE jobs SET updated_at = ?2, idle_attempts = iif(?3 > percent, 0, idle_attempts), percent = max(percent, ?3)
                          WHERE id = ?1 AND state = 'running' RETURNING number";
            let number = transaction.query_row(update, params![id, millis(at), percent], |row| row.get(0)).optional()?;
            number.map_or(Ok(()), |number| event(transaction, number, at, kind, data))
        })
    }

    /// A job's files are in place. False if it was called off meanwhile.
    pub(super) fn complete(&self, id: &str, outcome: &Outcome, files: &[Artifact], at: SystemTime) -> Result<bool, StoreError> {
        let outcome = serde_json::to_string(outcome).map_err(|error| corrupt(id, "the outcome", &error))?;
        self.transaction(|transaction| {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            if !move_on(transaction, id, Transition::Complete, at, "completed", &json!({"files": names}))? {
                return Ok(false);
            }
            transaction.execute("UPDATE jobs SET outcome = ?2, percent = 100 WHERE id = ?1", params![id, outcome])?;
            for file in files {
                let insert = "INSERT INTO artifacts (job, name, media_type, bytes, sha256)
                              SELECT number, ?2, ?3, ?4, ?5 FROM jobs WHERE id = ?1";
                transaction.execute(insert, params![id, file.name, file.media_type, file.bytes.cast_signed(), file.sha256])?;
            }
            Ok(true)
        })
    }

    /// A job cannot be done. False if it was called off meanwhile.
    pub(super) fn fail(&self, id: &str, error: &JobError, at: SystemTime) -> Result<bool, StoreError> {
        self.transaction(|transaction| end_badly(transaction, id, error, at))
    }

    /// Calls a job off.
    pub(super) fn cancel(&self, owner: &str, id: &str, at: SystemTime) -> Result<Cancelled, StoreError> {
        self.transaction(|transaction| {
            let Some(job) = rows::job(transaction, Some(owner), id)? else { return Ok(Cancelled::Unknown) };
            if !move_on(transaction, id, Transition::Cancel, at, "cancelled", &json!({}))? {
                return Ok(Cancelled::Finished(job));
            }
            Ok(rows::job(transaction, Some(owner), id)?.map_or(Cancelled::Unknown, Cancelled::Done))
        })
    }

    /// A job, if it is that owner's.
    pub(super) fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError> {
        rows::job(&*self.reader()?, Some(owner), id)
    }

    /// An owner's jobs.
    pub(super) fn list(&self, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError> {
        rows::jobs(&*self.reader()?, owner, page)
    }

    /// What happened to a job after an event; `None` if it is not that owner's.
    pub(super) fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError> {
        let connection = self.reader()?;
        let Some(job) = rows::job(&connection, Some(owner), id)? else { return Ok(None) };
        rows::events(&connection, job.number, after, limit).map(Some)
    }

    /// Messages whose time has come, the oldest first.
    pub(super) fn due_deliveries(&self, limit: usize, now: SystemTime) -> Result<Vec<Delivery>, StoreError> {
        rows::due_deliveries(&*self.reader()?, limit, now)
    }

    /// A message was tried: it arrived (neither `next` nor `reason`), is tried again at `next`, or is given up.
    pub(super) fn delivery_tried(&self, id: i64, next: Option<SystemTime>, reason: Option<&str>, at: SystemTime) -> Result<(), StoreError> {
        let arrived = reason.is_none().then(|| millis(at));
        let update = "UPDATE deliveries SET attempts = attempts + 1, due_at = ?2, last_error = ?3, delivered_at = ?4 WHERE id = ?1";
        self.execute(update, params![id, next.map(millis), reason, arrived]).map(drop)
    }

    /// Every file that is kept, the oldest first: job, name, length, and when the job ended.
    pub(super) fn kept_files(&self) -> Result<Vec<(String, String, u64, SystemTime)>, StoreError> {
        rows::kept_files(&*self.reader()?)
    }

    /// Writes down that a file is no longer kept.
    pub(super) fn file_removed(&self, id: &str, name: &str, at: SystemTime) -> Result<(), StoreError> {
        let update = "UPDATE artifacts SET removed_at = ?3 WHERE name = ?2 AND job = (SELECT number FROM jobs WHERE id = ?1)";
        self.execute(update, params![id, name, millis(at)]).map(drop)
    }

    /// Forgets jobs that ended before a time and have no files left.
    pub(super) fn forget_before(&self, time: SystemTime) -> Result<usize, StoreError> {
        let delete = "DELETE FROM jobs WHERE finished_at < ?1 AND NOT EXISTS
                      (SELECT 1 FROM artifacts WHERE job = jobs.number AND removed_at IS NULL)
                      AND NOT EXISTS (SELECT 1 FROM deliveries WHERE job = jobs.number AND due_at IS NOT NULL)";
        self.execute(delete, [millis(time)])
    }

    /// Whether a job has not ended.
    pub(super) fn is_open(&self, id: &str) -> Result<bool, StoreError> {
        let select = "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND state IN ('queued', 'running'))";
        Ok(self.reader()?.query_row(select, [id], |row| row.get(0))?)
    }

    /// Whether a job is completed.
    pub(super) fn is_completed(&self, id: &str) -> Result<bool, StoreError> {
        let select = "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND state = 'completed')";
        Ok(self.reader()?.query_row(select, [id], |row| row.get(0))?)
    }

    /// The ids of jobs whose files are kept.
    pub(super) fn ids_with_files(&self) -> Result<HashSet<String>, StoreError> {
        rows::ids(&*self.reader()?, "SELECT DISTINCT jobs.id FROM artifacts JOIN jobs ON jobs.number = job WHERE removed_at IS NULL")
    }

    /// The ids of all jobs.
    pub(super) fn known_ids(&self) -> Result<HashSet<String>, StoreError> {
        rows::ids(&*self.reader()?, "SELECT id FROM jobs")
    }

    /// The ids of jobs that have not ended.
    pub(super) fn open_ids(&self) -> Result<HashSet<String>, StoreError> {
        rows::ids(&*self.reader()?, "SELECT id FROM jobs WHERE state IN ('queued', 'running')")
    }

    /// Writes for the sake of writing: fails where the next job could not be written down.
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        self.transaction_synced(Synced::Now, until(PATIENCE_OF_CHECKS), |transaction| {
            // The same number as before: what counts is that a page of it reaches the disk.
            let number: i64 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
            Ok(transaction.pragma_update(None, "application_id", number)?)
        })
    }

    /// How many jobs stand where.
    pub(super) fn counts(&self) -> Result<Vec<(JobState, u64)>, StoreError> {
        rows::counts(&*self.reader()?)
    }
}

/// When a call that has come now gives up.
pub(super) fn until(patience: Duration) -> Instant {
    Instant::now() + patience
}

/// The connection, which waits for other programs until then. Those who wait for it here came earlier and give up earlier, so nobody waits
/// for much longer than that in all.
fn locked(connection: &Mutex<Connection>, until: Instant) -> Result<MutexGuard<'_, Connection>, StoreError> {
    // A transaction that a panic broke off was rolled back when it was dropped.
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    connection.busy_timeout(until.saturating_duration_since(Instant::now()))?;
    Ok(connection)
}

fn corrupt(job: &str, what: &'static str, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { job: job.to_owned(), what, reason: reason.to_string() }
}

fn replayed(connection: &Connection, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitJobError> {
    let select = "SELECT jobs.id, fingerprint FROM idempotency JOIN jobs ON jobs.number = job WHERE idempotency.owner = ?1 AND key = ?2";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let found = connection.query_row(select, params![owner, name.key], read).optional().map_err(StoreError::from)?;
    match found {
        None => Ok(None),
        Some((id, fingerprint)) if fingerprint == name.fingerprint => Ok(rows::job(connection, Some(owner), &id)?),
        Some(_) => Err(SubmitJobError::IdempotencyConflict { key: name.key.clone() }),
    }
}

fn event(transaction: &Transaction<'_>, number: i64, at: SystemTime, kind: &str, data: &Value) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached("INSERT INTO events (job, at, kind, data) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![number, millis(at), kind, data.to_string()])?;
    Ok(())
}

/// Moves a job on, if it can go that way from where it stands, and tells of it.
fn move_on(
    transaction: &Transaction<'_>,
    id: &str,
    transition: Transition,
    at: SystemTime,
    kind: &str,
    data: &Value,
) -> Result<bool, StoreError> {
    let select = "SELECT number, state FROM jobs WHERE id = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
    let Some((number, state)) = transaction.query_row(select, [id], read).optional()? else { return Ok(false) };
    // One that stands nowhere has ended as far as anybody is told.
    let Some(next) = state.parse::<JobState>().ok().and_then(|state| state.after(transition)) else { return Ok(false) };
    transaction.execute("UPDATE jobs SET state = ?2, updated_at = ?3 WHERE number = ?1", params![number, next.name(), millis(at)])?;
    event(transaction, number, at, kind, data)?;
    if next.is_final() {
        transaction.execute("UPDATE jobs SET finished_at = ?2, work = '' WHERE number = ?1", params![number, millis(at)])?;
        let insert = "INSERT INTO deliveries (job, url, event, created_at, due_at)
                      SELECT number, callback_url, state, ?2, ?2 FROM jobs WHERE number = ?1 AND callback_url IS NOT NULL";
        transaction.execute(insert, params![number, millis(at)])?;
    }
    Ok(true)
}

fn end_badly(transaction: &Transaction<'_>, id: &str, error: &JobError, at: SystemTime) -> Result<bool, StoreError> {
    let data = json!({"kind": error.kind.name(), "message": error.message, "retryable": error.retryable});
    if !move_on(transaction, id, Transition::Fail, at, "failed", &data)? {
        return Ok(false);
    }
    let update = "UPDATE jobs SET error_kind = ?2, error_message = ?3, error_retryable = ?4 WHERE id = ?1";
    transaction.execute(update, params![id, error.kind.name(), error.message, error.retryable])?;
    Ok(true)
}
