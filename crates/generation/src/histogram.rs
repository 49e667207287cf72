//! A histogram of durations, for monitoring.
//!
//! It reads no clock and knows no metrics format: durations arrive as values and leave as numbers. Invariant: no number ever decreases.

use std::time::Duration;

/// The number of durations in each range.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// For each range, its upper bound in seconds (inclusive) and the number of durations in it; the last bound is infinity.
    pub ranges: Vec<(f64, u64)>,
    /// The sum of all durations in seconds.
    pub sum: f64,
}

impl Histogram {
    /// The upper bounds are in seconds, in rising order; a last range without a bound is added.
    pub(crate) fn new(bounds: &[f64]) -> Self {
        Self { ranges: bounds.iter().copied().chain([f64::INFINITY]).map(|bound| (bound, 0)).collect(), sum: 0.0 }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.sum += seconds;
        if let Some((_, count)) = self.ranges.iter_mut().find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(_, count)| count).sum()
    }
}
