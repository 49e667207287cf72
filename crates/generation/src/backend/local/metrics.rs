//! The steps that the device has done, timed, for whoever watches it.

use crate::histogram::Histogram;

/// Upper bounds of a step's time, in seconds: from a small model's on a good machine to a large one's on a bad one.
const BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// The denoising steps that the device has done so far.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMetrics {
    /// Those of images.
    pub picture_steps: Histogram,
    /// Those of motion.
    pub motion_steps: Histogram,
}

impl Default for StepMetrics {
    fn default() -> Self {
        Self { picture_steps: Histogram::new(&BOUNDS), motion_steps: Histogram::new(&BOUNDS) }
    }
}
