//! All changes to the job store, each inside one transaction.
//!
//! It must not know connections or locks. Invariants: a job changes its state in [`Change::transit`] only, by [`JobState::after`] and
//! together with the event that announces it and the [`Counts`]; a worker's write goes through [`Change::held_by`] or has the epoch in its
//! SQL condition.

use std::{fmt, time::SystemTime};

use rusqlite::{OptionalExtension as _, Row, ToSql, Transaction, params};
use serde_json::{Value, json};

use super::{
    rows::{self, length, millis, readable},
    survey,
};
use crate::{
    backend::RemoteRecord,
    jobs::{
        error::{StoreError, SubmitError},
        record::{Artifact, Cancelled, Inserted, JobError, NewJob, Outcome, Reordered},
        spend::{Booking, Charge},
        state::{JobState, Transition},
        store::{
            Claimed, LEASE, Lease, ProgressRecord, QueuedJob,
            counts::Counts,
            events::{self, LEASE_EXPIRED, RESTARTED},
        },
    },
    work::{Priority, Work, WorkKind, WorkSummary, folded},
};

/// Clears a worker's lease.
const UNHELD: &str = ", worker = NULL, lease_until = NULL";

/// A transaction that changes jobs.
pub(super) struct Change<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) now: SystemTime,
    /// The counters after the commit.
    pub(super) counts: Counts,
}

/// The columns of a job that a transition needs.
#[derive(Clone, Copy)]
struct Head {
    number: i64,
    state: JobState,
    epoch: i64,
    has_callback: bool,
}

const HEAD: &str = "number, state, epoch, callback_url IS NOT NULL";

impl Head {
    /// Reads a row of [`HEAD`]. `None` if its state cannot be read: no transition is possible from there.
    fn read(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let state = row.get_ref(1)?.as_str().ok().and_then(|state| state.parse().ok());
        let (number, epoch, has_callback) = (row.get(0)?, row.get(2)?, row.get(3)?);
        Ok(state.map(|state| Self { number, state, epoch, has_callback }))
    }
}

impl Change<'_> {
    fn at(&self) -> i64 {
        millis(self.now)
    }

    pub(super) fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        Ok(self.transaction.prepare_cached(sql)?.execute(params)?)
    }

    fn head(&self, id: &str) -> Result<Option<Head>, StoreError> {
        let mut select = self.transaction.prepare_cached(&format!("SELECT {HEAD} FROM jobs WHERE id = ?1"))?;
        Ok(select.query_row([id], Head::read).optional()?.flatten())
    }

    /// The job, if it runs under this lease.
    fn held_by(&self, lease: &Lease) -> Result<Option<Head>, StoreError> {
        let found = self.head(&lease.job)?;
        Ok(found.filter(|job| job.state == JobState::Running && u64::try_from(job.epoch) == Ok(lease.epoch)))
    }

    /// Applies a transition and announces it; `false` if it is not possible from the job's state. `set` has further columns to change, each
    /// after a comma, with parameters from `?4` on.
    fn transit(&mut self, job: Head, transition: Transition, data: &Value, set: &str, more: &[&dyn ToSql]) -> Result<bool, StoreError> {
        let Some(next) = job.state.after(transition) else { return Ok(false) };
        let at = self.at();
        let end = if next.is_final() { ", finished_at = ?3, work = ''" } else { "" };
        let sql = format!("UPDATE jobs SET state = ?2, updated_at = ?3{end}{set} WHERE number = ?1");
        let name = next.name();
        let mut values: Vec<&dyn ToSql> = vec![&job.number, &name, &at];
        values.extend(more);
        self.execute(&sql, values.as_slice())?;
        self.event(job.number, events::kind(transition, next), data)?;
        if next.is_final() && job.has_callback {
            let insert = "INSERT INTO deliveries (job, url, event, created_at, due_at)
                          SELECT number, callback_url, state, ?2, ?2 FROM jobs WHERE number = ?1";
            self.execute(insert, params![job.number, at])?;
        }
        if next.is_final() {
            self.settle(job.number, next)?;
        }
        self.counts.left(job.state);
        self.counts.entered(next);
        Ok(true)
    }

    fn event(&self, number: i64, kind: &str, data: &Value) -> Result<(), StoreError> {
        let row = params![number, self.at(), kind, data.to_string()];
        self.execute("INSERT INTO events (job, at, kind, data) VALUES (?1, ?2, ?3, ?4)", row).map(drop)
    }

    /// Inserts a job.
    pub(super) fn insert(&mut self, new: &NewJob, booking: Option<&Booking>, texts: &Texts) -> Result<Inserted, SubmitError> {
        if let Some(name) = &new.idempotency
            && let Some(job) = rows::replay(&self.transaction, &new.owner, name)?
        {
            return Ok(Inserted { job, replayed: true });
        }
        let insert = "INSERT INTO jobs (id, owner, state, priority, work, kind, metadata, callback_url, created_at, updated_at, parts,
                      provider, request, work_kind, prompt, search, about, own_priority)
                      VALUES (?1, ?2, 'queued', ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (id) DO NOTHING";
        let Texts { work, about, summary } = texts;
        let request = (!new.metadata.request.is_null()).then(|| new.metadata.request.to_string());
        let (work_kind, search) = (summary.kind.map(WorkKind::name), summary.prompt.as_deref().map(folded));
        let (metadata, parts) = (new.metadata.data.to_string(), new.work.parts());
        let (priority, kind) = (new.priority.name(), &new.metadata.kind);
        let provider = booking.map(|booking| booking.provider.as_str());
        let row = params![
            new.id,
            new.owner,
            priority,
            work,
            kind,
            metadata,
            new.callback_url,
            self.at(),
            parts,
            provider,
            request,
            work_kind,
            summary.prompt,
            search,
            about,
            new.own_priority.name()
        ];
        if self.execute(insert, row)? == 0 {
            return Err(SubmitError::IdTaken(new.id.clone()));
        }
        let number = self.transaction.last_insert_rowid();
        if let Some(name) = &new.idempotency {
            let insert = "INSERT INTO idempotency (owner, key, fingerprint, job) VALUES (?1, ?2, ?3, ?4)";
            self.execute(insert, params![new.owner, name.key, name.fingerprint, number])?;
        }
        self.event(number, "queued", &json!({}))?;
        if let Some(booking) = booking {
            self.book(number, &new.owner, booking)?;
            if let Some(model) = &booking.routed_to {
                self.event(number, "routed", &events::routed(model))?;
            }
        }
        self.counts.entered(JobState::Queued);
        let job = rows::job(&self.transaction, None, &new.id)?;
        let job = job.ok_or_else(|| corrupt(&new.id, "the row", &"it is not there"))?;
        Ok(Inserted { job, replayed: false })
    }

    pub(super) fn recover(&mut self) -> Result<Vec<QueuedJob>, StoreError> {
        self.end_unreadable()?;
        let running: Vec<Head> = {
            let mut select = self.transaction.prepare(&format!("SELECT {HEAD} FROM jobs WHERE state = 'running' ORDER BY number"))?;
            readable(select.query_map([], Head::read)?)?.into_iter().flatten().collect()
        };
        for job in running {
            self.transit(job, Transition::Requeue, &events::reason(RESTARTED), UNHELD, &[])?;
        }
        survey::queued(&self.transaction)
    }

    /// Ends jobs whose state cannot be read: no program writes such a state, and no transition is possible from it.
    fn end_unreadable(&mut self) -> Result<(), StoreError> {
        let known = JobState::ALL.map(|state| format!("'{}'", state.name())).join(", ");
        let unreadable: Vec<(i64, i64, bool, bool)> = {
            let sql =
                format!("SELECT number, epoch, callback_url IS NOT NULL, finished_at IS NOT NULL FROM jobs WHERE state NOT IN ({known})");
            let mut select = self.transaction.prepare(&sql)?;
            readable(select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?)?
        };
        for (number, epoch, has_callback, had_ended) in unreadable {
            if had_ended {
                // Its end was announced when it ended.
                self.execute("UPDATE jobs SET state = 'failed' WHERE number = ?1", [number])?;
                self.counts.entered(JobState::Failed);
            } else {
                let job = Head { number, state: JobState::Running, epoch, has_callback };
                self.counts.entered(job.state);
                self.end_failed(job, &events::unreadable("the stored job is damaged: its state cannot be read".to_owned()))?;
            }
        }
        Ok(())
    }

    pub(super) fn claim(&mut self, id: &str, worker: &str, most_idle: u32) -> Result<Claimed, StoreError> {
        let columns = "work, attempts, idle_attempts, percent, coalesce(lease_until, 0), remote";
        let read = |row: &Row<'_>| {
            // A damaged count must not keep the job from running.
            let count = |column| row.get::<_, u32>(column).unwrap_or_default();
            let work = row.get_ref(4)?.as_bytes().unwrap_or_default();
            // Parsed in place, because the text may contain images.
            let work = serde_json::from_slice::<Work>(work);
            let remote = row.get::<_, Option<String>>(9)?.map(|remote| serde_json::from_str::<RemoteRecord>(&remote)).transpose();
            // Without its record it is unknown whether a provider has the job.
            let work = work.and_then(|work| Ok((work, remote?)));
            Ok((Head::read(row)?, work, count(5), count(6), count(7), row.get::<_, i64>(8)?))
        };
        let at = self.at();
        let found = {
            let sql = format!("SELECT {HEAD}, {columns} FROM jobs WHERE id = ?1 AND state IN ('queued', 'running')");
            self.transaction.prepare_cached(&sql)?.query_row([id], read).optional()?
        };
        let Some((Some(mut job), work, attempts, idle, percent, lease_until)) = found else { return Ok(Claimed::Nothing) };
        if job.state == JobState::Running && lease_until > at {
            return Ok(Claimed::Nothing);
        }
        let is_elsewhere = work.as_ref().is_ok_and(|(_, remote)| remote.as_ref().is_some_and(|remote| remote.id().is_some()));
        if idle >= most_idle && !is_elsewhere {
            self.end_failed(job, &events::crashed(idle, percent))?;
            return Ok(Claimed::Nothing);
        }
        let (work, remote) = match work {
            Ok(known) => known,
            Err(error) => {
                self.end_failed(job, &events::unreadable(format!("the stored work cannot be read: {error}")))?;
                return Ok(Claimed::Nothing);
            }
        };
        if job.state == JobState::Running {
            self.transit(job, Transition::Requeue, &events::reason(LEASE_EXPIRED), UNHELD, &[])?;
            job.state = JobState::Queued;
        }
        let epoch = job.epoch.max(0) + 1;
        let set = ", attempts = attempts + 1, idle_attempts = idle_attempts + 1, started_at = coalesce(started_at, ?3),
                   epoch = ?4, worker = ?5, lease_until = ?6";
        self.transit(job, Transition::Start, &events::attempt(attempts + 1), set, &[&epoch, &worker, &self.lease_end()])?;
        Ok(Claimed::Work(Lease { job: id.to_owned(), epoch: epoch.cast_unsigned() }, work.into(), remote))
    }

    fn lease_end(&self) -> i64 {
        millis(self.now + LEASE)
    }

    pub(super) fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let update = "UPDATE jobs SET lease_until = ?3 WHERE id = ?1 AND epoch = ?2 AND state = 'running'";
        Ok(self.execute(update, params![lease.job, lease.epoch.cast_signed(), self.lease_end()])? > 0)
    }

    pub(super) fn record_progress(&self, lease: &Lease, progress: &ProgressRecord) -> Result<bool, StoreError> {
        let update = "UPDATE jobs SET updated_at = ?3, lease_until = ?5, idle_attempts = iif(?4 > percent, 0, idle_attempts),
                      percent = max(percent, ?4) WHERE id = ?1 AND epoch = ?2 AND state = 'running' RETURNING number";
        let values = params![lease.job, lease.epoch.cast_signed(), self.at(), progress.percent.min(99), self.lease_end()];
        let number = self.transaction.prepare_cached(update)?.query_row(values, |row| row.get(0)).optional()?;
        let Some(number) = number else { return Ok(false) };
        self.event(number, progress.kind, &progress.data)?;
        Ok(true)
    }

    pub(super) fn record_remote(&mut self, lease: &Lease, record: &RemoteRecord) -> Result<bool, StoreError> {
        let Some(job) = self.held_by(lease)? else { return Ok(false) };
        let text = serde_json::to_string(record).map_err(|error| corrupt(&lease.job, "the record", &error))?;
        let known = "SELECT provider, remote_id IS NOT NULL FROM jobs WHERE number = ?1";
        let read = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, bool>(1)?));
        let (provider, is_known) = self.transaction.prepare_cached(known)?.query_row([job.number], read)?;
        let update = "UPDATE jobs SET remote = ?2, remote_id = ?3, updated_at = ?4, lease_until = ?5 WHERE number = ?1";
        self.execute(update, params![job.number, text, record.id(), self.at(), self.lease_end()])?;
        if let Some(id) = record.id().filter(|_| !is_known) {
            self.execute("UPDATE jobs SET idle_attempts = 0 WHERE number = ?1", [job.number])?;
            self.event(job.number, "remote", &events::remote(&provider.unwrap_or_default(), id))?;
        }
        Ok(true)
    }

    pub(super) fn complete(&mut self, lease: &Lease, outcome: &str, files: &[Artifact]) -> Result<bool, StoreError> {
        let Some(job) = self.held_by(lease)? else { return Ok(false) };
        let names = events::files(files.iter().map(|file| file.name.as_str()));
        let set = format!("{UNHELD}, outcome = ?4, percent = 100");
        self.transit(job, Transition::Complete, &names, &set, &[&outcome])?;
        for file in files {
            let insert = "INSERT INTO artifacts (job, name, media_type, bytes, sha256) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.execute(insert, params![job.number, file.name, file.media_type, file.bytes.cast_signed(), file.sha256])?;
            self.counts.kept(1, file.bytes);
        }
        Ok(true)
    }

    pub(super) fn fail(&mut self, lease: &Lease, error: &JobError, charge: Charge) -> Result<bool, StoreError> {
        let Some(job) = self.held_by(lease)? else { return Ok(false) };
        if charge == Charge::Never {
            self.release_reservation(job.number)?;
        }
        self.end_failed(job, error)
    }

    fn end_failed(&mut self, job: Head, error: &JobError) -> Result<bool, StoreError> {
        let set = format!("{UNHELD}, error_kind = ?4, error_message = ?5, error_retryable = ?6");
        self.transit(job, Transition::Fail, &events::failure(error), &set, &[&error.kind.name(), &error.message, &error.retryable])
    }

    pub(super) fn release(&mut self, lease: &Lease, reason: &str) -> Result<bool, StoreError> {
        let Some(job) = self.held_by(lease)? else { return Ok(false) };
        let set = format!("{UNHELD}, idle_attempts = max(idle_attempts - 1, 0)");
        self.transit(job, Transition::Requeue, &events::reason(reason), &set, &[])
    }

    pub(super) fn cancel(&mut self, owner: &str, id: &str) -> Result<Cancelled, StoreError> {
        let Some(job) = rows::job(&self.transaction, Some(owner), id)? else { return Ok(Cancelled::Unknown) };
        let is_cancelled = match self.head(id)? {
            Some(head) => {
                let set = format!("{UNHELD}, untold_cancel = iif(remote_id IS NULL, NULL, 1)");
                self.transit(head, Transition::Cancel, &json!({}), &set, &[])?
            }
            // Its state cannot be read, and its owner sees it as failed.
            None => false,
        };
        if !is_cancelled {
            return Ok(Cancelled::Finished(job));
        }
        Ok(rows::job(&self.transaction, Some(owner), id)?.map_or(Cancelled::Unknown, Cancelled::Done))
    }

    pub(super) fn set_own_priority(&self, owner: &str, id: &str, priority: Priority) -> Result<Reordered, StoreError> {
        let Some(job) = rows::job(&self.transaction, Some(owner), id)? else { return Ok(Reordered::Unknown) };
        if job.state != JobState::Queued {
            return Ok(Reordered::NotWaiting(job));
        }
        let update = "UPDATE jobs SET own_priority = ?2, updated_at = ?3 WHERE number = ?1";
        self.execute(update, params![job.number, priority.name(), self.at()])?;
        self.event(job.number, "priority", &events::priority(priority))?;
        Ok(rows::job(&self.transaction, Some(owner), id)?.map_or(Reordered::Unknown, Reordered::Done))
    }

    pub(super) fn cancel_delivered(&self, id: &str) -> Result<(), StoreError> {
        self.execute("UPDATE jobs SET untold_cancel = NULL WHERE id = ?1 AND untold_cancel IS NOT NULL", [id]).map(drop)
    }

    pub(super) fn delivery_tried(&self, id: i64, next: Option<SystemTime>, reason: Option<&str>) -> Result<(), StoreError> {
        let arrived = reason.is_none().then(|| self.at());
        let update = "UPDATE deliveries SET attempts = attempts + 1, due_at = ?2, last_error = ?3, delivered_at = ?4 WHERE id = ?1";
        self.execute(update, params![id, next.map(millis), reason, arrived]).map(drop)
    }

    pub(super) fn file_removed(&mut self, id: &str, name: &str) -> Result<(), StoreError> {
        let update = "UPDATE artifacts SET removed_at = ?3 WHERE name = ?2 AND job = (SELECT number FROM jobs WHERE id = ?1)
                      AND removed_at IS NULL RETURNING bytes";
        let values = params![id, name, self.at()];
        let bytes = self.transaction.prepare_cached(update)?.query_row(values, |row| row.get(0)).optional()?;
        if let Some(bytes) = bytes {
            self.counts.removed(length(bytes));
        }
        Ok(())
    }

    pub(super) fn forget_before(&mut self, time: SystemTime) -> Result<usize, StoreError> {
        let delete = "DELETE FROM jobs WHERE finished_at < ?1 AND NOT EXISTS
                      (SELECT 1 FROM artifacts WHERE job = jobs.number AND removed_at IS NULL)
                      AND NOT EXISTS (SELECT 1 FROM deliveries WHERE job = jobs.number AND due_at IS NOT NULL) RETURNING state";
        let forgotten: Vec<Option<JobState>> = {
            let mut delete = self.transaction.prepare(delete)?;
            let read = |row: &Row<'_>| Ok(row.get_ref(0)?.as_str().ok().and_then(|state| state.parse().ok()));
            readable(delete.query_map([millis(time)], read)?)?
        };
        for state in forgotten.iter().flatten() {
            self.counts.left(*state);
        }
        Ok(forgotten.len())
    }

    pub(super) fn forget(&mut self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let delete = "DELETE FROM jobs WHERE owner = ?1 AND id = ?2 AND finished_at IS NOT NULL AND untold_cancel IS NULL
                      AND NOT EXISTS (SELECT 1 FROM artifacts WHERE job = jobs.number AND removed_at IS NULL) RETURNING state";
        let read = |row: &Row<'_>| Ok(row.get_ref(0)?.as_str().ok().and_then(|state| state.parse::<JobState>().ok()));
        let forgotten = self.transaction.prepare_cached(delete)?.query_row([owner, id], read).optional()?;
        if let Some(Some(state)) = forgotten {
            self.counts.left(state);
        }
        Ok(forgotten.is_some())
    }

    /// Writes without changing anything, to test whether writing works.
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        // The number is unchanged; what matters is that a page reaches the disk.
        let number: i64 = self.transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok(self.transaction.pragma_update(None, "application_id", number)?)
    }
}

/// A job's work as stored.
pub(super) struct Texts {
    /// The work itself, as JSON.
    work: String,
    summary: WorkSummary,
    /// What of the summary has no column of its own, as JSON.
    about: String,
}

impl Texts {
    /// The texts of a job's work. Takes a moment, because there may be images in it.
    pub(super) fn of(new: &NewJob) -> Result<Self, StoreError> {
        let unwritable = |error: serde_json::Error| corrupt(&new.id, "the work", &error);
        let summary = WorkSummary::of(&new.work);
        let about = serde_json::to_string(&summary).map_err(unwritable)?;
        Ok(Self { work: serde_json::to_string(&new.work).map_err(unwritable)?, summary, about })
    }
}

/// An outcome as stored.
pub(super) fn outcome_text(job: &str, outcome: &Outcome) -> Result<String, StoreError> {
    serde_json::to_string(outcome).map_err(|error| corrupt(job, "the outcome", &error))
}

pub(super) fn corrupt(job: &str, what: &'static str, reason: &dyn fmt::Display) -> StoreError {
    StoreError::Corrupt { job: job.to_owned(), what, reason: reason.to_string() }
}
