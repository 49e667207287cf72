//! What the device has done since the engine was started, counted and timed, for whoever watches it.
//!
//! It reads no clock and knows no format of metrics: times arrive as values and leave as numbers. The invariant: all numbers only rise.

use std::time::Duration;

/// Upper bounds of times to wait and to work, in seconds: from a moment to an hour.
const JOB_BOUNDS: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
/// Upper bounds of a step's time, in seconds: from a small model's on a good machine to a large one's on a bad one.
const STEP_BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// How many times fell into each of some ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// An upper bound in seconds, and the times above the bound before it up to this one; the last has no bound (infinity).
    pub ranges: Vec<(f64, u64)>,
    /// All times together, in seconds.
    pub sum: f64,
}

impl Spread {
    fn new(bounds: &[f64]) -> Self {
        Self { ranges: bounds.iter().copied().chain([f64::INFINITY]).map(|bound| (bound, 0)).collect(), sum: 0.0 }
    }

    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.sum += seconds;
        if let Some((_, count)) = self.ranges.iter_mut().find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(_, count)| count).sum()
    }
}

/// How a job that the device took has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    Failed,
    Cancelled,
}

/// What the device has done so far; jobs that are waited for and stored ones alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// How long jobs waited for the device; those of an earlier life of the program from its latest start on.
    pub waits: Spread,
    /// How long the device worked on each job.
    pub runs: Spread,
    /// Denoising steps of pictures.
    pub picture_steps: Spread,
    /// Denoising steps of motion.
    pub motion_steps: Spread,
    /// Jobs that are done.
    pub completed: u64,
    /// Jobs that could not be done.
    pub failed: u64,
    /// Jobs that were called off while the device worked on them.
    pub cancelled: u64,
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            waits: Spread::new(&JOB_BOUNDS),
            runs: Spread::new(&JOB_BOUNDS),
            picture_steps: Spread::new(&STEP_BOUNDS),
            motion_steps: Spread::new(&STEP_BOUNDS),
            completed: 0,
            failed: 0,
            cancelled: 0,
        }
    }
}

impl Measured {
    pub(crate) fn began(&mut self, waited: Duration) {
        self.waits.add(waited);
    }

    pub(crate) fn ended(&mut self, ending: Ending, took: Duration) {
        self.runs.add(took);
        match ending {
            Ending::Completed => self.completed += 1,
            Ending::Failed => self.failed += 1,
            Ending::Cancelled => self.cancelled += 1,
        }
    }

    pub(crate) fn picture_step(&mut self, took: Duration) {
        self.picture_steps.add(took);
    }

    pub(crate) fn motion_step(&mut self, took: Duration) {
        self.motion_steps.add(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_once_in_its_range() {
        let mut measured = Measured::default();
        for milliseconds in [0, 50, 51, 7_200_000] {
            measured.began(Duration::from_millis(milliseconds));
        }
        let counted: Vec<_> = measured.waits.ranges.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(counted, [(0.05, 2), (0.1, 1), (f64::INFINITY, 1)]);
        assert_eq!((measured.waits.count(), measured.waits.sum), (4, 7200.101));
        measured.ended(Ending::Failed, Duration::from_secs(1));
        assert_eq!((measured.runs.count(), measured.failed, measured.completed), (1, 1, 0));
    }
}
