//! Clips: a given picture in motion for as long as is wanted, as a caller wrote it and as it is once it is checked.
//!
//! It must not know which API asks: what one of them allows that another does not arrives as [`ClipRules`]. The invariant: a [`ClipSpec`]'s
//! fields are private, so whoever holds one holds numbers inside their limits; and what is stored of one comes back as it was.

use diffusion_core::{pipelines::clip::Camera, schedulers::SchedulerName};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use video_encode::FrameRate;

use super::{FpsRequest, MotionRequest, MotionSpec};
use crate::spec::{stored_picture, stored_text};

/// A clip, unchecked; [`ClipRequest::validate`] is the only way on.
///
/// Integers are wide for the same reason as in [`crate::ImageRequest`].
#[derive(Clone, Debug, Default)]
pub struct ClipRequest {
    /// The model that makes it, by the name that the operator gave it. Default: the server's default model.
    pub model: Option<String>,
    /// The picture. Required. Cut to the video's proportions about its middle, so that nothing is squeezed.
    pub image: Option<RgbImage>,
    /// What the picture is repainted to show before it moves. Default: it is not repainted; nor is it where this is blank.
    pub prompt: Option<String>,
    /// What the repainted picture should not show. Default: nothing.
    pub negative_prompt: Option<String>,
    /// How much of the picture is repainted where there is a prompt, 0 (nothing: it stays as it is) to 1. Default: the rules'.
    pub strength: Option<f64>,
    /// Denoising steps of the repainted picture, of which `strength` are run. Default 25.
    pub num_inference_steps: Option<i128>,
    /// Classifier-free guidance of the repainted picture. Default 7.5.
    pub guidance_scale: Option<f64>,
    /// The scheduler of the repainted picture. Default: the model's own.
    pub scheduler: Option<String>,
    /// How long the video lasts, in seconds. Default: as long as one run of the motion model is enough for (3.4 seconds of Stable Video
    /// Diffusion XT's 25 frames at 7 a second).
    pub duration: Option<f64>,
    /// Frames in a second. Default: the rules'.
    pub fps: Option<FpsRequest>,
    /// A frame's size in pixels, as "1280x720". Default: what `quality` says, then the rules', then the size that the motion model is
    /// run at.
    pub resolution: Option<String>,
    /// The longer side, in pixels, of the frames as the motion model makes them, as far as the model goes: see
    /// [`diffusion_core::pipelines::StableVideoDiffusion::size_for`]. Where there is no `resolution`, that of the video too, in the
    /// picture's proportions. Default: about as many pixels as the model was made for.
    pub quality: Option<String>,
    /// How much moves, 0 to 1: another way to say the motion bucket, 1 + `motion_strength` x 254 to the nearest whole number. Default: the
    /// bucket's.
    pub motion_strength: Option<f64>,
    /// How the camera moves: "static", "pan" (to the right), "tilt" (upwards) or "zoom" (in). Default: static.
    pub camera_motion: Option<String>,
    /// The seed. Required: whoever wants a random one draws it, for nothing below the roof does.
    pub seed: Option<i128>,
    /// How the picture moves. `conditioning_fps` (default 7, Stable Video Diffusion's own rate) is also the rate at which the model's
    /// frames follow one another; those between them are mixed.
    pub motion: MotionRequest,
}

/// What an API allows of a clip, inside the service's own [`crate::Limits`], and what it takes for granted.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipRules {
    /// The shortest and the longest that a clip lasts, in seconds.
    pub seconds: (f64, f64),
    /// The lowest and the highest frame rate.
    pub fps: (f64, f64),
    /// The frame rate when nobody says.
    pub default_fps: FrameRate,
    /// (width, height) of a frame when nobody says; `None` for that of the motion model's frames.
    pub default_size: Option<(u32, u32)>,
    /// The lowest and the highest quality.
    pub quality: (u32, u32),
    /// How much is repainted when there is a prompt and nobody says.
    pub strength: f64,
}

/// 1 to 10 seconds at 1 to 120 frames a second, 30 when nobody says; the size of the model's own frames; qualities of 256 to 1024 pixels;
/// four tenths repainted, which changes a picture's look and leaves what stands where in it.
impl Default for ClipRules {
    fn default() -> Self {
        Self {
            seconds: (1.0, 10.0),
            fps: (1.0, 120.0),
            default_fps: FrameRate::whole(30),
            default_size: None,
            quality: (256, 1024),
            strength: 0.4,
        }
    }
}

/// How a clip's picture is repainted before it moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepaintSpec {
    pub(crate) prompt: String,
    pub(crate) negative_prompt: String,
    pub(crate) strength: f64,
    pub(crate) num_inference_steps: u32,
    pub(crate) guidance_scale: f64,
    #[serde(with = "stored_text::option")]
    pub(crate) scheduler: Option<SchedulerName>,
}

impl RepaintSpec {
    /// What the picture then shows; not blank.
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// What it should not show; may be empty.
    pub fn negative_prompt(&self) -> &str {
        &self.negative_prompt
    }

    /// How much of it is repainted, over 0 to 1: at least one step's worth.
    pub fn strength(&self) -> f64 {
        self.strength
    }

    /// Denoising steps, of which `strength` are run; at least 1.
    pub fn num_inference_steps(&self) -> u32 {
        self.num_inference_steps
    }

    /// Classifier-free guidance, finite, at least 0.
    pub fn guidance_scale(&self) -> f64 {
        self.guidance_scale
    }

    /// The scheduler that was asked for; `None` is the model's own.
    pub fn scheduler(&self) -> Option<SchedulerName> {
        self.scheduler
    }
}

/// A validated request for a clip: every value is inside its limits, and every default is filled in that no model decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClipSpec {
    /// Jobs that were stored by an older version do not say: the default model makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(with = "stored_picture::rgb")]
    pub(crate) image: RgbImage,
    pub(crate) repaint: Option<RepaintSpec>,
    pub(crate) motion: MotionSpec,
    #[serde(with = "stored_text")]
    pub(crate) camera: Camera,
    pub(crate) frames: Option<usize>,
    #[serde(with = "stored_text")]
    pub(crate) fps: FrameRate,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) longer_side: Option<u32>,
    pub(crate) seed: u64,
}

impl ClipSpec {
    /// The model that makes it, by the operator's name; `None` is the default model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The picture.
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// How it is repainted before it moves; `None` leaves it as it is.
    pub fn repaint(&self) -> Option<&RepaintSpec> {
        self.repaint.as_ref()
    }

    /// How it moves; `conditioning_fps` is the rate at which the model's frames follow one another.
    pub fn motion(&self) -> &MotionSpec {
        &self.motion
    }

    /// How the camera moves.
    pub fn camera(&self) -> Camera {
        self.camera
    }

    /// The video's frames: `duration * fps` to the nearest whole number; `None` for as many as one run of the motion model is enough for.
    pub fn frames(&self) -> Option<usize> {
        self.frames
    }

    /// Frames in a second.
    pub fn fps(&self) -> FrameRate {
        self.fps
    }

    /// (width, height) of the video in pixels; `None` for that of the motion model's frames.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// The longer side of the motion model's frames, as far as the model goes; `None` for about as many pixels as it was made for.
    pub fn longer_side(&self) -> Option<u32> {
        self.longer_side
    }

    /// The seed of the repainted picture's noise and of the first window's.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The proportions that the picture is cut to, as a size.
    pub fn proportions(&self) -> (u32, u32) {
        self.size.unwrap_or_else(|| self.image.dimensions())
    }
}
