//! Model timings on this machine, and the estimates of a video's duration that follow from them.
//!
//! It reads no clock: times arrive as values. The invariant: an estimate rests on measurements of this machine alone; without them there is
//! none.

use std::time::Duration;

use diffusion_core::pipelines::scenes::Join;

use crate::{
    backend::video_file::VideoShape,
    spec::video::{ClipSpec, MotionSpec, ScenesSpec, VideoSpec},
};

/// The weight of a new measurement in an average: about the last four dominate.
const WEIGHT: f64 = 0.3;

/// Model timings on this machine, at the model's own image size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// One denoising step of an image, guided if the model's images usually are, in seconds.
    step: Option<f64>,
    /// The time of an image outside its steps (text encoding, decoding), in seconds.
    rest: Option<f64>,
    /// One denoising step of a motion model for one frame, in seconds, everything around it included.
    motion_frame_step: Option<f64>,
    /// The frames of one run of the motion model, where the request does not set them.
    window_frames: Option<usize>,
}

impl Timings {
    /// One denoising step of an image of the model's own size, guided if its images usually are; `None` before the first measurement.
    pub fn step(&self) -> Option<Duration> {
        self.step.map(Duration::from_secs_f64)
    }

    /// Records an image of the model's own size: the time of all its steps, and its total time.
    pub(crate) fn image(&mut self, steps: usize, stepping: Duration, whole: Duration) {
        if steps > 0 {
            let rest = whole.saturating_sub(stepping);
            average(&mut self.step, stepping.as_secs_f64() / steps as f64);
            average(&mut self.rest, rest.as_secs_f64());
        }
    }

    /// Records a video at about the model's own size whose time is nearly all motion; ignores other videos.
    pub(crate) fn video(&mut self, spec: &VideoSpec, shape: &VideoShape, whole: Duration) {
        let (motion, frames) = match (spec, shape.native) {
            (VideoSpec::Animation(spec), _) if spec.size().is_none() => (spec.motion(), shape.frames),
            (VideoSpec::Clip(spec), Some(native)) if spec.longer_side().is_none() && spec.repaint().is_none() => {
                self.window_frames = spec.motion().num_frames().is_none().then_some(native.window_frames).or(self.window_frames);
                (spec.motion(), native.windows * native.window_frames)
            }
            (VideoSpec::Animation(_) | VideoSpec::Clip(_) | VideoSpec::Scenes(_) | VideoSpec::Remote(_), _) => return,
        };
        self.motion(steps(motion), frames, whole);
    }

    fn motion(&mut self, steps: f64, frames: usize, whole: Duration) {
        if steps > 0.0 && frames > 0 {
            average(&mut self.motion_frame_step, whole.as_secs_f64() / (steps * frames as f64));
        }
    }

    /// Estimates the models' time for a clip; `None` without comparable measurements. The encoder's time and the cost of a size above the
    /// model's own are left out.
    pub fn clip(&self, spec: &ClipSpec) -> Option<Duration> {
        let motion = spec.motion();
        let window = motion.num_frames().map_or(self.window_frames, |frames| usize::try_from(frames).ok())?;
        let frames = match spec.frames() {
            None => window,
            Some(frames) => {
                let native = (frames.saturating_sub(1) as f64 * f64::from(motion.conditioning_fps()) / spec.fps().as_f64()).ceil();
                // Each window after the first begins with a frame that exists already.
                let windows = (native / window.saturating_sub(1).max(1) as f64).ceil().max(1.0);
                windows as usize * window
            }
        };
        let mut seconds = self.motion_frame_step? * steps(motion) * frames as f64;
        if let Some(repaint) = spec.repaint() {
            seconds += self.step? * repaint.strength() * f64::from(repaint.num_inference_steps()) + self.rest?;
        }
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Estimates the models' time for a video of scenes; `None` without comparable measurements. The encoder's time is left out.
    pub fn estimate(&self, spec: &ScenesSpec) -> Option<Duration> {
        self.estimate_but(spec, &[])
    }

    /// The same without the parts in `kept`: scene k is part 2k, and the join after it part 2k + 1.
    pub(crate) fn estimate_but(&self, spec: &ScenesSpec, kept: &[bool]) -> Option<Duration> {
        let is_made = |part: usize| kept.get(part) != Some(&true);
        let joins = spec.joins().iter().enumerate().filter(|(index, join)| is_made(2 * index + 1) && matches!(join, Join::Slerp { .. }));
        let between: usize = joins.map(|(_, join)| join.frames()).sum();
        let scenes = || spec.scenes().iter().enumerate().filter(|(index, _)| is_made(2 * index)).map(|(_, scene)| scene);
        let image = self.step? * f64::from(spec.num_inference_steps()) + self.rest?;
        let mut seconds = image * (scenes().count() + between) as f64;
        for scene in scenes() {
            if let Some(motion) = scene.motion() {
                let frames = scene.frames() as f64 * f64::from(motion.conditioning_fps()) / spec.fps().as_f64();
                seconds += self.motion_frame_step? * f64::from(motion.num_inference_steps()) * frames.max(1.0);
            }
        }
        Duration::try_from_secs_f64(seconds).ok()
    }
}

fn steps(motion: &MotionSpec) -> f64 {
    f64::from(motion.num_inference_steps())
}

fn average(so_far: &mut Option<f64>, measured: f64) {
    *so_far = Some(so_far.map_or(measured, |average| average + WEIGHT * (measured - average)));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use diffusion_core::pipelines::clip::NativeFrames;
    use image::RgbImage;
    use video_encode::FrameRate;

    use crate::{
        Limits,
        spec::video::{ClipRequest, ClipRules, SceneRequest, ScenesRequest},
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
    fn an_estimate_follows_from_measurements() {
        let mut timings = Timings::default();
        assert_eq!(timings.estimate(&spec("still")), None);
        timings.image(10, Duration::from_millis(500), Duration::from_millis(700));
        assert_eq!(timings.estimate(&spec("still")), Some(Duration::from_millis(1400)));
        assert_eq!(timings.estimate(&spec("moving")), None);
        // Three seconds at 7 frames are 21 frames of 25 steps.
        timings.motion(25.0, 8, Duration::from_secs(2));
        assert_eq!(timings.estimate(&spec("moving")), Some(Duration::from_millis(6650)));
    }

    #[test]
    fn a_clip_gives_the_estimate_of_the_next() {
        let clip = |duration, prompt: Option<&str>| {
            let request = ClipRequest {
                image: Some(RgbImage::new(8, 8)),
                prompt: prompt.map(str::to_owned),
                duration,
                seed: Some(1),
                ..ClipRequest::default()
            };
            request.validate(&ClipRules::default(), &Limits::DEFAULT).unwrap()
        };
        let native = NativeFrames { width: 128, height: 128, frames: 15, windows: 2, window_frames: 8 };
        let shape = VideoShape { width: 8, height: 8, fps: FrameRate::whole(30), frames: 60, native: Some(native) };
        let mut timings = Timings::default();
        assert_eq!(timings.clip(&clip(Some(2.0), None)), None);
        timings.video(&VideoSpec::Clip(clip(Some(2.0), None)), &shape, Duration::from_secs(4));
        assert_eq!(timings.clip(&clip(Some(2.0), None)), Some(Duration::from_secs(4)));
        assert_eq!(timings.clip(&clip(None, None)), Some(Duration::from_secs(2)));
        // Ten seconds are 70 frames of the model: ten windows, each from the last frame of the one before.
        assert_eq!(timings.clip(&clip(Some(10.0), None)), Some(Duration::from_secs(20)));
        assert_eq!(timings.clip(&clip(None, Some("a boat"))), None);
        timings.image(10, Duration::from_secs(1), Duration::from_millis(1500));
        assert_eq!(timings.clip(&clip(None, Some("a boat"))), Some(Duration::from_millis(3500)));
    }
}
