//! How jobs are kept and served; the operator's choice.

use std::{
    path::PathBuf,
    time::{Instant, SystemTime},
};

use super::{fail_point::FailHook, retention::Retention, routing::Routing, spend::SpendSettings};

/// How jobs are kept and served.
#[derive(Clone, Debug)]
pub struct JobsSettings {
    /// Where jobs and their files lie. One program at a time uses it.
    pub folder: PathBuf,
    /// The clock that jobs are dated with: `SystemTime::now`.
    pub now: fn() -> SystemTime,
    /// The clock that waiting times are taken with: `Instant::now`.
    pub instant: fn() -> Instant,
    /// How many jobs are taken at once, the running ones included; at least 1.
    pub queue_capacity: usize,
    /// How many of them one owner may have; at least 1.
    pub capacity_per_owner: usize,
    /// A job fails when the program went down so often while working on it without its getting any further.
    pub most_idle_attempts: u32,
    /// What is kept of jobs that have ended.
    pub keep: Retention,
    /// What providers' videos cost, and how much may be spent.
    pub spend: SpendSettings,
    /// Which local work goes to a provider instead.
    pub routing: Routing,
    /// For tests that kill the program, or fill its disk.
    pub fail_hook: FailHook,
}

impl JobsSettings {
    /// Sixteen jobs at once, five attempts, a week and ten gigabytes, and the given clock (`SystemTime::now`).
    pub fn new(folder: impl Into<PathBuf>, now: fn() -> SystemTime) -> Self {
        Self {
            folder: folder.into(),
            now,
            instant: Instant::now,
            queue_capacity: 16,
            capacity_per_owner: usize::MAX,
            most_idle_attempts: 5,
            keep: Retention::default(),
            spend: SpendSettings::default(),
            routing: Routing::default(),
            fail_hook: FailHook::default(),
        }
    }
}
