//! From a request for a clip to its spec, or to all errors at once.
//!
//! Invariants: a validated spec cannot make a later stage overflow, allocate without bound or divide by zero; its video has exactly the
//! frames and the size that the spec states.

use diffusion_core::imaging::Camera;
use image::RgbImage;
use video_encode::FrameRate;

use super::{
    ClipRequest, ClipRules, ClipSpec, RepaintSpec,
    validate::{DEFAULT_CONDITIONING_FPS, MAX_BUCKET_OF_STRENGTH},
};
use crate::{
    model_info::ModelInfo,
    spec::{
        check::{Check, model_name, model_steps},
        choices::Choices,
        field_error::{FieldError, FieldErrorKind},
        image::validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
        limits::{Limits, SHARE},
    },
};

impl ClipRequest {
    /// Fills in the model's defaults, and what it lets requests choose.
    pub fn fill_in(&mut self, model: &ModelInfo) {
        let defaults = &model.defaults;
        self.choices = Choices::of(model);
        let strength = self.strength.unwrap_or(ClipRules::default().strength);
        self.num_inference_steps = self.num_inference_steps.or(model_steps(defaults, Some(strength)).map(Into::into));
        self.guidance_scale = self.guidance_scale.or(defaults.guidance_scale);
        if self.scheduler.is_none() {
            self.scheduler = defaults.scheduler.map(|scheduler| scheduler.to_string());
        }
    }

    /// Checks everything, and fills in the defaults.
    ///
    /// # Errors
    /// All invalid fields, in the order of the struct's fields.
    pub fn validate(self, rules: &ClipRules, limits: &Limits) -> Result<ClipSpec, Vec<FieldError>> {
        let mut check = Check::default();
        let video = &limits.video;
        let image = match self.image {
            None => check.fail("image", "", FieldErrorKind::Missing),
            Some(image) => check.not_empty("image", image.dimensions()).then_some(image),
        };

        let prompt = self.prompt.filter(|prompt| !prompt.trim().is_empty());
        let has_prompt = prompt.is_some();
        let (prompt, tags) = match prompt {
            Some(prompt) => check.tagged_prompt(Some(prompt), limits, &self.choices),
            None => (None, Vec::new()),
        };
        let vae = check.vae(self.vae.filter(|_| has_prompt), &self.choices);
        let is_usual = self.loras.is_none() && tags.is_empty();
        let loras = check.loras(self.loras, ("prompt", tags), limits, &self.choices);
        let negative_prompt = self.negative_prompt.unwrap_or_default();
        check.not_too_long("negative_prompt", &negative_prompt, limits);
        let strength = check.float("strength", self.strength, rules.strength, SHARE);
        let num_inference_steps = check.integer("num_inference_steps", self.num_inference_steps, DEFAULT_STEPS, limits.steps);
        let guidance_scale = check.float("guidance_scale", self.guidance_scale, DEFAULT_GUIDANCE_SCALE, limits.guidance_scale);
        let scheduler = check.scheduler(self.scheduler);
        let repaint = match (prompt, strength, num_inference_steps, guidance_scale, vae.zip(loras)) {
            (Some(prompt), Some(strength), Some(num_inference_steps), Some(guidance_scale), Some((vae, loras))) if strength > 0.0 => {
                check.some_step(strength, num_inference_steps, ", or 0, which repaints nothing");
                let loras = Some(loras).filter(|_| !is_usual);
                Some(RepaintSpec { prompt, negative_prompt, strength, num_inference_steps, guidance_scale, scheduler, vae, loras })
            }
            _ => None,
        };

        let (shortest, longest) = (rules.seconds.0.max(0.0), rules.seconds.1.min(video.scene_seconds.1));
        let seconds = match self.duration {
            None => Some(None),
            Some(seconds) => check.float("duration", Some(seconds), seconds, (shortest, longest)).map(Some),
        };
        let fps = check.fps(self.fps, rules.default_fps, (rules.fps.0.max(video.fps.0), rules.fps.1.min(video.fps.1)));
        let quality = match self.quality {
            None => Some(None),
            Some(quality) => check.quality(&quality, rules.quality).map(Some),
        };
        let size = match self.resolution {
            Some(resolution) => check.resolution(&resolution, limits).map(Some),
            None => Some(match (quality.flatten(), &image) {
                (Some(longer), Some(image)) => Some(of_longer_side(longer, image, video.side.0)),
                _ => rules.default_size,
            }),
        };

        let motion_strength = match self.motion_strength {
            None => Some(None),
            Some(strength) => check.float("motion_strength", Some(strength), strength, SHARE).map(Some),
        };
        if self.motion_strength.is_some() && self.motion.motion_bucket_id.is_some() {
            let error = "it says the same as motion_bucket_id: give one of them".to_owned();
            check.fail::<()>("motion_strength", self.motion_strength.unwrap_or_default(), FieldErrorKind::Value { error });
        }
        let camera = check.camera(self.camera_motion);
        let seed = check.seed(self.seed, limits);
        check.group = Some("motion");
        let motion = check.motion(self.motion, DEFAULT_CONDITIONING_FPS, limits);
        check.group = None;
        let motion = motion.map(|motion| match motion_strength.flatten() {
            None => motion,
            Some(strength) => super::MotionSpec { motion_bucket_id: bucket(strength), ..motion },
        });

        let frames = match (seconds.flatten(), fps) {
            (Some(seconds), Some(fps)) => check.frames(seconds, fps, limits),
            _ => None,
        };
        if let (Some(frames), Some(fps), Some(motion)) = (frames, fps, &motion) {
            check.native_frames("clip", motion, frames, fps.as_f64(), limits);
        }

        let spec = || {
            let (image, motion, camera, fps) = (image?, motion?, camera?, fps?);
            Some(ClipSpec {
                model: model_name(self.model),
                image,
                repaint,
                motion,
                camera,
                frames,
                fps,
                size: size?,
                longer_side: quality?,
                seed: seed?,
            })
        };
        check.finish(spec())
    }
}

/// The motion bucket of a strength of 0 to 1.
fn bucket(strength: f64) -> u32 {
    1 + (strength * f64::from(MAX_BUCKET_OF_STRENGTH - 1)).round() as u32
}

/// The size of a video in a picture's proportions, from its longer side; the shorter one is even, as encoders require.
fn of_longer_side(longer: u32, image: &RgbImage, min_side: u32) -> (u32, u32) {
    let (width, height) = (f64::from(image.width().max(1)), f64::from(image.height().max(1)));
    let shorter = f64::from(longer) * width.min(height) / width.max(height);
    let shorter = ((shorter / 2.0).round() as u32 * 2).clamp(min_side, longer);
    if width >= height { (longer, shorter) } else { (shorter, longer) }
}

impl Check {
    /// The video's number of frames, rounded to the nearest integer.
    fn frames(&mut self, seconds: f64, fps: FrameRate, limits: &Limits) -> Option<usize> {
        let frames = (seconds * fps.as_f64()).round() as usize;
        let max = limits.video.max_frames;
        if frames == 0 {
            let error = format!("the video would have no frame: at {fps} frames per second, that is less than half a frame");
            return self.fail("duration", seconds, FieldErrorKind::Value { error });
        }
        if frames > max {
            let error = format!("the video would have {frames} frames, and has at most {max}");
            return self.fail("duration", seconds, FieldErrorKind::Value { error });
        }
        Some(frames)
    }

    /// A size from "1280x720".
    fn resolution(&mut self, text: &str, limits: &Limits) -> Option<(u32, u32)> {
        let (min, max) = limits.video.side;
        let value = |error: String| FieldErrorKind::Value { error };
        let Some((width, height)) = parsed_size(text) else {
            return self.fail("resolution", text, value("it is no WIDTHxHEIGHT in pixels, as 1280x720".into()));
        };
        if !(min..=max).contains(&width) || !(min..=max).contains(&height) {
            return self.fail("resolution", text, value(format!("a side has {min} to {max} pixels")));
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > limits.max_pixels {
            return self.fail("resolution", text, value(format!("that is {pixels} pixels, and a frame has at most {}", limits.max_pixels)));
        }
        Some((width, height))
    }

    fn quality(&mut self, text: &str, (min, max): (u32, u32)) -> Option<u32> {
        match text.trim().parse::<u32>() {
            Ok(longer) if (min..=max).contains(&longer) => Some(longer),
            Ok(_) | Err(_) => {
                let error = format!("the longer side has {min} to {max} pixels, as \"{max}\"");
                self.fail("quality", text, FieldErrorKind::Value { error })
            }
        }
    }

    fn camera(&mut self, name: Option<String>) -> Option<Camera> {
        let Some(name) = name else { return Some(Camera::default()) };
        match name.parse() {
            Ok(camera) => Some(camera),
            Err(_) => {
                let kind = FieldErrorKind::not_one_of(&name, &Camera::ALL.map(Camera::name));
                self.fail("camera_motion", name, kind)
            }
        }
    }
}

/// (width, height) of "1280x720".
fn parsed_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.trim().split_once(['x', 'X', '×'])?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_span_the_buckets_that_the_model_was_trained_on() {
        assert_eq!([0.0, 0.25, 0.5, 0.6, 1.0].map(bucket), [1, 65, 128, 153, 255]);
    }

    #[test]
    fn a_longer_side_keeps_the_images_proportions() {
        let size = |width, height| of_longer_side(768, &RgbImage::new(width, height), 16);
        assert_eq!([size(100, 100), size(1600, 900), size(900, 1600), size(1000, 1)], [(768, 768), (768, 432), (432, 768), (768, 16)]);
    }

    #[test]
    fn sizes_are_two_numbers_with_an_x_between() {
        assert_eq!([parsed_size("1280x720"), parsed_size(" 64 X 48 ")], [Some((1280, 720)), Some((64, 48))]);
        for text in ["", "x", "1280", "720p", "1280x", "x720", "-1x5", "1x2x3", "99999999999x5", "1e3x5"] {
            assert_eq!(parsed_size(text), None, "{text}");
        }
    }
}
