//! One timed measurement.
//!
//! The invariant: the first run finds cold caches, so it is not timed; its operations are counted instead.

use std::time::{Duration, Instant};

use anyhow::Result;
use diffusion_core::weights::VaeChoice;

use super::Size;

pub(super) struct Timing {
    /// The measurement: "unet step", "vae decode", "picture".
    pub(super) what: &'static str,
    /// Of the picture, or of each frame.
    pub(super) size: Size,
    /// Frames per run; None for measurements of a single picture.
    pub(super) frames: Option<usize>,
    /// Texts of a step: 2 if it is guided.
    pub(super) texts: Option<usize>,
    /// The autoencoder of a decode or of a whole picture.
    pub(super) vae: Option<VaeChoice>,
    /// Steps of a whole picture or video.
    pub(super) steps: Option<u32>,
    /// The scheduler of a whole picture or video, or FFmpeg's name of the encoder.
    pub(super) by: Option<String>,
    /// How long each run took, shortest first.
    pub(super) runs: Vec<Duration>,
    /// Floating-point operations of one run; 0 if they are not counted.
    pub(super) flops: u64,
}

impl Timing {
    /// Times `run`, after one untimed run whose operations are counted.
    pub(super) fn of(what: &'static str, size: Size, repeat: u32, run: impl FnMut() -> Result<()>) -> Result<Self> {
        let (runs, flops) = measure(repeat, run)?;
        Ok(Self { what, size, frames: None, texts: None, vae: None, steps: None, by: None, runs, flops })
    }

    /// The same, with a frame count.
    pub(super) fn with_frames(self, frames: usize) -> Self {
        Self { frames: Some(frames), ..self }
    }

    /// The same, of a step with so many texts.
    pub(super) fn with_texts(self, texts: usize) -> Self {
        Self { texts: Some(texts), ..self }
    }

    /// The same, with this autoencoder.
    pub(super) fn with_vae(self, vae: VaeChoice) -> Self {
        Self { vae: Some(vae), ..self }
    }

    /// The same, as a whole picture or video.
    pub(super) fn with_steps(self, steps: u32, scheduler: String) -> Self {
        Self { steps: Some(steps), by: Some(scheduler), ..self }
    }

    /// The given percentile of the runs, by nearest rank.
    pub(super) fn percentile(&self, share: f64) -> Duration {
        let rank = (share * self.runs.len() as f64).ceil() as usize;
        self.runs.get(rank.clamp(1, self.runs.len().max(1)) - 1).copied().unwrap_or_default()
    }

    /// Floating-point operations a second at the median; `None` if they are not counted.
    pub(super) fn flops_per_second(&self) -> Option<f64> {
        (self.flops > 0).then(|| self.flops as f64 / self.percentile(0.5).as_secs_f64())
    }

    /// Units per second at the median: steps for a whole picture or video, else frames if there are several, else runs.
    pub(super) fn per_second(&self) -> f64 {
        let count = match (self.steps, self.frames) {
            (Some(steps), _) => f64::from(steps),
            (None, Some(frames)) if self.what != STEP => frames as f64,
            _ => 1.0,
        };
        count / self.percentile(0.5).as_secs_f64()
    }

    /// The unit of [`Self::per_second`].
    pub(super) fn unit(&self) -> &'static str {
        match (self.steps, self.frames) {
            (Some(_), _) => "steps",
            (None, _) if self.what == STEP => "steps",
            (None, Some(_)) => "frames",
            (None, None) => "pictures",
        }
    }
}

/// One call of the noise predictor.
pub(super) const STEP: &str = "unet step";

/// Times `run`, after one untimed run whose operations are counted: durations, shortest first, and operations.
pub(super) fn measure(repeat: u32, mut run: impl FnMut() -> Result<()>) -> Result<(Vec<Duration>, u64)> {
    let (first, flops) = diffusion_core::ops::execution::counting(&mut run);
    first?;
    let mut runs = Vec::new();
    for _ in 0..repeat {
        let started = Instant::now();
        run()?;
        runs.push(started.elapsed());
    }
    runs.sort_unstable();
    Ok((runs, flops))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(what: &'static str, runs: &[u64]) -> Timing {
        let runs = runs.iter().copied().map(Duration::from_secs).collect();
        Timing { what, size: Size { width: 64, height: 64 }, frames: None, texts: None, vae: None, steps: None, by: None, runs, flops: 0 }
    }

    #[test]
    fn percentiles_are_runs_that_happened() {
        let ten = timing("picture", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!((ten.percentile(0.5).as_secs(), ten.percentile(0.95).as_secs()), (5, 10));
        assert_eq!(timing("picture", &[4]).percentile(0.5).as_secs(), 4);
        assert_eq!(timing("picture", &[]).percentile(0.5).as_secs(), 0);
    }

    #[test]
    fn steps_are_counted_of_steps_and_frames_of_frames() {
        let speed = |timing: Timing| (timing.per_second(), timing.unit());
        assert_eq!(speed(timing("picture", &[5]).with_steps(10, "ddim".into())), (2.0, "steps"));
        assert_eq!(speed(timing("video", &[5]).with_frames(8).with_steps(10, "euler".into())), (2.0, "steps"));
        assert_eq!(speed(timing(STEP, &[2]).with_frames(8)), (0.5, "steps"));
        assert_eq!(speed(timing("vae decode", &[2]).with_frames(8)), (4.0, "frames"));
        assert_eq!(speed(timing("vae decode", &[2])), (0.5, "pictures"));
    }
}
