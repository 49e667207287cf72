//! Requests for videos as a caller wrote them: nothing is checked yet, and everything that may be left out is optional.
//!
//! Integers are wide for the same reason as in [`crate::ImageRequest`].

use image::RgbImage;

/// A frame rate as a caller wrote it.
#[derive(Clone, Debug, PartialEq)]
pub enum FpsRequest {
    /// A number: 24, 12.5, 29.97.
    Number(f64),
    /// A text: "24", "30000/1001".
    Text(String),
}

/// One scene, unchecked.
#[derive(Clone, Debug, Default)]
pub struct SceneRequest {
    /// What it shows. Required.
    pub prompt: Option<String>,
    /// What it should not show. Default: the request's.
    pub negative_prompt: Option<String>,
    /// Its noise's seed. Default: the request's seed plus the scene's index.
    pub seed: Option<i128>,
    /// How long it lasts, in seconds. Default: the request's `duration_per_scene`.
    pub duration: Option<f64>,
    /// "still" or "moving". Default: moving if `motion` is given, else still.
    pub source: Option<String>,
    /// How it moves. Default: the request's `motion`.
    pub motion: Option<MotionRequest>,
    /// How it goes over into the next scene: "cut", "crossfade" or "slerp". Default: the request's `join`.
    pub join: Option<String>,
    /// Frames of that join. Default: the request's `transition_frames`.
    pub transition_frames: Option<i128>,
}

/// How a picture is set in motion, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MotionRequest {
    /// Frames that the model makes at once. Default: as many as it was made for.
    pub num_frames: Option<i128>,
    /// Denoising steps. Default 25.
    pub num_inference_steps: Option<i128>,
    /// The frame rate that the model is told. Default 7, or the video's own rate where it is an animation.
    pub conditioning_fps: Option<i128>,
    /// How much moves: 1 to 255 and beyond. Default 127.
    pub motion_bucket_id: Option<i128>,
    /// Noise added to the picture first; more gives the model more freedom. Default 0.02.
    pub noise_aug_strength: Option<f64>,
    /// Guidance of the first frame. Default 1.
    pub min_guidance_scale: Option<f64>,
    /// Guidance of the last frame. Default 3.
    pub max_guidance_scale: Option<f64>,
    /// Frames that are decoded at once. Default: all.
    pub decode_chunk_size: Option<i128>,
}

/// A video of scenes, unchecked; [`ScenesRequest::validate`] is the only way on.
#[derive(Clone, Debug, Default)]
pub struct ScenesRequest {
    /// The model that makes it, by the name that the operator gave it. Default: the server's default model.
    pub model: Option<String>,
    /// The scenes. Required.
    pub scenes: Option<Vec<SceneRequest>>,
    /// What stands before each scene's prompt, so that a character stays the same. Default: nothing.
    pub hero_description: Option<String>,
    /// What no scene should show. Default: nothing.
    pub negative_prompt: Option<String>,
    /// Denoising steps of each picture. Default 25.
    pub num_inference_steps: Option<i128>,
    /// Classifier-free guidance of each picture. Default 7.5.
    pub guidance_scale: Option<f64>,
    /// The scheduler's name. Default: the model's own.
    pub scheduler: Option<String>,
    /// How long a scene lasts, in seconds. Default 3.
    pub duration_per_scene: Option<f64>,
    /// Frames in a second. Default 24.
    pub fps: Option<FpsRequest>,
    /// Pixels across a frame. Default 512.
    pub width: Option<i128>,
    /// Pixels down a frame. Default 512.
    pub height: Option<i128>,
    /// Whether pictures are made in the video's proportions. Default: they are made at the model's own size, and squeezed.
    pub proportional: bool,
    /// Frames between two scenes. Default 12.
    pub transition_frames: Option<i128>,
    /// How scenes go over into one another: "cut", "crossfade" or "slerp". Default crossfade.
    pub join: Option<String>,
    /// The seed. Required: whoever wants a random one draws it, for nothing below the roof does.
    pub seed: Option<i128>,
    /// How moving scenes move.
    pub motion: MotionRequest,
}

/// A picture to be set in motion, unchecked; [`AnimationRequest::validate`] is the only way on.
#[derive(Clone, Debug, Default)]
pub struct AnimationRequest {
    /// The model that makes it, by the name that the operator gave it. Default: the server's default model.
    pub model: Option<String>,
    /// The picture. Required.
    pub image: Option<RgbImage>,
    /// How it moves.
    pub motion: MotionRequest,
    /// Frames in a second. Default 7.
    pub fps: Option<FpsRequest>,
    /// Pixels across, a multiple of 8. Default: the model's own.
    pub width: Option<i128>,
    /// Pixels down, a multiple of 8. Default: the model's own.
    pub height: Option<i128>,
    /// The noise's seed. Required.
    pub seed: Option<i128>,
}
