//! Jobs, held and stored: submitted, queued, run by a backend, and kept.
//!
//! * [`Jobs`] is the only way in: it accepts jobs, reports on them, and cancels them;
//! * [`store`] keeps them (in SQLite, or in memory for held jobs), [`artifacts`] keeps their files;
//! * `supervisor` takes one job through a backend, from its claim to its file.
//!
//! Invariants: every accepted stored job ends exactly once, as completed, failed or cancelled, however often the program is killed; it is
//! completed only after its files are in place; its files do not depend on when or how often it was started; a held job is cancelled when
//! its last caller leaves.

mod active;
pub mod artifacts;
#[cfg(test)]
mod budget_tests;
mod changes;
mod deletions;
mod disk_fault;
mod disk_waits;
mod error;
mod fail_point;
mod folders;
mod following;
mod forecast;
mod forgetting;
mod held;
mod inner;
pub mod journal;
mod kept_parts;
mod month;
mod owner_events;
mod parts;
mod placing;
mod provider_counts;
mod record;
mod remote;
mod reordering;
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
mod usage;

pub use self::{
    artifacts::{ArtifactReader, is_plain_name},
    deletions::ForgottenJob,
    disk_fault::DiskFault,
    error::{StoreError, SubmitError},
    fail_point::{FailHook, FailPoint},
    held::{HeldJob, HeldOutput, HeldResult},
    month::{InvalidMonth, Month},
    owner_events::{EventCursor, OwnerEvent},
    provider_counts::ProviderMetrics,
    record::{
        Artifact, Cancelled, Delivery, Durability, HeldVideo, Idempotency, Job, JobError, JobErrorKind, JobEvent, Metadata, NativeVideo,
        NewJob, Outcome, Page, RemoteJob, Reordered,
    },
    retention::Retention,
    routing::{Overflow, Routing},
    service::Jobs,
    settings::{DEFAULT_PARTS_BYTES, JobsSettings},
    spend::{Booking, Charge, NoPrice, OverBudget, Price, SpendSettings, Usage, dollars},
    state::{JobState, Transition, UnknownState},
    store::Stats,
    submit::Submitted,
};
pub use crate::work::{Priority, UnknownPriority, Work, WorkKind, WorkSummary};
