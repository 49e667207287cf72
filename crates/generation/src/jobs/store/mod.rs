//! Job stores: [`JobStore`] is the contract, [`SqliteStore`] keeps stored jobs, which outlive the program, and [`MemoryStore`] held jobs.
//!
//! It must not know backends, files or HTTP. `conformance` tests the contract over each store.

mod consistency;
mod counts;
mod events;
mod job_store;
mod memory;
mod sqlite;

pub use self::{
    job_store::{Claimed, JobIds, JobStore, KeptFile, LEASE, Lease, OwnerEvents, PendingCancel, ProgressRecord, QueuedJob, Stats, Synced},
    memory::MemoryStore,
    sqlite::{PATIENCE, SqliteStore},
};

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod conformance_claims;
#[cfg(test)]
mod conformance_remote;
#[cfg(test)]
mod conformance_requests;
#[cfg(test)]
mod conformance_upkeep;
