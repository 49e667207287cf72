//! The second pass of an image: it is enlarged, and repainted at its new size ("hires fix").
//!
//! It must not know how an image is enlarged. Invariant: the size of the second pass is within the limits, and every step that was asked for
//! is run.

use diffusion_core::{adapters::UpscalerFolder, schedulers::SchedulerName};
use serde::{Deserialize, Serialize};

use super::upscaler::{self, Upscaler};
use crate::spec::{
    check::Check,
    field_error::{Bound, FieldErrorKind},
    limits::{HIRES_SCALE, Limits, SHARE, SIDE_MULTIPLE},
    stored_text,
};

/// The default factor of the size, and AUTOMATIC1111's default of the share that is repainted.
pub const DEFAULT_HIRES_SCALE: f64 = 2.0;
/// The default share of the second pass's noise.
pub const DEFAULT_HIRES_STRENGTH: f64 = 0.75;
/// The most steps of a schedule of which a part is run: training's timesteps.
const MOST_STEPS: u32 = 1000;

/// An unchecked second pass.
#[derive(Clone, Debug, Default)]
pub struct HiresRequest {
    /// How many times larger the image becomes. Not with a width or a height. Default 2.
    pub scale: Option<f64>,
    /// Its width in pixels. With a height, what exceeds these proportions is cut off; alone, it keeps the proportions.
    pub width: Option<i128>,
    /// Its height in pixels, likewise.
    pub height: Option<i128>,
    /// What enlarges it, by name. Default "Latent".
    pub upscaler: Option<String>,
    /// The steps that repaint it; all of them are run. Default: as many as in the first pass.
    pub steps: Option<i128>,
    /// The share of noise that is added before, above 0. Default 0.75.
    pub strength: Option<f64>,
    /// Its guidance. Default: the first pass's.
    pub guidance_scale: Option<f64>,
    /// Its scheduler, by name. Default: the first pass's.
    pub scheduler: Option<String>,
    /// What it shows. Default: the first pass's.
    pub prompt: Option<String>,
    /// What it should not show. Default: the first pass's.
    pub negative_prompt: Option<String>,
}

/// A validated second pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HiresSpec {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The size to which it is enlarged before the excess is cut off.
    pub(crate) enlarged: (u32, u32),
    #[serde(with = "upscaler::stored")]
    pub(crate) upscaler: Upscaler,
    pub(crate) steps: u32,
    pub(crate) strength: f64,
    pub(crate) guidance_scale: f64,
    #[serde(with = "stored_text::option")]
    pub(crate) scheduler: Option<SchedulerName>,
    pub(crate) prompt: Option<String>,
    pub(crate) negative_prompt: Option<String>,
    /// The factor that was asked for, unless a size was.
    pub(crate) scale: Option<f64>,
}

impl HiresSpec {
    /// (width, height) of the result in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// (width, height) in pixels to which it is enlarged; the excess is cut off evenly at both ends.
    pub fn enlarged(&self) -> (u32, u32) {
        self.enlarged
    }

    /// What enlarges it.
    pub fn upscaler(&self) -> &Upscaler {
        &self.upscaler
    }

    /// The steps that are run.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The share of noise that is added.
    pub fn strength(&self) -> f64 {
        self.strength
    }

    /// Its own prompt, if it has one.
    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    /// Its own negative prompt, if it has one.
    pub fn negative_prompt(&self) -> Option<&str> {
        self.negative_prompt.as_deref()
    }

    /// Its guidance.
    pub fn guidance_scale(&self) -> f64 {
        self.guidance_scale
    }

    /// Its own scheduler, if it has one.
    pub fn scheduler(&self) -> Option<SchedulerName> {
        self.scheduler
    }

    /// The factor that was asked for; `None` if a size was.
    pub fn scale(&self) -> Option<f64> {
        self.scale
    }
}

/// The steps of a schedule of which the share `strength` is at least `steps`: exactly so many are run.
pub fn steps_to_run(steps: u32, strength: f64) -> u32 {
    let run = |total: u32| (f64::from(total) * strength) as u32;
    let about = (f64::from(steps) / strength).ceil();
    // A cast from float saturates.
    let about = if about.is_finite() { about as u32 } else { u32::MAX };
    (about.saturating_sub(1)..=about.saturating_add(1)).find(|total| run(*total) >= steps).unwrap_or(about)
}

/// The first pass, as far as the second one depends on it.
pub(super) struct FirstPass<'a> {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) steps: Option<u32>,
    pub(super) guidance_scale: Option<f64>,
    pub(super) starts_from_noise: bool,
    pub(super) has_refiner: bool,
    /// The networks that may enlarge it.
    pub(super) upscalers: Option<&'a UpscalerFolder>,
    pub(super) limits: &'a Limits,
}

impl Check {
    /// The second pass of a request; `Some(None)` without one.
    pub(super) fn hires(&mut self, request: Option<HiresRequest>, first: &FirstPass<'_>) -> Option<Option<HiresSpec>> {
        let Some(request) = request else { return Some(None) };
        let limits = first.limits;
        let refused = |error: &str| FieldErrorKind::Value { error: error.to_owned() };
        if !first.starts_from_noise {
            return self.fail(
                "hires",
                "",
                refused("only an image that starts from noise has a second pass: leave out init_image or hires"),
            );
        }
        if first.has_refiner {
            return self.fail("hires", "", refused("an image with a refiner has no second pass: leave out refiner or hires"));
        }
        self.group = Some("hires");
        let checked = self.hires_fields(request, first, limits);
        self.group = None;
        checked.map(Some)
    }

    fn hires_fields(&mut self, request: HiresRequest, first: &FirstPass<'_>, limits: &Limits) -> Option<HiresSpec> {
        let HiresRequest { scale, width, height, upscaler, steps, strength, guidance_scale, scheduler, prompt, negative_prompt } = request;
        let has_size = width.is_some() || height.is_some();
        let factor = self.float("scale", scale, DEFAULT_HIRES_SCALE, HIRES_SCALE);
        let side = |check: &mut Self, field, side: Option<i128>| match side {
            None => Some(None),
            Some(side) => check.integer(field, Some(side), 0, limits.side).map(Some),
        };
        let (width, height) = (side(self, "width", width), side(self, "height", height));
        let upscaler = match Upscaler::choose(upscaler.as_deref().unwrap_or("Latent"), first.upscalers) {
            Ok(upscaler) => Some(upscaler),
            Err(error) => self.fail("upscaler", upscaler.unwrap_or_default(), FieldErrorKind::Value { error }),
        };
        let steps = self.integer("steps", steps, first.steps.unwrap_or(1), limits.steps);
        let strength = match strength {
            Some(strength) if strength <= 0.0 => {
                let error = "it repaints nothing: give more than 0, or leave the second pass out".to_owned();
                self.fail("strength", strength, FieldErrorKind::Value { error })
            }
            strength => self.float("strength", strength, DEFAULT_HIRES_STRENGTH, SHARE),
        };
        if let (Some(steps), Some(strength)) = (steps, strength)
            && steps_to_run(steps, strength) > MOST_STEPS
        {
            let smallest = (f64::from(steps) / f64::from(MOST_STEPS) * 1e4).ceil() / 1e4;
            self.fail::<()>("strength", strength, FieldErrorKind::GreaterThanEqual { ge: Bound::Float(smallest) });
        }
        let guidance_scale = self.float("guidance_scale", guidance_scale, first.guidance_scale.unwrap_or(1.0), limits.guidance_scale);
        let scheduler = self.scheduler(scheduler);
        for (field, text) in [("prompt", &prompt), ("negative_prompt", &negative_prompt)] {
            self.not_too_long(field, text.as_deref().unwrap_or_default(), limits);
        }
        let has_tags = prompt.as_deref().is_some_and(diffusion_core::adapters::AdapterChoice::has_tags);
        if has_tags {
            let error = "the second pass has the adapters of the first: choose them in its prompt".to_owned();
            self.fail::<()>("prompt", "", FieldErrorKind::Value { error });
        }
        let (enlarged, size) = sizes((first.width?, first.height?), (width?, height?), factor?);
        for (field, side) in [("width", size.0), ("height", size.1)] {
            if let Some(kind) = FieldErrorKind::of_integer(side.into(), (limits.side.0.into(), limits.side.1.into())) {
                self.fail::<()>(if has_size { field } else { "scale" }, side, kind);
            }
        }
        self.pixels(Some(size.0), Some(size.1), limits);
        Some(HiresSpec {
            width: size.0,
            height: size.1,
            enlarged,
            upscaler: upscaler?,
            steps: steps?,
            strength: strength?,
            guidance_scale: guidance_scale?,
            scheduler,
            prompt,
            negative_prompt,
            scale: factor.filter(|_| !has_size),
        })
    }
}

/// The size to which an image is enlarged, and the part of it that is kept; all sides are rounded down to multiples of 8.
fn sizes(first: (u32, u32), wanted: (Option<u32>, Option<u32>), factor: f64) -> ((u32, u32), (u32, u32)) {
    let rounded = |side: u64| u32::try_from(side / u64::from(SIDE_MULTIPLE)).unwrap_or(u32::MAX / 8).saturating_mul(SIDE_MULTIPLE);
    let (width, height) = (u64::from(first.0), u64::from(first.1));
    // A cast from float saturates.
    let scaled = |side: u64| (side as f64 * factor) as u64;
    let both = |(width, height): (u64, u64)| (rounded(width), rounded(height));
    match (wanted.0.map(u64::from), wanted.1.map(u64::from)) {
        (None, None) => (both((scaled(width), scaled(height))), both((scaled(width), scaled(height)))),
        (Some(x), None) => (both((x, height * x / width.max(1))), both((x, height * x / width.max(1)))),
        (None, Some(y)) => (both((width * y / height.max(1), y)), both((width * y / height.max(1), y))),
        (Some(x), Some(y)) => {
            let enlarged = if width * y < x * height { (x, x * height / width.max(1)) } else { (y * width / height.max(1), y) };
            let (across, down) = both(enlarged);
            let (x, y) = both((x, y));
            ((across.max(x), down.max(y)), (x, y))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_that_was_asked_for_is_run() {
        for steps in 1..=150 {
            for hundredths in 1..=100 {
                let strength = f64::from(hundredths) / 100.0;
                let total = steps_to_run(steps, strength);
                assert_eq!((f64::from(total) * strength) as u32, steps, "{steps} of {total} at {strength}");
            }
        }
    }

    #[test]
    fn sizes_are_the_web_uis_and_multiples_of_eight() {
        for (wanted, factor, enlarged, size) in [
            ((None, None), 2.0, (1024, 1536), (1024, 1536)),
            ((None, None), 1.1, (560, 840), (560, 840)),
            ((Some(1000), None), 9.0, (1000, 1496), (1000, 1496)),
            ((None, Some(1000)), 9.0, (664, 1000), (664, 1000)),
            // Covers the frame; the rest is cut off.
            ((Some(1024), Some(1024)), 9.0, (1024, 1536), (1024, 1024)),
            ((Some(600), Some(1200)), 9.0, (800, 1200), (600, 1200)),
        ] {
            assert_eq!(sizes((512, 768), wanted, factor), (enlarged, size), "{wanted:?} {factor}");
        }
    }
}
