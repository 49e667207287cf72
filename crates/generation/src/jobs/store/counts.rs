//! How many jobs are in each state, and what is kept of them: numbers that change with each transition, so that asking costs the same with
//! many jobs as with few.
//!
//! It must not know where jobs are stored. A number that damaged rows would take below zero stays there.

use super::Stats;
use crate::jobs::state::JobState;

/// The numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    jobs: [u64; JobState::ALL.len()],
    kept_bytes: u64,
    kept_files: u64,
}

impl Counts {
    /// A job came into a state.
    pub(super) fn entered(&mut self, state: JobState) {
        self.entered_by(state, 1);
    }

    pub(super) fn entered_by(&mut self, state: JobState, jobs: u64) {
        if let Some(count) = self.jobs.get_mut(state as usize) {
            *count += jobs;
        }
    }

    /// A job went out of a state.
    pub(super) fn left(&mut self, state: JobState) {
        if let Some(count) = self.jobs.get_mut(state as usize) {
            *count = count.saturating_sub(1);
        }
    }

    /// Files came to those that are kept.
    pub(super) fn kept(&mut self, files: u64, bytes: u64) {
        self.kept_files += files;
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
    }

    /// A file is no longer kept.
    pub(super) fn removed(&mut self, bytes: u64) {
        self.kept_files = self.kept_files.saturating_sub(1);
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
    }

    /// The numbers as a caller gets them; states without jobs are left out.
    pub(super) fn stats(&self) -> Stats {
        let counted = JobState::ALL.into_iter().zip(self.jobs);
        Stats { jobs: counted.filter(|(_, count)| *count > 0).collect(), kept_bytes: self.kept_bytes, kept_files: self.kept_files }
    }
}
