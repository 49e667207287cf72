//! Clips: a given picture in motion for any duration; the unchecked request and the validated spec.
//!
//! It must not know which API is used: differences between APIs arrive as [`ClipRules`]. Invariants: a [`ClipSpec`]'s fields are private,
//! so all its numbers are inside their limits; a stored spec is read back unchanged.

use diffusion_core::{adapters::AdapterChoice, imaging::Camera, schedulers::SchedulerName, weights::VaeChoice};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use video_encode::FrameRate;

use super::{FpsRequest, MotionRequest, MotionSpec};
use crate::spec::{choices::Choices, stored_image, stored_text};

/// A clip, unchecked; [`ClipRequest::validate`] turns it into a spec.
///
/// Integers are wide for the same reason as in [`crate::ImageRequest`].
#[derive(Clone, Debug, Default)]
pub struct ClipRequest {
    /// The model, by the operator's name for it. Default: the server's default model.
    pub model: Option<String>,
    /// The picture. Required. It is cropped to the video's proportions about its centre, so that nothing is squeezed.
    pub image: Option<RgbImage>,
    /// What the picture is repainted to show before it moves. Default, or if blank: it is not repainted.
    pub prompt: Option<String>,
    /// What the repainted picture should not show. Default: nothing.
    pub negative_prompt: Option<String>,
    /// How much of the picture is repainted if there is a prompt, 0 (nothing: it stays as it is) to 1. Default: the rules'.
    pub strength: Option<f64>,
    /// Denoising steps of the repainted picture, of which `strength` are run. Default 25.
    pub num_inference_steps: Option<i128>,
    /// Classifier-free guidance of the repainted picture. Default 7.5.
    pub guidance_scale: Option<f64>,
    /// The scheduler of the repainted picture. Default: the model's own.
    pub scheduler: Option<String>,
    /// The autoencoder of the repainted picture, by name. Default: the model's, else the full one.
    pub vae: Option<String>,
    /// The adapters of the repainted picture. Default: the model's usual ones. Tags in the prompt (`<lora:NAME:WEIGHT>`) add to them.
    pub loras: Option<Vec<AdapterChoice>>,
    /// What the model lets requests choose; see [`ClipRequest::fill_in`].
    pub choices: Choices,
    /// The duration of the video, in seconds. Default: that of one run of the motion model (3.4 seconds with Stable Video Diffusion XT's 25
    /// frames at 7 per second).
    pub duration: Option<f64>,
    /// Frames per second. Default: the rules'.
    pub fps: Option<FpsRequest>,
    /// A frame's size in pixels, as "1280x720". Default: from `quality`, otherwise the rules', otherwise the size at which the motion model
    /// runs.
    pub resolution: Option<String>,
    /// The longer side, in pixels, of the motion model's frames, within the model's range: see
    /// [`diffusion_core::pipelines::StableVideoDiffusion::size_for`]. Without a `resolution`, also that of the video, in the picture's
    /// proportions. Default: about as many pixels as the model was made for.
    pub quality: Option<String>,
    /// The amount of motion, 0 to 1: an alternative to the motion bucket, 1 + `motion_strength` x 254 rounded to the nearest integer.
    /// Default: the bucket's.
    pub motion_strength: Option<f64>,
    /// How the camera moves: "static", "pan" (to the right), "tilt" (upwards) or "zoom" (in). Default: static.
    pub camera_motion: Option<String>,
    /// The seed. Required: a caller who wants a random one draws it, because this crate draws none.
    pub seed: Option<i128>,
    /// The motion parameters. `conditioning_fps` (default 7, Stable Video Diffusion's own rate) is also the rate of the model's frames;
    /// frames in between are interpolated.
    pub motion: MotionRequest,
}

/// An API's limits and defaults for clips, inside the server's own [`crate::Limits`].
#[derive(Clone, Debug, PartialEq)]
pub struct ClipRules {
    /// The minimum and maximum duration, in seconds.
    pub seconds: (f64, f64),
    /// The minimum and maximum frame rate.
    pub fps: (f64, f64),
    /// The default frame rate.
    pub default_fps: FrameRate,
    /// The default (width, height) of a frame; `None` for that of the motion model's frames.
    pub default_size: Option<(u32, u32)>,
    /// The minimum and maximum quality.
    pub quality: (u32, u32),
    /// The default strength if there is a prompt.
    pub strength: f64,
}

/// 1 to 10 seconds at 1 to 120 frames per second, default 30; the size of the model's own frames; qualities of 256 to 1024 pixels; a
/// strength of 0.4, which changes a picture's look but keeps its composition.
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
    /// Absent in jobs stored by older versions.
    #[serde(default, with = "stored_text")]
    pub(crate) vae: VaeChoice,
    /// Absent for the model's usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored_text::option_list")]
    pub(crate) loras: Option<Vec<AdapterChoice>>,
}

impl RepaintSpec {
    /// What the picture shows afterwards; not blank.
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

    /// The requested scheduler; `None` for the model's own.
    pub fn scheduler(&self) -> Option<SchedulerName> {
        self.scheduler
    }

    /// The autoencoder.
    pub fn vae(&self) -> VaeChoice {
        self.vae
    }

    /// The adapters, those of the prompt's tags last; `None` for the model's usual ones.
    pub fn loras(&self) -> Option<&[AdapterChoice]> {
        self.loras.as_deref()
    }
}

/// A validated request for a clip: every value is inside its limits, and all defaults that do not depend on a model are filled in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClipSpec {
    /// Absent in jobs stored by older versions: the default model makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(with = "stored_image::rgb")]
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
    /// The model, by the operator's name; `None` for the default model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The picture.
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// How it is repainted before it moves; `None` keeps it as it is.
    pub fn repaint(&self) -> Option<&RepaintSpec> {
        self.repaint.as_ref()
    }

    /// The motion parameters; `conditioning_fps` is the rate of the model's frames.
    pub fn motion(&self) -> &MotionSpec {
        &self.motion
    }

    /// How the camera moves.
    pub fn camera(&self) -> Camera {
        self.camera
    }

    /// The video's number of frames: `duration * fps` rounded to the nearest integer; `None` for those of one run of the motion model.
    pub fn frames(&self) -> Option<usize> {
        self.frames
    }

    /// Frames per second.
    pub fn fps(&self) -> FrameRate {
        self.fps
    }

    /// (width, height) of the video in pixels; `None` for that of the motion model's frames.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// The longer side of the motion model's frames, within the model's range; `None` for about as many pixels as it was made for.
    pub fn longer_side(&self) -> Option<u32> {
        self.longer_side
    }

    /// The seed of the repainted picture's noise and of the first window's.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The proportions to which the picture is cropped, as a size.
    pub fn proportions(&self) -> (u32, u32) {
        self.size.unwrap_or_else(|| self.image.dimensions())
    }
}
