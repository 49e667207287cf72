//! How fast this machine has been, and how long a video will take on it.
//!
//! It reads no clock: times arrive as values. The invariant: an estimate is made of what was measured here, or there is none.

use std::time::Duration;

use diffusion_core::pipelines::scenes::Join;

use super::ScenesSpec;

/// How much of a new measurement an average takes on: the last four or so decide.
const WEIGHT: f64 = 0.3;

/// What the engine has measured of its model on its machine, at the model's own picture size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// One guided denoising step of a picture, in seconds.
    step: Option<f64>,
    /// What a picture takes beside its steps (its texts, its decoding), in seconds.
    rest: Option<f64>,
    /// One denoising step of a motion model for one frame, in seconds, everything around it included.
    motion_frame_step: Option<f64>,
}

impl Timings {
    /// One guided denoising step of a picture of the model's own size; `None` until one was measured.
    pub fn step(&self) -> Option<Duration> {
        self.step.map(Duration::from_secs_f64)
    }

    /// Takes on a picture of the model's own size: the time of all its steps, and of the whole.
    pub(crate) fn picture(&mut self, steps: usize, stepping: Duration, whole: Duration) {
        if steps > 0 {
            let rest = whole.saturating_sub(stepping);
            average(&mut self.step, stepping.as_secs_f64() / steps as f64);
            average(&mut self.rest, rest.as_secs_f64());
        }
    }

    /// Takes on an animation: its steps, its frames, and its whole time.
    pub(crate) fn animation(&mut self, steps: usize, frames: usize, whole: Duration) {
        if steps > 0 && frames > 0 {
            average(&mut self.motion_frame_step, whole.as_secs_f64() / (steps * frames) as f64);
        }
    }

    /// How long the models will take for a video of scenes; `None` if something like it was never measured here. The encoder's time is
    /// left out.
    pub fn estimate(&self, spec: &ScenesSpec) -> Option<Duration> {
        let between: usize = spec.joins().iter().filter(|join| matches!(join, Join::Slerp { .. })).map(Join::frames).sum();
        let picture = self.step? * f64::from(spec.num_inference_steps()) + self.rest?;
        let mut seconds = picture * (spec.scenes().len() + between) as f64;
        for scene in spec.scenes() {
            if let Some(motion) = scene.motion() {
                let frames = scene.frames() as f64 * f64::from(motion.conditioning_fps()) / spec.fps().as_f64();
                seconds += self.motion_frame_step? * f64::from(motion.num_inference_steps()) * frames.max(1.0);
            }
        }
        Duration::try_from_secs_f64(seconds).ok()
    }
}

fn average(so_far: &mut Option<f64>, measured: f64) {
    *so_far = Some(so_far.map_or(measured, |average| average + WEIGHT * (measured - average)));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::{
        Limits,
        video::{SceneRequest, ScenesRequest},
    };

    use super::*;

    fn spec(source: &str) -> ScenesSpec {
        let scene = |source: &str| SceneRequest { prompt: Some("a boat".into()), source: Some(source.into()), ..SceneRequest::default() };
        let request = ScenesRequest {
            scenes: Some(vec![scene("still"), scene(source)]),
            num_inference_steps: Some(10),
            seed: Some(1),
            ..ScenesRequest::default()
        };
        request.validate(&Limits::DEFAULT).unwrap()
    }

    #[test]
    fn an_estimate_is_made_of_what_was_measured() {
        let mut timings = Timings::default();
        assert_eq!(timings.estimate(&spec("still")), None);
        timings.picture(10, Duration::from_millis(500), Duration::from_millis(700));
        assert_eq!(timings.estimate(&spec("still")), Some(Duration::from_millis(1400)));
        assert_eq!(timings.estimate(&spec("moving")), None);
        // Three seconds at 7 frames are 21 frames of 25 steps.
        timings.animation(25, 8, Duration::from_secs(2));
        assert_eq!(timings.estimate(&spec("moving")), Some(Duration::from_millis(6650)));
    }
}
