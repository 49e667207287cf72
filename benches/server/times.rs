//! Collected times, and their row in a table.

use std::time::Duration;

/// The table's header.
pub(crate) const HEAD: &str = "                                               p50        p99        max   of";

/// The measured times.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// A line of the table, in milliseconds.
    pub(crate) fn row(mut self, name: &str) -> String {
        self.0.sort();
        let at = |share: f64| {
            let index = (self.0.len() as f64 * share) as usize;
            self.0.get(index.min(self.0.len().saturating_sub(1))).map_or(f64::NAN, |took| 1000.0 * took.as_secs_f64())
        };
        format!("{name:41} {:6.2} ms {:7.2} ms {:7.2} ms {:4}", at(0.5), at(0.99), at(1.0), self.0.len())
    }
}
