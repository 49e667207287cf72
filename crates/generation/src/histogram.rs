//! Times, counted by ranges, for whoever watches the program.
//!
//! It reads no clock and knows no format of metrics: times arrive as values and leave as numbers. The invariant: all numbers only rise.

use std::time::Duration;

/// How many times fell into each of some ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// An upper bound in seconds, and the times above the bound before it up to this one; the last has no bound (infinity).
    pub ranges: Vec<(f64, u64)>,
    /// All times together, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Ranges of these upper bounds in seconds, in rising order, and one without a bound.
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

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(_, count)| count).sum()
    }
}
