//! Camera motion: the visible part of each frame of a video.
//!
//! This module must not depend on pixels: parts are shares of a frame. Invariants: the part of frame k depends only on k and the number of
//! frames; it lies inside the frame, has the frame's aspect ratio, and moves with subpixel precision, without a jump at either end: the
//! path is a smoothstep (3 t^2 - 2 t^3), so that the camera starts and stops gently.

use std::{fmt, str::FromStr};

use super::Part;
use crate::Error;

/// The camera's travel, as a share of the frame: a pan shows 1 - `TRAVEL` of each side and travels over the rest, so that a static object
/// moves by `TRAVEL / (1 - TRAVEL)` of the video's side (0.176); a zoom ends at 1 - `TRAVEL` of each side (1.176 times as large).
pub const TRAVEL: f64 = 0.15;

/// A camera motion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Camera {
    /// No motion: the whole frame is visible.
    #[default]
    Static,
    /// To the right: static objects move to the left.
    Pan,
    /// Upwards: static objects move down.
    Tilt,
    /// In, to the centre: static objects move away from the centre.
    Zoom,
}

impl Camera {
    /// All motions.
    pub const ALL: [Self; 4] = [Self::Static, Self::Pan, Self::Tilt, Self::Zoom];

    /// The name: "static", "pan", "tilt" or "zoom".
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Pan => "pan",
            Self::Tilt => "tilt",
            Self::Zoom => "zoom",
        }
    }

    /// The visible part of frame `index` of `frames`, for a frame of (width, height) pixels.
    pub fn part(self, (width, height): (u32, u32), index: usize, frames: usize) -> Part {
        let way = smooth(index as f64 / frames.saturating_sub(1).max(1) as f64);
        let middle = TRAVEL / 2.0;
        let (share, left, top) = match self {
            Self::Static => (1.0, 0.0, 0.0),
            Self::Pan => (1.0 - TRAVEL, TRAVEL * way, middle),
            Self::Tilt => (1.0 - TRAVEL, middle, TRAVEL * (1.0 - way)),
            Self::Zoom => {
                // The eye perceives an exponential zoom as even: equal parts of the path enlarge by equal factors.
                let share = (1.0 - TRAVEL).powf(way);
                (share, (1.0 - share) / 2.0, (1.0 - share) / 2.0)
            }
        };
        let (width, height) = (f64::from(width), f64::from(height));
        Part { left: left * width, top: top * height, width: share * width, height: share * height }
    }
}

impl fmt::Display for Camera {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Camera {
    type Err = Error;

    /// # Errors
    /// [`Error::Params`] with the known names, if the name is unknown.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|camera| camera.name() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::Params { field: "camera_motion", reason: format!("unknown camera motion {text:?}; known are {known}") }
        })
    }
}

/// The smoothstep function: maps 0..=1 to 0..=1, with slope zero at both ends.
fn smooth(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_inside_the_frame_and_keep_its_proportions() {
        for camera in Camera::ALL {
            for frames in [1, 2, 3, 48, 600] {
                for index in 0..frames {
                    let part = camera.part((1024, 576), index, frames);
                    assert!(part.left >= 0.0 && part.top >= 0.0, "{camera:?} {index} of {frames}: {part:?}");
                    assert!(part.left + part.width <= 1024.0 + 1e-9 && part.top + part.height <= 576.0 + 1e-9, "{camera:?}: {part:?}");
                    assert!((part.width / part.height - 16.0 / 9.0).abs() < 1e-9, "{camera:?}: {part:?}");
                }
            }
        }
    }

    #[test]
    fn the_path_starts_and_ends_at_the_documented_positions() {
        let edges = |camera: Camera, index| {
            let part = camera.part((100, 200), index, 49);
            [part.left, part.top, part.left + part.width, part.top + part.height].map(|edge| (edge * 1e6).round() / 1e6)
        };
        assert_eq!(edges(Camera::Static, 20), [0.0, 0.0, 100.0, 200.0]);
        assert_eq!([edges(Camera::Pan, 0), edges(Camera::Pan, 48)], [[0.0, 15.0, 85.0, 185.0], [15.0, 15.0, 100.0, 185.0]]);
        assert_eq!([edges(Camera::Tilt, 0), edges(Camera::Tilt, 48)], [[7.5, 30.0, 92.5, 200.0], [7.5, 0.0, 92.5, 170.0]]);
        assert_eq!([edges(Camera::Zoom, 0), edges(Camera::Zoom, 48)], [[0.0, 0.0, 100.0, 200.0], [7.5, 15.0, 92.5, 185.0]]);
        assert_eq!(edges(Camera::Pan, 24), [7.5, 15.0, 92.5, 185.0]);
    }

    #[test]
    fn no_step_is_longer_than_one_and_a_half_mean_steps() {
        let left = |index| Camera::Pan.part((1000, 1000), index, 101).left;
        let steps = (1..101).map(|index| left(index) - left(index - 1)).collect::<Vec<f64>>();
        assert!(steps.iter().all(|step| (0.0..=1.5 * 1.5 + 1e-6).contains(step)), "{steps:?}");
        // It starts gently: less than a tenth of the mean step.
        assert!(steps.first().is_some_and(|step| *step < 0.15), "{steps:?}");
    }
}
