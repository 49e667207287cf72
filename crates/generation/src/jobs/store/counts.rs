//! Counters of jobs by state and of kept files, updated with each transition, so that reading them is as fast with many jobs as with few.
//!
//! It must not know where jobs are stored. A counter that damaged rows would take below zero stays at zero.

use super::Stats;
use crate::jobs::state::JobState;

/// The counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    jobs: [u64; JobState::ALL.len()],
    kept_bytes: u64,
    kept_files: u64,
}

impl Counts {
    /// A job has entered a state.
    pub(super) fn entered(&mut self, state: JobState) {
        self.entered_by(state, 1);
    }

    pub(super) fn entered_by(&mut self, state: JobState, jobs: u64) {
        if let Some(count) = self.jobs.get_mut(state as usize) {
            *count += jobs;
        }
    }

    /// A job has left a state.
    pub(super) fn left(&mut self, state: JobState) {
        if let Some(count) = self.jobs.get_mut(state as usize) {
            *count = count.saturating_sub(1);
        }
    }

    /// Files were added to the kept ones.
    pub(super) fn kept(&mut self, files: u64, bytes: u64) {
        self.kept_files += files;
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
    }

    /// A file is no longer kept.
    pub(super) fn removed(&mut self, bytes: u64) {
        self.kept_files = self.kept_files.saturating_sub(1);
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
    }

    /// The counters for callers; states without jobs are left out.
    pub(super) fn stats(&self) -> Stats {
        let counted = JobState::ALL.into_iter().zip(self.jobs);
        Stats { jobs: counted.filter(|(_, count)| *count > 0).collect(), kept_bytes: self.kept_bytes, kept_files: self.kept_files }
    }
}
