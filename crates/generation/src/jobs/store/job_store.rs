//! The contract of a job store.
//!
//! * Every call is atomic, and its effect is persisted when the call returns (except with [`Synced::Later`]).
//! * A job changes its state by [`JobState::after`] only, together with the event that announces it. Numbers of jobs and of events only
//!   increase, and are never reused.
//! * Work is handed out by [`JobStore::claim`] only. A claim increments the job's epoch, and every write of a worker carries the epoch of
//!   its [`Lease`]: a write with another epoch, or to a job that does not run, changes nothing and returns `false`. The worker then stops
//!   at its next step.
//! * A lease lasts for [`LEASE`] from the claim, and from each [`JobStore::renew`] and [`JobStore::record_progress`] that returned `true`.
//!   A job whose lease has expired may be claimed again, with the next epoch; until then its worker may still write.
//! * The store reads its own clock; no caller's clock decides anything.
//! * An owner can cancel a job at any epoch; the worker learns of it by its next write.
//! * A job's record at its provider is persisted by [`JobStore::record_remote`], like a worker's other writes; a claim returns it.
//! * The price of a remote job is reserved by its [`JobStore::insert`], and settled by the call that ends the job: spent if it is completed
//!   or the provider was asked, otherwise released. Spending stays known after the job is forgotten.
//! * To an owner, other owners' jobs do not exist.
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
        record::{Artifact, Cancelled, Delivery, Idempotency, Inserted, Job, JobError, JobEvent, NewJob, Outcome, Page, Reordered},
        spend::{Booking, Charge, Usage},
        state::JobState,
    },
    work::{Priority, Work},
};

/// How long a lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(30);

/// A worker's hold on a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job's id.
    pub job: String,
    /// The number of this claim of the job, from 1.
    pub epoch: u64,
}

/// The result of a claim.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The job runs now, and the caller holds its lease. For a remote job, the last record, if there is one.
    Work(Lease, Arc<Work>, Option<RemoteRecord>),
    /// There is nothing to do: the job has ended, has just failed for good, or another worker holds it.
    Nothing,
}

/// A waiting job, as a queue needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedJob {
    /// Its id.
    pub id: String,
    /// The owner.
    pub owner: String,
    /// The priority of its owner's jobs among those of all owners.
    pub priority: Priority,
    /// Its priority among its owner's jobs.
    pub own_priority: Priority,
    /// The number of images or scenes in which progress is counted.
    pub parts: u32,
    /// The provider that makes it; `None` for local work.
    pub provider: Option<String>,
    /// The local model that makes it, if it names one.
    pub model: Option<String>,
}

/// Some events of an owner's jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnerEvents {
    /// The events, each with its job's id.
    pub events: Vec<(String, JobEvent)>,
    /// The number up to which they are complete: the next ones are asked for after this.
    pub until: i64,
}

/// A cancelled job whose provider has not been told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCancel {
    /// The job's id.
    pub job: String,
    /// The provider.
    pub provider: String,
    /// The provider's id of the job.
    pub remote_id: String,
}

/// A job's progress, for its row and its events.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressRecord {
    /// Whole percent, at most 99.
    pub percent: u32,
    /// The event's kind: "progress", or "part" if an image or a scene was finished.
    pub kind: &'static str,
    /// The event's data.
    pub data: Value,
}

/// When a write is synced to the disk, which is slow. A crash of the program undoes neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// Before the call returns.
    Now,
    /// With the next synced write. A power loss may undo it.
    Later,
}

/// A kept file.
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

/// The ids of a store's jobs, for cleaning up files beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobIds {
    /// All jobs.
    pub known: HashSet<String>,
    /// Unfinished jobs.
    pub open: HashSet<String>,
    /// Jobs with kept files.
    pub with_files: HashSet<String>,
}

/// Counts of jobs and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The number of jobs in each state.
    pub jobs: Vec<(JobState, u64)>,
    /// The bytes of kept files.
    pub kept_bytes: u64,
    /// The number of kept files.
    pub kept_files: u64,
}

/// Keeps jobs; the module documentation has the contract.
///
/// Every method fails with [`StoreError`] if the store cannot be read or written; nothing has changed then. Cancel safety: a call may still
/// take effect after its future is dropped.
#[async_trait]
pub trait JobStore: std::fmt::Debug + Send + Sync {
    /// Persists a job, unless the same request was accepted before: then that job is returned as replayed. A remote job has a booking,
    /// which is [refused](SubmitError::OverBudget) if it exceeds the month's budget. Gives up at `until`.
    async fn insert(&self, new: NewJob, booking: Option<Booking>, until: Instant) -> Result<Inserted, SubmitError>;

    /// The job that was submitted with this idempotency key; an error if the key was used with another request.
    async fn find_replay(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError>;

    /// Returns every running job to the queue, whichever worker holds it, and lists all waiting jobs, the oldest first. For the only user
    /// of a store, at its start.
    async fn recover(&self) -> Result<Vec<QueuedJob>, StoreError>;

    /// Hands a job out: it runs from now on, and its attempts increase by one. A job that was claimed `most_idle` times without progress
    /// fails instead, unless a provider has it: then the crashes are not the job's fault. The start may be [`Synced::Later`].
    async fn claim(&self, id: &str, worker: &str, most_idle: u32) -> Result<Claimed, StoreError>;

    /// Renews a lease.
    async fn renew(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// Persists a job's progress.
    async fn record_progress(&self, lease: &Lease, progress: ProgressRecord, synced: Synced) -> Result<bool, StoreError>;

    /// Persists a job's record at its provider. A new id is announced by an event, and counts as progress.
    async fn record_remote(&self, lease: &Lease, record: &RemoteRecord, synced: Synced) -> Result<bool, StoreError>;

    /// Completes a job whose files are in place.
    async fn complete(&self, lease: &Lease, outcome: &Outcome, files: &[Artifact]) -> Result<bool, StoreError>;

    /// Ends a job as failed; `charge` settles its reservation.
    async fn fail(&self, lease: &Lease, error: &JobError, charge: Charge) -> Result<bool, StoreError>;

    /// Returns a job to the queue without blame: the attempt does not count as idle.
    async fn release(&self, lease: &Lease, reason: &str) -> Result<bool, StoreError>;

    /// Cancels an owner's job, unless it has ended. If a provider has it, the provider has to be told too ([`Self::pending_cancels`]).
    async fn cancel(&self, owner: &str, id: &str) -> Result<Cancelled, StoreError>;

    /// Sets a waiting job's priority among its owner's jobs, and announces it.
    async fn set_own_priority(&self, owner: &str, id: &str, priority: Priority) -> Result<Reordered, StoreError>;

    /// The cancelled jobs whose providers have not been told yet, the oldest first.
    async fn pending_cancels(&self) -> Result<Vec<PendingCancel>, StoreError>;

    /// Records that a job's provider has been told of the cancellation, or need not be.
    async fn cancel_delivered(&self, id: &str) -> Result<(), StoreError>;

    /// A job's state, for any owner.
    async fn state(&self, id: &str) -> Result<Option<JobState>, StoreError>;

    /// An owner's job.
    async fn get(&self, owner: &str, id: &str) -> Result<Option<Job>, StoreError>;

    /// The newest of an owner's jobs with this provider id.
    async fn find_remote(&self, owner: &str, remote_id: &str) -> Result<Option<Job>, StoreError>;

    /// The usage in a month, of one owner or of all, by owner and provider.
    async fn usage(&self, owner: Option<&str>, month: Month) -> Result<Vec<Usage>, StoreError>;

    /// A page of an owner's jobs.
    async fn list(&self, owner: &str, page: &Page) -> Result<Vec<Job>, StoreError>;

    /// The events of an owner's job after an event's number, the oldest first; `None` if there is no such job.
    async fn events(&self, owner: &str, id: &str, after: i64, limit: usize) -> Result<Option<Vec<JobEvent>>, StoreError>;

    /// The events of all of an owner's jobs after an event's number, the oldest first. As fast if the other owners have many.
    async fn owner_events(&self, owner: &str, after: i64, limit: usize) -> Result<OwnerEvents, StoreError>;

    /// The number of the last event of any job, as far as one was ever written; a later event has a greater one.
    async fn last_event(&self) -> Result<i64, StoreError>;

    /// Webhook messages that are due: the oldest of each owner, then the second of each, and so on.
    async fn due_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, StoreError>;

    /// Records an attempt to deliver a message: it arrived (neither `next` nor `reason`), is tried again at `next`, or is given up.
    async fn delivery_tried(&self, id: i64, next: Option<SystemTime>, reason: Option<&str>) -> Result<(), StoreError>;

    /// All kept files, the oldest first.
    async fn kept_files(&self) -> Result<Vec<KeptFile>, StoreError>;

    /// Records that a file is no longer kept.
    async fn file_removed(&self, id: &str, name: &str) -> Result<(), StoreError>;

    /// Forgets jobs that ended before this time and have neither kept files nor due messages; returns how many.
    async fn forget_before(&self, time: SystemTime) -> Result<usize, StoreError>;

    /// Forgets an owner's job that has ended, has no kept files, and that no provider has to be told of; false if it is not so. Messages
    /// about it are no longer delivered.
    async fn forget(&self, owner: &str, id: &str) -> Result<bool, StoreError>;

    /// The ids of all jobs.
    async fn ids(&self) -> Result<JobIds, StoreError>;

    /// Counts of jobs and files. As fast with many jobs as with few.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// Fails if another job could not be persisted now.
    async fn check_writable(&self) -> Result<(), StoreError>;

    /// Contradictions in the whole store, one sentence each; empty if there are none.
    async fn inconsistencies(&self) -> Result<Vec<String>, StoreError>;
}
