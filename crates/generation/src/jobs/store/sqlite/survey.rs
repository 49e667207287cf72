//! Queries over all jobs of the store: which wait, which files are kept, how many are in each state, and whether rows contradict each
//! other. Nothing here writes.

use rusqlite::{Connection, Row};

use super::rows::{length, readable, time};
use crate::{
    jobs::{
        error::StoreError,
        store::{JobIds, KeptFile, PendingCancel, QueuedJob, consistency, consistency::Facts, counts::Counts},
    },
    work::{Priority, UPSCALERS},
};

/// All waiting jobs, the oldest first.
pub(super) fn queued(connection: &Connection) -> Result<Vec<QueuedJob>, StoreError> {
    // Damaged work names no model; the claim will report it.
    let sql = format!(
        "SELECT id, owner, priority, parts, provider, own_priority,
         iif(json_valid(work), coalesce(work ->> '$.pictures.model', work ->> '$.video.scenes.model', work ->> '$.video.animation.model',
                                        work ->> '$.video.clip.model',
                                        iif(json_type(work, '$.upscale') IS NOT NULL, '{UPSCALERS}', NULL)), NULL)
         FROM jobs WHERE state = 'queued' ORDER BY number"
    );
    let mut select = connection.prepare(&sql)?;
    let read = |row: &Row<'_>| {
        let priority = |column| row.get_ref(column).ok()?.as_str().ok()?.parse::<Priority>().ok();
        let (priority, own_priority) = (priority(2).unwrap_or_default(), priority(5).unwrap_or_default());
        let (parts, model) = (row.get(3).unwrap_or(1), row.get(6).unwrap_or_default());
        Ok(QueuedJob { id: row.get(0)?, owner: row.get(1)?, priority, own_priority, parts, provider: row.get(4)?, model })
    };
    readable(select.query_map([], read)?)
}

/// The cancelled jobs whose providers have not been told yet, the oldest first.
pub(super) fn pending_cancels(connection: &Connection) -> Result<Vec<PendingCancel>, StoreError> {
    let sql = "SELECT id, provider, remote_id FROM jobs WHERE untold_cancel IS NOT NULL ORDER BY number";
    let mut select = connection.prepare_cached(sql)?;
    readable(select.query_map([], |row| Ok(PendingCancel { job: row.get(0)?, provider: row.get(1)?, remote_id: row.get(2)? }))?)
}

/// All kept files, the oldest first.
pub(super) fn kept_files(connection: &Connection) -> Result<Vec<KeptFile>, StoreError> {
    let sql = "SELECT jobs.id, name, bytes, coalesce(finished_at, updated_at) FROM artifacts JOIN jobs ON jobs.number = job
               WHERE removed_at IS NULL ORDER BY finished_at, number";
    let mut select = connection.prepare(sql)?;
    let read =
        |row: &Row<'_>| Ok(KeptFile { job: row.get(0)?, name: row.get(1)?, bytes: length(row.get(2)?), finished_at: time(row.get(3)?) });
    readable(select.query_map([], read)?)
}

/// The ids of all jobs, as one snapshot.
pub(super) fn ids(connection: &Connection) -> Result<JobIds, StoreError> {
    let sql = "SELECT id, state IN ('queued', 'running'), EXISTS (SELECT 1 FROM artifacts WHERE job = number AND removed_at IS NULL)
               FROM jobs";
    let mut select = connection.prepare(sql)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?));
    let mut ids = JobIds::default();
    for (id, is_open, has_files) in readable(select.query_map([], read)?)? {
        if is_open {
            ids.open.insert(id.clone());
        }
        if has_files {
            ids.with_files.insert(id.clone());
        }
        ids.known.insert(id);
    }
    Ok(ids)
}

/// The counters, computed from all rows.
pub(super) fn count(connection: &Connection) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut select = connection.prepare("SELECT state, count(*) FROM jobs GROUP BY state")?;
    for (state, jobs) in readable(select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?)? {
        if let Ok(state) = state.parse() {
            counts.entered_by(state, jobs.cast_unsigned());
        }
    }
    // Not with SQL's sum, which fails if damaged lengths overflow it.
    let mut select = connection.prepare("SELECT bytes FROM artifacts WHERE removed_at IS NULL")?;
    for bytes in readable(select.query_map([], |row| row.get(0))?)? {
        counts.kept(1, length(bytes));
    }
    Ok(counts)
}

/// Contradictions, one sentence each.
pub(super) fn inconsistencies(connection: &Connection, counts: &Counts) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let sql = "SELECT number, id, state, epoch, attempts, percent, worker IS NOT NULL, lease_until IS NOT NULL, started_at IS NOT NULL,
               finished_at IS NOT NULL, work <> '', outcome IS NOT NULL, error_kind IS NOT NULL, callback_url IS NOT NULL,
               (SELECT count(*) FROM artifacts WHERE job = number), provider IS NOT NULL,
               (SELECT spend.state FROM spend WHERE job = number), remote_id, remote FROM jobs ORDER BY number";
    let read = |row: &Row<'_>| {
        let facts = Facts {
            id: row.get(1)?,
            state: row.get::<_, String>(2)?.parse().ok(),
            epoch: row.get::<_, i64>(3)?.try_into().unwrap_or(0),
            attempts: row.get(4)?,
            percent: row.get(5)?,
            has_worker: row.get(6)?,
            has_lease: row.get(7)?,
            is_started: row.get(8)?,
            is_finished: row.get(9)?,
            has_work: row.get(10)?,
            has_outcome: row.get(11)?,
            has_error: row.get(12)?,
            has_callback: row.get(13)?,
            files: row.get::<_, i64>(14)?.cast_unsigned(),
            is_remote: row.get(15)?,
            spend: row.get(16)?,
            remote_id: row.get(17)?,
            record: row.get::<_, Option<String>>(18)?.and_then(|record| serde_json::from_str(&record).ok()),
            ..Facts::default()
        };
        Ok((row.get::<_, i64>(0)?, facts))
    };
    let mut events = connection.prepare("SELECT id, kind FROM events WHERE job = ?1 ORDER BY id")?;
    let mut deliveries = connection.prepare("SELECT event FROM deliveries WHERE job = ?1 ORDER BY id")?;
    for row in connection.prepare(sql)?.query_map([], read)? {
        let (number, mut job) = match row {
            Ok(row) => row,
            Err(error) if error.sqlite_error().is_some() => return Err(error.into()),
            Err(error) => {
                found.push(format!("a row cannot be read: {error}"));
                continue;
            }
        };
        job.events = readable(events.query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?)?;
        job.deliveries = readable(deliveries.query_map([number], |row| row.get(0))?)?;
        consistency::check(&job, &mut found);
    }
    let sql = "SELECT key FROM idempotency LEFT JOIN jobs ON jobs.number = job WHERE jobs.owner IS NOT idempotency.owner";
    for key in readable(connection.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))?)? {
        found.push(format!("the idempotency key {key:?} names another owner's job"));
    }
    for table in ["jobs", "events"] {
        let highest = if table == "jobs" { "number" } else { "id" };
        let sql = format!(
            "SELECT coalesce((SELECT max({highest}) FROM {table}), 0) > coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0)"
        );
        if connection.query_row(&sql, [], |row| row.get(0))? {
            found.push(format!("a number of {table} would be used again"));
        }
    }
    let sql = "SELECT \"table\" FROM pragma_foreign_key_check";
    for table in readable(connection.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))?)? {
        found.push(format!("a row of {table} belongs to no job"));
    }
    found.extend(dangling_reservations(connection)?);
    let counted = count(connection)?;
    if counted != *counts {
        found.push(format!("the numbers are {counts:?}, and by counting {counted:?}"));
    }
    Ok(found)
}

/// Reservations without an unfinished job, one sentence each.
fn dangling_reservations(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT spend.job FROM spend LEFT JOIN jobs ON number = spend.job
               WHERE spend.state = 'reserved' AND coalesce(jobs.state, '') NOT IN ('queued', 'running')";
    let jobs = readable(connection.prepare(sql)?.query_map([], |row| row.get::<_, i64>(0))?)?;
    Ok(jobs.into_iter().map(|job| format!("money is reserved for job number {job}, which has ended")).collect())
}
