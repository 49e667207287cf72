//! The contract of a job store.
//!
//! * Every call is atomic: it happened whole or not at all, and what happened is persisted when the call returns (but for
//!   [`Synced::Later`]).
//! * A job changes its state by [`JobState::after`] only, together with the event that announces it. Numbers of jobs and of events only
//!   rise, and are never used again.
//! * Work is handed out by [`JobStore::claim`] alone. A claim raises the job's epoch, and every write of a worker carries the epoch of its
//!   [`Lease`]: a write under another epoch than the job's, or to a job that does not run, changes nothing and returns `false`. The worker
//!   then stops at its next step.
//! * A lease lasts for [`LEASE`] from the claim, and from each [`JobStore::renew`] and [`JobStore::record_progress`] that returned `true`. A
//!   job whose lease has expired may be claimed again, with the next epoch; until then its worker may still write.
//! * The store reads its own clock; no caller's clock decides anything.
//! * A job is cancelled by its owner whatever the epoch; the worker learns of it by its next write.
//! * How far a provider has a job is persisted by [`JobStore::record_remote`], like a worker's other writes; a claim hands it back.
//! * What a remote job may cost is reserved by its [`JobStore::insert`], and settled by whatever ends it: spent if it is completed, or if the
//!   provider was asked; else free again. What was spent is known however soon the job is forgotten.
//! * Another owner's job is as if it were not there.
//! * A damaged row is returned as far as it can be read ([`Job::damage`]) and hides no other.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    backend::RemoteRecord,
    jobs::{
        error::{StoreError, SubmitError},
        month::Month,
        record::{Artifact, Cancelled, Delivery, Idempotency, Inserted, Job, JobError, JobEvent, NewJob, Outcome, Page},
        spend::{Booking, Charge, Usage},
        state::JobState,
    },
    work::{Priority, Work},
};

/// How long a worker holds a job without a sign of life.
pub const LEASE: Duration = Duration::from_secs(30);

/// A worker's hold on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job's id.
    pub job: String,
    /// Which claim of this job it is, from 1.
    pub epoch: u64,
}

/// What a claim returns.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The job runs now, and the caller holds it. Of a remote job that a provider knows something of, the last record.
    Work(Lease, Arc<Work>, Option<RemoteRecord>),
    /// There is nothing to do: the job has ended, has just failed for good, or another worker holds it.
    Nothing,
}

/// A job that waits, as a queue needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedJob {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The images or scenes that progress is counted in.
    pub parts: u32,
    /// The provider that makes it; none for local work.
    pub provider: Option<String>,
    /// The model of this machine that makes it, where it names one.
    pub model: Option<String>,
}

/// A cancelled job whose provider has not been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntoldCancel {
    /// The job's id.
    pub job: String,
    /// The provider.
    pub provider: String,
    /// The provider's id of it.
    pub remote_id: String,
}

/// How far a job is, for its row and its events.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressRecord {
    /// Whole percent, at most 99.
    pub percent: u32,
    /// The event's kind: "progress", or "part" when an image or a scene was finished.
    pub kind: &'static str,
    /// The event's data.
    pub data: Value,
}

/// When what is written is on the disk, which takes the disk a while; the end of the program undoes neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// When the call returns.
    Now,
    /// With the next write that is synced at once. A lost machine may forget it.
    Later,
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// Its job's id.
    pub job: String,
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When its job ended.
    pub finished_at: SystemTime,
}

/// The ids of a store's jobs, for those who tidy up beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobIds {
    /// Every job's.
    pub known: HashSet<String>,
    /// Those that have not ended.
    pub open: HashSet<String>,
    /// Those whose files are kept.
    pub with_files: HashSet<String>,
}

/// How jobs stand, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many jobs are in each state.
    pub jobs: Vec<(JobState, u64)>,
    /// Bytes of files that are kept.
    pub kept_bytes: u64,
    /// Files that are kept.
    pub kept_files: u64,
}

/// Keeps jobs; the contract stands at the head of this file.
///
/// Every method fails with [`StoreError`] where the store cannot be read or written, and then nothing has changed. Cancel safety: a call whose
/// future is dropped may still take place.
#[async_trait]
pub trait JobStore: std::fmt::Debug + Send + Sync {
    /// Persists a job, unless the same request was taken before: then that job is returned as replayed. A remote one has a booking, which is
    /// [refused](SubmitError::OverBudget) if the month's budget has no room for it. Gives up at `until`.
    async fn insert(&self, new: NewJob, booking: Option<Booking>, until: Instant) -> Result<Inserted, SubmitError>;

    /// The job that was taken under this name; an error if the name was used with another request.
    async fn find_replay(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError>;

    /// Returns every running job to the queue, whoever holds it, and lists all that wait, the oldest first. For the only user of a store, at its
    /// start.
    async fn recover(&self) -> Result<Vec<QueuedJob>, StoreError>;

    /// Hands a job out: it runs from now on, and its attempts count one more. One that was claimed `most_idle` times without getting any
    /// further fails instead, unless a provider has it: then it is no fault of the job's. The start may be [`Synced::Later`].
    async fn claim(&self, id: &str, worker: &str, most_idle: u32) -> Result<Claimed, StoreError>;

    /// Prolongs a lease.
    async fn renew(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// Persists how far a job is.
    async fn record_progress(&self, lease: &Lease, progress: ProgressRecord, synced: Synced) -> Result<bool, StoreError>;

    /// Persists how far a provider has a job. An id that becomes known is announced by an event, and is progress.
    async fn record_remote(&self, lease: &Lease, record: &RemoteRecord, synced: Synced) -> Result<bool, StoreError>;

    /// Ends a job whose files are in place.
    async fn complete(&self, lease: &Lease, outcome: &Outcome, files: &[Artifact]) -> Result<bool, StoreError>;

    /// Ends a job that cannot be done; `charge` says what becomes of what was reserved for it.
    async fn fail(&self, lease: &Lease, error: &JobError, charge: Charge) -> Result<bool, StoreError>;

    /// Returns a job to the queue through no fault of its own: the attempt does not count as idle.
    async fn release(&self, lease: &Lease, reason: &str) -> Result<bool, StoreError>;

    /// Cancels an owner's job, unless it has ended. If a provider has it, that is to be told too ([`Self::untold_cancels`]).
    async fn cancel(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError>;

    /// The cancelled jobs whose providers have not been told, the oldest first.
    async fn untold_cancels(&self) -> Result<Vec<UntoldCancel>, StoreError>;

    /// Notes that a provider was told that a job is cancelled, or need not be.
    async fn cancel_told(&self, id: &str) -> Result<(), StoreError>;

    /// Where a job stands, whoever's it is.
    async fn state(&self, id: &str) -> Result<Option<JobState>, StoreError>;

    /// An owner's job.
    async fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError>;

    /// The newest of an owner's jobs that a provider knows under this id.
    async fn find_remote(&self, owner: &str, remote_id: &str) -> Result<Option<Job>, StoreError>;

    /// What an owner, or each of them, has had of each provider in a month, by owner and provider.
    async fn usage(&self, owner: Option<&str>, month: Month) -> Result<Vec<Usage>, StoreError>;

    /// A page of an owner's jobs.
    async fn list(&self, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError>;

    /// What happened to an owner's job after an event's number, the oldest first; `None` if there is no such job.
    async fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError>;

    /// Webhook messages that are due: the oldest of each owner, then the second of each, and so on.
    async fn due_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, StoreError>;

    /// Notes that a message was tried: it arrived (neither `next` nor `reason`), is tried again at `next`, or is given up.
    async fn delivery_tried(&self, id: i64, next: Option<SystemTime>, reason: Option<&str>) -> Result<(), StoreError>;

    /// Every file that is kept, the oldest first.
    async fn kept_files(&self) -> Result<Vec<KeptFile>, StoreError>;

    /// Notes that a file is no longer kept.
    async fn file_removed(&self, id: &str, name: &str) -> Result<(), StoreError>;

    /// Forgets jobs that ended before a time, have no files left and no messages due; returns how many.
    async fn forget_before(&self, time: SystemTime) -> Result<usize, StoreError>;

    /// The ids of all jobs.
    async fn ids(&self) -> Result<JobIds, StoreError>;

    /// How jobs stand. Costs no more with many jobs than with few.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// Fails where the next job could not be persisted.
    async fn check_writable(&self) -> Result<(), StoreError>;

    /// What contradicts itself in the whole store, a sentence each; empty if nothing does.
    async fn inconsistencies(&self) -> Result<Vec<String>, StoreError>;
}
