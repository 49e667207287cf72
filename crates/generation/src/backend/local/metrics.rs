//! Metrics of the device's denoising steps, for monitoring.

use crate::histogram::Histogram;

/// Upper bounds of a step's time, in seconds: from a small model on a fast machine to a large one on a slow one.
const BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Durations of the denoising steps that the device has completed so far.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMetrics {
    /// Steps of image models.
    pub image_steps: Histogram,
    /// Steps of motion models.
    pub motion_steps: Histogram,
}

impl Default for StepMetrics {
    fn default() -> Self {
        Self { image_steps: Histogram::new(&BOUNDS), motion_steps: Histogram::new(&BOUNDS) }
    }
}
