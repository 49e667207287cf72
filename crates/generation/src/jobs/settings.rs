//! How jobs are kept and served; the operator's choice.

use std::{
    path::PathBuf,
    time::{Instant, SystemTime},
};

use super::{fail_point::FailHook, retention::Retention, routing::Routing, spend::SpendSettings};

/// The default of [`JobsSettings::parts_bytes`].
pub const DEFAULT_PARTS_BYTES: u64 = 2_000_000_000;

/// How jobs are kept and served.
#[derive(Clone, Debug)]
pub struct JobsSettings {
    /// The folder of jobs and their files. Only one program at a time can use it.
    pub folder: PathBuf,
    /// The clock for timestamps: `SystemTime::now`.
    pub now: fn() -> SystemTime,
    /// The clock for waiting times: `Instant::now`.
    pub instant: fn() -> Instant,
    /// The queue's capacity, running jobs included; at least 1.
    pub queue_capacity: usize,
    /// The maximum number of those for one owner; at least 1.
    pub capacity_per_owner: usize,
    /// A job fails after this many attempts without progress that each ended with a crash of the program.
    pub most_idle_attempts: u32,
    /// What is kept of jobs that have ended.
    pub keep: Retention,
    /// The bytes of scenes and joins of videos that are kept for later videos; 0 keeps none.
    pub parts_bytes: u64,
    /// The prices of providers' videos, and the budgets.
    pub spend: SpendSettings,
    /// Which local work is routed to a provider.
    pub routing: Routing,
    /// For tests that kill the program or fill its disk.
    pub fail_hook: FailHook,
}

impl JobsSettings {
    /// A queue of sixteen jobs, five attempts, files for a week and up to ten gigabytes, two gigabytes of parts, and the given clock
    /// (`SystemTime::now`).
    pub fn new(folder: impl Into<PathBuf>, now: fn() -> SystemTime) -> Self {
        Self {
            folder: folder.into(),
            now,
            instant: Instant::now,
            queue_capacity: 16,
            capacity_per_owner: usize::MAX,
            most_idle_attempts: 5,
            keep: Retention::default(),
            parts_bytes: DEFAULT_PARTS_BYTES,
            spend: SpendSettings::default(),
            routing: Routing::default(),
            fail_hook: FailHook::default(),
        }
    }
}
