//! What keeps jobs: [`JobStore`] is the contract, [`SqliteStore`] keeps the jobs that outlive the program, and [`MemoryStore`] those that a
//! caller waits for.
//!
//! It must not know backends, files or HTTP. `conformance` tests the contract over each of them.

mod consistency;
mod counts;
mod events;
mod job_store;
mod memory;
mod sqlite;

pub use self::{
    job_store::{Claimed, JobIds, JobStore, KeptFile, LEASE, Lease, ProgressRecord, QueuedJob, Stats, Synced, UntoldCancel},
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
