//! Jobs that outlive their connection and the program: stored, queued, made, and kept.
//!
//! * [`Jobs`] is the one way in: it takes jobs, tells how they stand, and calls them off;
//! * `store` keeps them in SQLite, `artifacts` keeps their files and journals in folders beside it;
//! * `attendant` follows a job through the engine, from its place in the queue to its file.
//!
//! The invariants: a job that was taken ends, as completed, failed or cancelled, however often the program is killed meanwhile; it ends
//! once; a job is completed when its files are in place, and not before; nothing of a file depends on when or how often it was begun.

mod artifacts;
mod attendant;
mod database;
mod disk_fault;
mod disk_waits;
mod error;
mod fail_point;
mod migrations;
mod record;
mod retention;
mod rows;
mod service;
mod state;
mod store;
#[cfg(test)]
mod store_tests;
mod view;

pub use self::{
    artifacts::is_plain_name,
    disk_fault::DiskFault,
    error::{StoreError, SubmitJobError},
    fail_point::{FailHook, FailPoint},
    record::{
        Artifact, ArtifactFile, Cancelled, Delivery, Idempotency, Job, JobError, JobErrorKind, JobEvent, NativeVideo, NewJob, Outcome,
        Page, Submitted, Work,
    },
    retention::Retention,
    service::{Jobs, JobsSettings, Stats},
    state::{JobState, Priority, Transition, UnknownPriority, UnknownState},
};
