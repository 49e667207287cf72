//! The tables of the job store, version by version. A migration that has shipped is never changed: another one follows it.

use rusqlite_migration::{M, Migrations};

/// Version 1: jobs, what happened to them, their files, requests' own names, and messages to callbacks. Times are milliseconds since 1970.
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

/// All of them, in order.
pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(vec![M::up(FIRST)])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    #[test]
    fn they_are_sound() {
        super::migrations().validate().unwrap();
    }
}
