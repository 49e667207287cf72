//! Jobs, held and stored: submitted, queued, done by a backend, and kept.
//!
//! * [`Jobs`] is the one way in: it takes jobs, says how they stand, and cancels them;
//! * [`store`] keeps them (SQLite, or memory for those that a caller waits for), [`artifacts`] keeps their files;
//! * `supervisor` sees one job through a backend, from its claim to its file.
//!
//! The invariants: a stored job that was taken ends, as completed, failed or cancelled, however often the program is killed meanwhile; it ends
//! once; a job is completed when its files are in place, and not before; nothing of a file depends on when or how often it was begun; a held job
//! is cancelled when nobody waits for it any more.

mod active;
pub mod artifacts;
#[cfg(test)]
mod budget_tests;
mod changes;
mod disk_fault;
mod disk_waits;
mod error;
mod fail_point;
mod folders;
mod following;
mod forecast;
mod held;
mod inner;
pub mod journal;
mod month;
mod placing;
mod provider_counts;
mod record;
mod remote;
mod retention;
mod routing;
mod scratch;
mod service;
mod settings;
mod spend;
mod state;
pub mod store;
mod submit;
mod supervisor;

pub use self::{
    artifacts::{ArtifactReader, is_plain_name},
    disk_fault::DiskFault,
    error::{StoreError, SubmitError},
    fail_point::{FailHook, FailPoint},
    held::{HeldJob, HeldOutput, HeldResult},
    month::{InvalidMonth, Month},
    provider_counts::ProviderMetrics,
    record::{
        Artifact, Cancelled, Delivery, Durability, HeldVideo, Idempotency, Job, JobError, JobErrorKind, JobEvent, Metadata, NativeVideo,
        NewJob, Outcome, Page, RemoteJob,
    },
    retention::Retention,
    routing::{Overflow, Routing},
    service::Jobs,
    settings::JobsSettings,
    spend::{Booking, Charge, NoPrice, OverBudget, Price, SpendSettings, Usage, dollars},
    state::{JobState, Transition, UnknownState},
    store::Stats,
    submit::Submitted,
};
pub use crate::work::{Priority, UnknownPriority, Work};
