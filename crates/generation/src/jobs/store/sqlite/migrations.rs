//! The tables of the job store, version by version. A released migration is never changed; a new one follows it.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::older_rows;

/// Version 1: jobs, their events and files, idempotency keys, and callback messages. Times are milliseconds since 1970.
const FIRST: &str = "
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high')),
    -- What it makes, as JSON; emptied when the job has ended, for there may be pictures in it.
    work TEXT NOT NULL,
    note TEXT NOT NULL,
    callback_url TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- How often it was taken since it last got further.
    idle_attempts INTEGER NOT NULL DEFAULT 0,
    percent INTEGER NOT NULL DEFAULT 0,
    parts INTEGER NOT NULL,
    error_kind TEXT,
    error_message TEXT,
    error_retryable INTEGER,
    outcome TEXT
) STRICT;
CREATE INDEX jobs_by_owner ON jobs (owner, number);
CREATE INDEX jobs_by_state ON jobs (state, number);

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job, id);

CREATE TABLE artifacts (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (job, name)
) STRICT;

CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    PRIMARY KEY (owner, key)
) STRICT;
CREATE INDEX idempotency_by_job ON idempotency (job);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    url TEXT NOT NULL,
    event TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When to try (again); absent when it is delivered or given up.
    due_at INTEGER,
    delivered_at INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_by_job ON deliveries (job);
";

/// Version 2: metadata has a kind, derived from the API that the first version's notes name (task notes name none); running jobs have a
/// worker, a lease and an epoch. A note that cannot be read has no kind, and is reported when its job is read.
const SECOND: &str = "
ALTER TABLE jobs RENAME COLUMN note TO metadata;
ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT '';
-- How often it was claimed; a worker's writes name the claim that they belong to.
ALTER TABLE jobs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN worker TEXT;
ALTER TABLE jobs ADD COLUMN lease_until INTEGER;
UPDATE jobs SET kind = CASE
    WHEN NOT json_valid(metadata) THEN ''
    WHEN json_type(metadata) <> 'object' THEN ''
    WHEN json_extract(metadata, '$.api') = 'characters' THEN 'character'
    WHEN json_extract(metadata, '$.api') = 'text' THEN 'text_video'
    WHEN json_type(metadata, '$.api') IS NULL AND json_type(metadata, '$.base_url') = 'text' THEN 'task'
    ELSE ''
END;
";

/// Version 3: remote jobs, their records and their prices. Spending outlives its job, so that a month's sum stays correct.
const THIRD: &str = "
ALTER TABLE jobs ADD COLUMN provider TEXT;
-- How far the provider has it, as JSON.
ALTER TABLE jobs ADD COLUMN remote TEXT;
ALTER TABLE jobs ADD COLUMN remote_id TEXT;
-- 1 while the job is cancelled and its provider has not been told.
ALTER TABLE jobs ADD COLUMN untold_cancel INTEGER;
CREATE INDEX jobs_untold ON jobs (number) WHERE untold_cancel IS NOT NULL;
CREATE INDEX jobs_by_remote_id ON jobs (remote_id) WHERE remote_id IS NOT NULL;

CREATE TABLE spend (
    -- The job's number, which no other job will have.
    job INTEGER PRIMARY KEY,
    month TEXT NOT NULL,
    owner TEXT NOT NULL,
    provider TEXT NOT NULL,
    -- In millionths of a US dollar.
    price INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'spent', 'released'))
) STRICT;
CREATE INDEX spend_by_month ON spend (month, provider, owner, state, price);
";

/// Version 4: what jobs make, for lists and searches, and how to ask for it again. [`older_rows`] fills the columns of older jobs, as far as
/// it is known what they made.
const FOURTH: &str = "
-- How the same work is asked for again, as JSON.
ALTER TABLE jobs ADD COLUMN request TEXT;
ALTER TABLE jobs ADD COLUMN work_kind TEXT;
ALTER TABLE jobs ADD COLUMN prompt TEXT;
-- The prompt as it is searched.
ALTER TABLE jobs ADD COLUMN search TEXT;
-- The rest of the work's summary, as JSON.
ALTER TABLE jobs ADD COLUMN about TEXT;
CREATE INDEX jobs_by_search ON jobs (owner, number, state, kind, work_kind, search);
";

/// Version 5: a job's priority among its owner's jobs.
const FIFTH: &str = "
ALTER TABLE jobs ADD COLUMN own_priority TEXT NOT NULL DEFAULT 'normal' CHECK (own_priority IN ('low', 'normal', 'high'));
";

/// Migrates a database to this version. A damaged row is no reason to refuse it.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), rusqlite_migration::Error> {
    // Adding a column makes SQLite check all rows.
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    migrations().to_latest(connection)?;
    Ok(connection.pragma_update(None, "ignore_check_constraints", false)?)
}

pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(vec![M::up(FIRST), M::up(SECOND), M::up(THIRD), M::up_with_hook(FOURTH, older_rows::summarize), M::up(FIFTH)])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn migrations_are_valid() {
        migrations().validate().unwrap();
    }

    #[test]
    fn the_kind_of_an_older_versions_job_follows_from_its_note() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations().to_version(&mut connection, 1).unwrap();
        let rows = [
            // As the first version wrote them.
            (
                "character",
                r#"{"api":"characters","base_url":"http://localhost:8000","character_image_url":"/uploads/character_1.png",
                    "script":"waves","duration":5,"quality":"low","script_used":true,"notes":[],"seed":7,"ignored_fields":[]}"#,
            ),
            ("text_video", r#"{"api":"text","base_url":"http://localhost:8000","seed":42,"ignored_fields":[],"remarks":[]}"#),
            (
                "task",
                r#"{"base_url":"http://localhost:8000","native_size":[512,512],"ignored_fields":[{"field":"promt","did_you_mean":"prompt"}],
                    "remarks":["a remark"],"seed":18446744073709551615}"#,
            ),
            ("task", r#"{"base_url":"","native_size":null,"ignored_fields":[],"remarks":[],"seed":null}"#),
            ("", "null"),
            ("", r#"{"api":"another"}"#),
            ("", "{"),
            ("", r#"["api"]"#),
        ];
        let insert = "INSERT INTO jobs (id, owner, state, priority, work, note, created_at, updated_at, parts)
                      VALUES (?1, '', 'queued', 'normal', '{}', ?2, 0, 0, 1)";
        for (index, (_, note)) in rows.iter().enumerate() {
            connection.execute(insert, (index.to_string(), note)).unwrap();
        }
        // As no program writes them.
        connection.pragma_update(None, "ignore_check_constraints", true).unwrap();
        connection.execute(insert, ("torn", "{}")).unwrap();
        connection.execute("UPDATE jobs SET state = 'lost', note = CAST(x'7bff' AS TEXT) WHERE id = 'torn'", ()).unwrap();
        connection.pragma_update(None, "ignore_check_constraints", false).unwrap();

        migrate(&mut connection).unwrap();
        let mut select = connection.prepare("SELECT kind, metadata, epoch FROM jobs WHERE id <> 'torn' ORDER BY number").unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?));
        let migrated: Vec<_> = select.query_map((), read).unwrap().map(Result::unwrap).collect();
        let expected: Vec<_> = rows.iter().map(|(kind, note)| (kind.to_string(), note.to_string(), 0)).collect();
        assert_eq!(migrated, expected);
        let torn: String = connection.query_row("SELECT kind FROM jobs WHERE id = 'torn'", (), |row| row.get(0)).unwrap();
        assert_eq!(torn, "");
    }
}
