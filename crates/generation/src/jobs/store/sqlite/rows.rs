//! Reads jobs, their events and their webhook messages. Nothing here writes.
//!
//! Invariant: a damaged row is read as far as possible, names what cannot be read, and hides no other.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{
    Connection, OptionalExtension as _, Row, params, params_from_iter,
    types::{FromSql, Value},
};

use crate::{
    backend::{RemoteRecord, job::JobProgress},
    jobs::{
        error::{StoreError, SubmitError},
        record::{Artifact, Delivery, Idempotency, Job, JobError, JobErrorKind, JobEvent, Metadata, Page},
        state::JobState,
        store::{OwnerEvents, events},
    },
    work::{Priority, WorkKind, WorkSummary, folded},
};

const COLUMNS: &str = "number, id, owner, state, priority, kind, metadata, created_at, updated_at, started_at, finished_at, attempts,
                       percent, parts, error_kind, error_message, error_retryable, outcome, provider, remote, request, work_kind, prompt,
                       about, own_priority";

/// Milliseconds since 1970; times out of range are clamped.
pub(super) fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

/// A time by its milliseconds since 1970.
pub(super) fn time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}

/// Reads a row's columns, and records the first that cannot be read.
struct Reader<'a, 'r> {
    row: &'a Row<'r>,
    damage: Option<String>,
}

impl Reader<'_, '_> {
    /// A column's value; the default if it cannot be read.
    fn get<T: FromSql + Default>(&mut self, column: &str) -> T {
        self.row.get(column).unwrap_or_else(|error| self.damaged(column, &error))
    }

    /// Parses a text column with `read`; NULL gives the default.
    fn parse<T: Default, E: fmt::Display>(&mut self, column: &str, read: impl FnOnce(&str) -> Result<T, E>) -> T {
        let text: Option<String> = self.get(column);
        text.map_or_else(T::default, |text| read(&text).unwrap_or_else(|error| self.damaged(column, &error)))
    }

    fn damaged<T: Default>(&mut self, column: &str, reason: &dyn fmt::Display) -> T {
        self.damage.get_or_insert_with(|| format!("the stored job is damaged: its {column} cannot be read ({reason})"));
        T::default()
    }
}

/// A row of `COLUMNS` as a job without its files. Unreadable columns get defaults and are reported.
fn read_job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let number = row.get("number")?;
    // The id names the job to its owner, so a damaged one is returned as far as it can be read.
    let id = row.get_ref("id")?.as_bytes().map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default();
    let mut reader = Reader { row, damage: None };
    let percent: u32 = reader.get("percent");
    let parts: u32 = reader.get("parts");
    let error_kind = reader.parse("error_kind", |word| {
        let known = JobErrorKind::ALL.into_iter().find(|known| known.name() == word);
        known.map(Some).ok_or("unknown kind")
    });
    let provider: Option<String> = reader.get("provider");
    let record: Option<RemoteRecord> = reader.parse("remote", |record| serde_json::from_str(record).map(Some));
    let mut job = Job {
        number,
        id,
        owner: reader.get("owner"),
        priority: reader.parse("priority", |word| word.parse().map(Some::<Priority>)).unwrap_or(Priority::Normal),
        own_priority: reader.parse("own_priority", |word| word.parse().map(Some::<Priority>)).unwrap_or_default(),
        state: reader.parse("state", |word| word.parse().map(Some::<JobState>)).unwrap_or(JobState::Failed),
        created_at: time(reader.get("created_at")),
        updated_at: time(reader.get("updated_at")),
        started_at: reader.get::<Option<i64>>("started_at").map(time),
        finished_at: reader.get::<Option<i64>>("finished_at").map(time),
        attempts: reader.get("attempts"),
        progress: JobProgress { parts, share: f64::from(percent.min(100)) / 100.0, ..JobProgress::default() },
        position: None,
        eta: None,
        metadata: Metadata {
            kind: reader.get("kind"),
            data: reader.parse("metadata", |data| serde_json::from_str(data)),
            request: reader.parse("request", |request| serde_json::from_str(request)),
        },
        about: WorkSummary {
            kind: reader.parse("work_kind", |name| name.parse().map(Some::<WorkKind>)),
            prompt: reader.get("prompt"),
            ..reader.parse("about", |about| serde_json::from_str(about))
        },
        error: error_kind.map(|kind| JobError {
            kind,
            message: reader.get::<Option<String>>("error_message").unwrap_or_default(),
            retryable: reader.get::<Option<bool>>("error_retryable").unwrap_or_default(),
        }),
        outcome: reader.parse("outcome", |outcome| serde_json::from_str(outcome).map(Some)),
        artifacts: Vec::new(),
        remote: provider.map(|provider| events::remote_job(provider, record.as_ref())),
        waits_for: None,
        blocked_by: None,
        damage: None,
    };
    job.progress.started = job.started_at.is_some();
    job.damage = reader.damage;
    Ok(job)
}

/// Adds the job's files. A completed job whose outcome cannot be read is returned as failed.
fn with_files(connection: &Connection, mut job: Job) -> Result<Job, StoreError> {
    if job.state == JobState::Completed {
        job.progress.part = job.progress.parts;
        job.artifacts = artifacts(connection, job.number)?;
        if job.outcome.is_none() {
            job.state = JobState::Failed;
        }
    }
    if job.state == JobState::Failed && job.error.is_none() {
        let message = job.damage.clone().unwrap_or_else(|| "the stored job is damaged: its outcome is missing".to_owned());
        job.error = Some(JobError { kind: JobErrorKind::Internal, message, retryable: false });
    }
    Ok(job)
}

/// A job by its id; if an owner is given, only that owner's job.
pub(super) fn job(connection: &Connection, owner: Option<&str>, id: &str) -> Result<Option<Job>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)");
    let found = connection.prepare_cached(&sql)?.query_row(params![id, owner], read_job).optional()?;
    found.map(|found| with_files(connection, found)).transpose()
}

/// The newest of an owner's jobs with this provider id.
pub(super) fn remote_job(connection: &Connection, owner: &str, remote_id: &str) -> Result<Option<Job>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE remote_id = ?1 AND owner = ?2 ORDER BY number DESC LIMIT 1");
    let found = connection.prepare_cached(&sql)?.query_row(params![remote_id, owner], read_job).optional()?;
    found.map(|found| with_files(connection, found)).transpose()
}

/// A job's state; an unreadable one counts as failed.
pub(super) fn state(connection: &Connection, id: &str) -> Result<Option<JobState>, StoreError> {
    let mut select = connection.prepare_cached("SELECT state FROM jobs WHERE id = ?1")?;
    let read = |row: &Row<'_>| Ok(row.get_ref(0)?.as_str().ok().and_then(|state| state.parse().ok()).unwrap_or(JobState::Failed));
    Ok(select.query_row([id], read).optional()?)
}

/// An owner's jobs.
pub(super) fn jobs(connection: &Connection, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError> {
    let mut filter = "owner = ?".to_owned();
    let mut values = vec![Value::from(owner.to_owned())];
    let mut only = |condition: &str, value: Value| {
        filter.push_str(condition);
        values.push(value);
    };
    if let Some(beyond) = page.beyond {
        only(if page.newest_first { " AND number < ?" } else { " AND number > ?" }, beyond.into());
    }
    if let Some(kind) = &page.kind {
        only(" AND kind = ?", kind.clone().into());
    }
    if let Some(kind) = page.work_kind {
        only(" AND work_kind = ?", kind.name().to_owned().into());
    }
    for word in &page.words {
        only(" AND instr(search, ?) > 0", folded(word).into());
    }
    if !page.states.is_empty() {
        let names: Vec<String> = page.states.iter().map(|state| format!("'{}'", state.name())).collect();
        filter.push_str(&format!(" AND state IN ({})", names.join(", ")));
    }
    values.push(i64::try_from(page.limit).unwrap_or(i64::MAX).into());
    let order = if page.newest_first { "DESC" } else { "ASC" };
    // The index has everything that is filtered, so that no other row is read: one may hold megabytes of pictures.
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs WHERE number IN
         (SELECT number FROM jobs INDEXED BY jobs_by_search WHERE {filter} ORDER BY number {order} LIMIT ?) ORDER BY number {order}"
    );
    let rows: Vec<Job> = connection.prepare_cached(&sql)?.query_map(params_from_iter(values), read_job)?.collect::<Result<_, _>>()?;
    rows.into_iter().map(|row| with_files(connection, row)).collect()
}

fn artifacts(connection: &Connection, number: i64) -> Result<Vec<Artifact>, StoreError> {
    let sql = "SELECT name, media_type, bytes, sha256, removed_at IS NOT NULL FROM artifacts WHERE job = ?1 ORDER BY rowid";
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Artifact { name: row.get(0)?, media_type: row.get(1)?, bytes: length(row.get(2)?), sha256: row.get(3)?, expired: row.get(4)? })
    };
    readable(select.query_map([number], read)?)
}

/// A file's length. A damaged one counts as 0, because it is no reason to remove the file.
pub(super) fn length(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// The readable rows, with a log line for each other one, so that a damaged row does not hide the others. An error of the database itself
/// fails the call.
pub(super) fn readable<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        match row {
            Ok(row) => found.push(row),
            Err(error) if error.sqlite_error().is_some() => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "a row of the job store cannot be read and is left out"),
        }
    }
    Ok(found)
}

/// The events of an owner's job after an event's number, the oldest first; `None` if there is no such job.
pub(super) fn events(
    connection: &Connection,
    owner: &str,
    id: &str,
    after: i64,
    limit: usize,
) -> Result<Option<Vec<JobEvent>>, StoreError> {
    let mut select = connection.prepare_cached("SELECT number FROM jobs WHERE id = ?1 AND owner = ?2")?;
    let Some(number) = select.query_row([id, owner], |row| row.get::<_, i64>(0)).optional()? else { return Ok(None) };
    let sql = "SELECT id, at, kind, data FROM events WHERE job = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    readable(select.query_map(params![number, after, limit], event)?).map(Some)
}

/// An event from a row of its id, time, kind and data.
fn event(row: &Row<'_>) -> rusqlite::Result<JobEvent> {
    let data: String = row.get(3)?;
    Ok(JobEvent {
        id: row.get(0)?,
        at: time(row.get(1)?),
        kind: row.get(2)?,
        // Written by this program; unreadable data is replaced by null.
        data: serde_json::from_str(&data).unwrap_or_default(),
    })
}

/// The number of the last event that was ever written; 0 if there was none.
pub(super) fn last_event(connection: &Connection) -> Result<i64, StoreError> {
    let mut select = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?;
    Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The events of an owner's jobs after an event's number, the oldest first.
pub(super) fn owner_events(connection: &Connection, owner: &str, after: i64, limit: usize) -> Result<OwnerEvents, StoreError> {
    // Read first: an event that is written meanwhile is one of the next.
    let last = last_event(connection)?;
    // In this order of the tables, because the new events are few, and the owner's jobs may be many.
    let sql = "SELECT events.id, at, events.kind, data, jobs.id FROM events CROSS JOIN jobs ON jobs.number = job
               WHERE events.id > ?2 AND events.id <= ?3 AND owner = ?1 ORDER BY events.id LIMIT ?4";
    let mut select = connection.prepare_cached(sql)?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let events = readable(select.query_map(params![owner, after, last, most], |row| Ok((row.get::<_, String>(4)?, event(row)?)))?)?;
    let until = events.last().filter(|_| events.len() == limit).map_or(after.max(last), |(_, event)| event.id);
    Ok(OwnerEvents { events, until })
}

/// The job that was submitted with this idempotency key; an error if the key was used with another request.
pub(super) fn replay(connection: &Connection, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError> {
    let sql = "SELECT jobs.id, fingerprint FROM idempotency JOIN jobs ON jobs.number = job WHERE idempotency.owner = ?1 AND key = ?2";
    let mut select = connection.prepare_cached(sql).map_err(StoreError::from)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let found = select.query_row(params![owner, name.key], read).optional().map_err(StoreError::from)?;
    match found {
        None => Ok(None),
        Some((id, fingerprint)) if fingerprint == name.fingerprint => Ok(job(connection, Some(owner), &id)?),
        Some(_) => Err(SubmitError::IdempotencyConflict { key: name.key.clone() }),
    }
}

/// Due webhook messages: round robin over owners, within an owner over hosts, and within a host over first attempts and retries.
pub(super) fn due_deliveries(connection: &Connection, limit: usize, now: SystemTime) -> Result<Vec<Delivery>, StoreError> {
    // Otherwise a thousand overdue messages to a host that does not answer would hide all others. The host is the URL up to its path.
    let sql = "SELECT id, job, owner, url, event, attempts, created_at FROM
               (SELECT deliveries.id, jobs.id AS job, owner, url, event, deliveries.attempts, deliveries.created_at, due_at,
                row_number() OVER (PARTITION BY owner, substr(url, 1, 8 + instr(substr(url, 9) || '/', '/')), deliveries.attempts > 0
                                   ORDER BY due_at, deliveries.id) AS turn
                FROM deliveries JOIN jobs ON jobs.number = job WHERE due_at <= ?1)
               ORDER BY row_number() OVER (PARTITION BY owner ORDER BY turn, due_at, id), due_at, id LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Delivery {
            id: row.get(0)?,
            job: row.get(1)?,
            owner: row.get(2)?,
            url: row.get(3)?,
            event: row.get(4)?,
            attempts: row.get(5)?,
            created_at: time(row.get(6)?),
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    readable(select.query_map(params![millis(now), limit], read)?)
}
