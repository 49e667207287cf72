//! Validated requests for videos. Their fields are private: validation is the only way to make one, so all numbers in a spec are inside
//! their limits.

use diffusion_core::{
    adapters::AdapterChoice,
    pipelines::scenes::{Join, Timeline},
    prompt::PromptSyntax,
    schedulers::SchedulerName,
    weights::VaeChoice,
};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use video_encode::FrameRate;

use super::{ClipSpec, RemoteVideoSpec};
use crate::spec::{stored_image, stored_joins, stored_text};

/// A validated request for a video.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoSpec {
    /// A video of scenes.
    Scenes(ScenesSpec),
    /// A picture in motion, for one run of a model.
    Animation(AnimationSpec),
    /// A picture in motion, for any duration.
    Clip(ClipSpec),
    /// A video that a provider makes.
    Remote(RemoteVideoSpec),
}

impl VideoSpec {
    /// The number of scenes in which progress is counted; 1 for videos without scenes.
    pub fn parts(&self) -> u32 {
        match self {
            Self::Scenes(spec) => u32::try_from(spec.scenes().len()).unwrap_or(u32::MAX),
            Self::Animation(_) | Self::Clip(_) | Self::Remote(_) => 1,
        }
    }

    /// The request's seed; 0 if it is left to a provider.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Scenes(spec) => spec.seed,
            Self::Animation(spec) => spec.seed,
            Self::Clip(spec) => spec.seed(),
            Self::Remote(spec) => spec.request.seed.unwrap_or_default(),
        }
    }

    /// The local model that makes it, by the operator's name; `None` for the default model, or a provider's.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Scenes(spec) => spec.model(),
            Self::Animation(spec) => spec.model(),
            Self::Clip(spec) => spec.model(),
            Self::Remote(_) => None,
        }
    }

    /// The provider's request, if a provider makes it.
    pub fn remote(&self) -> Option<&RemoteVideoSpec> {
        match self {
            Self::Remote(spec) => Some(spec),
            Self::Scenes(_) | Self::Animation(_) | Self::Clip(_) => None,
        }
    }
}

/// Motion parameters of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MotionSpec {
    pub(crate) num_frames: Option<u32>,
    pub(crate) num_inference_steps: u32,
    pub(crate) conditioning_fps: u32,
    pub(crate) motion_bucket_id: u32,
    pub(crate) noise_aug_strength: f64,
    pub(crate) min_guidance_scale: f64,
    pub(crate) max_guidance_scale: f64,
    pub(crate) decode_chunk_size: Option<u32>,
}

impl MotionSpec {
    /// The number of frames that the model makes at once; `None` for as many as it was made for.
    pub fn num_frames(&self) -> Option<u32> {
        self.num_frames
    }

    /// Denoising steps, at least 1.
    pub fn num_inference_steps(&self) -> u32 {
        self.num_inference_steps
    }

    /// The frame rate that conditions the model, at least 1.
    pub fn conditioning_fps(&self) -> u32 {
        self.conditioning_fps
    }

    /// The amount of motion, at least 1.
    pub fn motion_bucket_id(&self) -> u32 {
        self.motion_bucket_id
    }

    /// Noise added to the picture, finite, at least 0.
    pub fn noise_aug_strength(&self) -> f64 {
        self.noise_aug_strength
    }

    /// Guidance of the first frame, finite, at least 0.
    pub fn min_guidance_scale(&self) -> f64 {
        self.min_guidance_scale
    }

    /// Guidance of the last frame, finite, at least 0.
    pub fn max_guidance_scale(&self) -> f64 {
        self.max_guidance_scale
    }

    /// The number of frames that are decoded at once, at least 1; `None` for all.
    pub fn decode_chunk_size(&self) -> Option<u32> {
        self.decode_chunk_size
    }
}

/// One validated scene.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SceneSpec {
    pub(crate) prompt: String,
    pub(crate) negative_prompt: String,
    pub(crate) seed: u64,
    pub(crate) frames: usize,
    pub(crate) motion: Option<MotionSpec>,
}

impl SceneSpec {
    /// What it shows, including the hero's description; not blank.
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// What it should not show; may be empty.
    pub fn negative_prompt(&self) -> &str {
        &self.negative_prompt
    }

    /// Its noise's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of its own frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Its motion parameters; `None` for a still scene.
    pub fn motion(&self) -> Option<&MotionSpec> {
        self.motion.as_ref()
    }
}

/// A validated request for a video of scenes: every value is inside its limits, and every default is filled in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScenesSpec {
    /// Absent in jobs stored by older versions: the default model makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    pub(crate) scenes: Vec<SceneSpec>,
    #[serde(with = "stored_joins")]
    pub(crate) joins: Vec<Join>,
    pub(crate) has_hero: bool,
    /// Absent in jobs stored by older versions.
    #[serde(default, with = "stored_text")]
    pub(crate) prompt_syntax: PromptSyntax,
    /// Absent in jobs stored by older versions.
    #[serde(default, with = "stored_text")]
    pub(crate) vae: VaeChoice,
    /// Absent for the model's usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored_text::option_list")]
    pub(crate) loras: Option<Vec<AdapterChoice>>,
    pub(crate) num_inference_steps: u32,
    pub(crate) guidance_scale: f64,
    #[serde(with = "stored_text::option")]
    pub(crate) scheduler: Option<SchedulerName>,
    #[serde(with = "stored_text")]
    pub(crate) fps: FrameRate,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Absent in jobs stored by older versions.
    #[serde(default)]
    pub(crate) proportional: bool,
    pub(crate) frames_per_scene: usize,
    pub(crate) transition_frames: u32,
    pub(crate) seed: u64,
}

impl ScenesSpec {
    /// The model, by the operator's name; `None` for the default model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The scenes; at least one.
    pub fn scenes(&self) -> &[SceneSpec] {
        &self.scenes
    }

    /// The joins, one fewer than scenes.
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// The language of all prompts.
    pub fn prompt_syntax(&self) -> PromptSyntax {
        self.prompt_syntax
    }

    /// The autoencoder.
    pub fn vae(&self) -> VaeChoice {
        self.vae
    }

    /// The adapters of each picture, those of the prompts' tags last; `None` for the model's usual ones.
    pub fn loras(&self) -> Option<&[AdapterChoice]> {
        self.loras.as_deref()
    }

    /// Whether a hero's description precedes the prompts.
    pub fn has_hero(&self) -> bool {
        self.has_hero
    }

    /// Denoising steps of each picture, at least 1.
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

    /// Frames per second.
    pub fn fps(&self) -> FrameRate {
        self.fps
    }

    /// The width of a frame in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The height of a frame in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Whether pictures are made in the video's proportions; otherwise at the model's own size, and squeezed.
    pub fn proportional(&self) -> bool {
        self.proportional
    }

    /// The default number of frames of a scene.
    pub fn frames_per_scene(&self) -> usize {
        self.frames_per_scene
    }

    /// The default number of frames of a join.
    pub fn transition_frames(&self) -> u32 {
        self.transition_frames
    }

    /// The default seed of scene 0.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether any scene moves.
    pub fn moves(&self) -> bool {
        self.scenes.iter().any(|scene| scene.motion.is_some())
    }

    /// Which frames belong to which scene or join.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(self.scenes.iter().map(|scene| scene.frames), &self.joins)
    }

    /// The duration of the video, in seconds.
    pub fn seconds(&self) -> f64 {
        self.timeline().frames() as f64 / self.fps.as_f64()
    }
}

/// A validated request for an animated picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnimationSpec {
    /// Absent in jobs stored by older versions: the default model makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(with = "stored_image::rgb")]
    pub(crate) image: RgbImage,
    pub(crate) motion: MotionSpec,
    #[serde(with = "stored_text")]
    pub(crate) fps: FrameRate,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) seed: u64,
}

impl AnimationSpec {
    /// The model, by the operator's name; `None` for the default model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The picture.
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// The motion parameters.
    pub fn motion(&self) -> &MotionSpec {
        &self.motion
    }

    /// Frames per second.
    pub fn fps(&self) -> FrameRate {
        self.fps
    }

    /// (width, height) in pixels, multiples of 8; `None` for the model's own.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// The noise's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
