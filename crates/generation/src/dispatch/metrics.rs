//! Counts and times of the jobs that backends have run, for monitoring.

use std::time::Duration;

use crate::histogram::Histogram;

/// Upper bounds of waiting and working times in seconds, from a moment to an hour.
const BOUNDS: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// How a job left its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    Failed,
    Cancelled,
}

/// What backends have done since the program started, held and stored jobs together.
#[derive(Clone, Debug, PartialEq)]
pub struct JobMetrics {
    /// How long jobs waited for a backend; a job of an earlier run of the program counts from the latest start.
    pub waits: Histogram,
    /// How long a backend worked on each job.
    pub runs: Histogram,
    /// Jobs that are done.
    pub completed: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were cancelled while a backend worked on them.
    pub cancelled: u64,
}

impl Default for JobMetrics {
    fn default() -> Self {
        Self { waits: Histogram::new(&BOUNDS), runs: Histogram::new(&BOUNDS), completed: 0, failed: 0, cancelled: 0 }
    }
}

impl JobMetrics {
    pub(crate) fn ended(&mut self, ending: Ending, took: Duration) {
        self.runs.add(took);
        match ending {
            Ending::Completed => self.completed += 1,
            Ending::Failed => self.failed += 1,
            Ending::Cancelled => self.cancelled += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_once_in_its_range() {
        let mut metrics = JobMetrics::default();
        for milliseconds in [0, 50, 51, 7_200_000] {
            metrics.waits.add(Duration::from_millis(milliseconds));
        }
        let counted: Vec<_> = metrics.waits.ranges.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(counted, [(0.05, 2), (0.1, 1), (f64::INFINITY, 1)]);
        assert_eq!((metrics.waits.count(), metrics.waits.sum), (4, 7200.101));
        metrics.ended(Ending::Failed, Duration::from_secs(1));
        assert_eq!((metrics.runs.count(), metrics.failed, metrics.completed), (1, 1, 0));
    }
}
