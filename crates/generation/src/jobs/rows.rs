//! Reading the job store's rows. Nothing here writes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::{
    error::StoreError,
    record::{Artifact, Delivery, Job, JobError, JobErrorKind, JobEvent, Page},
    state::{JobState, Priority},
    store::{Waiting, corrupt},
};
use crate::JobProgress;

const COLUMNS: &str = "number, id, owner, state, priority, note, created_at, updated_at, started_at, finished_at, attempts, percent, parts,
                       error_kind, error_message, error_retryable, outcome";

/// Milliseconds since 1970; the ends of time beyond what a number holds.
pub(super) fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

/// The time of so many milliseconds since 1970.
pub(super) fn time(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}

/// A row of `COLUMNS`, before its words are understood.
struct Raw {
    job: Job,
    state: String,
    priority: String,
    note: String,
    error: Option<(String, String, bool)>,
    outcome: Option<String>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let percent: u32 = row.get("percent")?;
    let parts: u32 = row.get("parts")?;
    let optional_time = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(time));
    let error_kind: Option<String> = row.get("error_kind")?;
    let error = match error_kind {
        Some(kind) => Some((kind, row.get("error_message")?, row.get("error_retryable")?)),
        None => None,
    };
    Ok(Raw {
        job: Job {
            number: row.get("number")?,
            id: row.get("id")?,
            owner: row.get("owner")?,
            priority: Priority::Normal,
            state: JobState::Queued,
            created_at: time(row.get("created_at")?),
            updated_at: time(row.get("updated_at")?),
            started_at: optional_time("started_at")?,
            finished_at: optional_time("finished_at")?,
            attempts: row.get("attempts")?,
            progress: JobProgress { parts, share: f64::from(percent) / 100.0, ..JobProgress::default() },
            position: None,
            eta: None,
            note: serde_json::Value::Null,
            error: None,
            outcome: None,
            artifacts: Vec::new(),
        },
        state: row.get("state")?,
        priority: row.get("priority")?,
        note: row.get("note")?,
        error,
        outcome: row.get("outcome")?,
    })
}

fn understood(connection: &Connection, raw: Raw) -> Result<Job, StoreError> {
    let Raw { mut job, state, priority, note, error, outcome } = raw;
    job.state = state.parse().map_err(|error| corrupt(&job.id, "the state", &error))?;
    job.priority = priority.parse().map_err(|error| corrupt(&job.id, "the priority", &error))?;
    job.note = serde_json::from_str(&note).map_err(|error| corrupt(&job.id, "the note", &error))?;
    job.error = match error {
        Some((kind, message, retryable)) => {
            let kind = JobErrorKind::ALL.into_iter().find(|known| known.name() == kind);
            Some(JobError { kind: kind.ok_or_else(|| corrupt(&job.id, "the error", &"unknown kind"))?, message, retryable })
        }
        None => None,
    };
    let outcome = outcome.map(|outcome| serde_json::from_str(&outcome)).transpose();
    job.outcome = outcome.map_err(|error| corrupt(&job.id, "the outcome", &error))?;
    job.progress.started = job.started_at.is_some();
    if job.state == JobState::Completed {
        job.progress.part = job.progress.parts;
        job.artifacts = artifacts(connection, job.number)?;
    }
    Ok(job)
}

/// A job by its id; with an owner only if it is theirs.
pub(super) fn job(connection: &Connection, owner: Option<&str>, id: &str) -> Result<Option<Job>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)");
    let found = connection.prepare_cached(&sql)?.query_row(params![id, owner], raw).optional()?;
    found.map(|found| understood(connection, found)).transpose()
}

/// An owner's jobs.
pub(super) fn jobs(connection: &Connection, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError> {
    let (beyond, order) = if page.newest_first { ("number < :beyond", "DESC") } else { ("number > :beyond", "ASC") };
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs WHERE owner = :owner AND (:beyond IS NULL OR {beyond}) AND (:state IS NULL OR state = :state)
         ORDER BY number {order} LIMIT :limit"
    );
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let wanted = named_params! {":owner": owner, ":beyond": page.beyond, ":state": page.state.map(JobState::name), ":limit": limit};
    let rows: Vec<Raw> = connection.prepare_cached(&sql)?.query_map(wanted, raw)?.collect::<Result<_, _>>()?;
    rows.into_iter().map(|row| understood(connection, row)).collect()
}

fn artifacts(connection: &Connection, number: i64) -> Result<Vec<Artifact>, StoreError> {
    let sql = "SELECT name, media_type, bytes, sha256, removed_at IS NOT NULL FROM artifacts WHERE job = ?1 ORDER BY rowid";
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Artifact {
            name: row.get(0)?,
            media_type: row.get(1)?,
            bytes: row.get::<_, i64>(2)?.cast_unsigned(),
            sha256: row.get(3)?,
            expired: row.get(4)?,
        })
    };
    Ok(select.query_map([number], read)?.collect::<Result<_, _>>()?)
}

/// What happened to a job after an event, the oldest first.
pub(super) fn events(connection: &Connection, number: i64, after: i64, limit: usize) -> Result<Vec<JobEvent>, StoreError> {
    let sql = "SELECT id, at, kind, data FROM events WHERE job = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let data: String = row.get(3)?;
        Ok(JobEvent {
            id: row.get(0)?,
            at: time(row.get(1)?),
            kind: row.get(2)?,
            // It was written by us; what cannot be read says nothing.
            data: serde_json::from_str(&data).unwrap_or_default(),
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(select.query_map(params![number, after, limit], read)?.collect::<Result<_, _>>()?)
}

/// All jobs that wait, the oldest first.
pub(super) fn waiting(connection: &Connection) -> Result<Vec<Waiting>, StoreError> {
    let mut select = connection.prepare("SELECT id, owner, priority, parts FROM jobs WHERE state = 'queued' ORDER BY number")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?));
    let rows: Vec<(String, String, String, u32)> = select.query_map([], read)?.collect::<Result<_, _>>()?;
    rows.into_iter()
        .map(|(id, owner, priority, parts)| {
            let priority = priority.parse().map_err(|error| corrupt(&id, "the priority", &error))?;
            Ok(Waiting { id, owner, priority, parts })
        })
        .collect()
}

/// Messages whose time has come: of all owners in turn, of each owner those of all hosts, and of each host first tries and later ones.
pub(super) fn due_deliveries(connection: &Connection, limit: usize, now: SystemTime) -> Result<Vec<Delivery>, StoreError> {
    // Else a thousand that are due longest, and at a host that does not answer, would hide all others. A URL up to its path is its host.
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
    Ok(select.query_map(params![millis(now), limit], read)?.collect::<Result<_, _>>()?)
}

/// Every file that is kept, the oldest first.
pub(super) fn kept_files(connection: &Connection) -> Result<Vec<(String, String, u64, SystemTime)>, StoreError> {
    let sql = "SELECT jobs.id, name, bytes, coalesce(finished_at, updated_at) FROM artifacts JOIN jobs ON jobs.number = job
               WHERE removed_at IS NULL ORDER BY finished_at, number";
    let mut select = connection.prepare(sql)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned(), time(row.get(3)?)));
    Ok(select.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// How many jobs stand where.
pub(super) fn counts(connection: &Connection) -> Result<Vec<(JobState, u64)>, StoreError> {
    let mut select = connection.prepare_cached("SELECT state, count(*) FROM jobs GROUP BY state")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned()));
    let rows: Vec<(String, u64)> = select.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(rows.into_iter().filter_map(|(state, count)| Some((state.parse().ok()?, count))).collect())
}
