//! Requests for videos as callers sent them: nothing is checked yet, and everything that may be left out is optional.
//!
//! Integers are wide for the same reason as in [`crate::ImageRequest`].

use diffusion_core::adapters::AdapterChoice;
use image::RgbImage;

use crate::spec::choices::Choices;

/// A frame rate as a caller sent it.
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
    /// Its duration, in seconds. Default: the request's `duration_per_scene`.
    pub duration: Option<f64>,
    /// "still" or "moving". Default: moving if `motion` is given, else still.
    pub source: Option<String>,
    /// Its motion parameters. Default: the request's `motion`.
    pub motion: Option<MotionRequest>,
    /// The join to the next scene: "cut", "crossfade" or "slerp". Default: the request's `join`.
    pub join: Option<String>,
    /// The number of frames of that join. Default: the request's `transition_frames`.
    pub transition_frames: Option<i128>,
}

/// Motion parameters of a picture, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MotionRequest {
    /// The number of frames that the model makes at once. Default: as many as it was made for.
    pub num_frames: Option<i128>,
    /// Denoising steps. Default 25.
    pub num_inference_steps: Option<i128>,
    /// The frame rate that conditions the model. Default 7, or the video's own rate for an animation.
    pub conditioning_fps: Option<i128>,
    /// The amount of motion: 1 to 255 and beyond. Default 127.
    pub motion_bucket_id: Option<i128>,
    /// Noise added to the picture first; more gives the model more freedom. Default 0.02.
    pub noise_aug_strength: Option<f64>,
    /// Guidance of the first frame. Default 1.
    pub min_guidance_scale: Option<f64>,
    /// Guidance of the last frame. Default 3.
    pub max_guidance_scale: Option<f64>,
    /// The number of frames that are decoded at once. Default: all.
    pub decode_chunk_size: Option<i128>,
}

/// A video of scenes, unchecked; [`ScenesRequest::validate`] turns it into a spec.
#[derive(Clone, Debug, Default)]
pub struct ScenesRequest {
    /// The model, by the operator's name for it. Default: the server's default model.
    pub model: Option<String>,
    /// The scenes. Required.
    pub scenes: Option<Vec<SceneRequest>>,
    /// A description put before each scene's prompt, so that a character stays the same. Default: nothing.
    pub hero_description: Option<String>,
    /// What no scene should show. Default: nothing.
    pub negative_prompt: Option<String>,
    /// The autoencoder of each picture, by name. Default: the model's, else the full one.
    pub vae: Option<String>,
    /// The adapters of each picture. Default: the model's usual ones. Tags in the prompts (`<lora:NAME:WEIGHT>`) add to them; all scenes must
    /// have the same.
    pub loras: Option<Vec<AdapterChoice>>,
    /// What the model lets requests choose; see [`ScenesRequest::fill_in`].
    pub choices: Choices,
    /// The language of all prompts, by name. Default: the model's, else "plain".
    pub prompt_syntax: Option<String>,
    /// Denoising steps of each picture. Default 25.
    pub num_inference_steps: Option<i128>,
    /// Classifier-free guidance of each picture. Default 7.5.
    pub guidance_scale: Option<f64>,
    /// The scheduler's name. Default: the model's own.
    pub scheduler: Option<String>,
    /// The duration of a scene, in seconds. Default 3.
    pub duration_per_scene: Option<f64>,
    /// Frames per second. Default 24.
    pub fps: Option<FpsRequest>,
    /// The width of a frame in pixels. Default 512.
    pub width: Option<i128>,
    /// The height of a frame in pixels. Default 512.
    pub height: Option<i128>,
    /// Whether pictures are made in the video's proportions. Default: they are made at the model's own size, and squeezed.
    pub proportional: bool,
    /// The number of frames between two scenes. Default 12.
    pub transition_frames: Option<i128>,
    /// The join between scenes: "cut", "crossfade" or "slerp". Default crossfade.
    pub join: Option<String>,
    /// The seed. Required: a caller who wants a random one draws it, because this crate draws none.
    pub seed: Option<i128>,
    /// The motion parameters of moving scenes.
    pub motion: MotionRequest,
}

/// A picture to animate, unchecked; [`AnimationRequest::validate`] turns it into a spec.
#[derive(Clone, Debug, Default)]
pub struct AnimationRequest {
    /// The model, by the operator's name for it. Default: the server's default model.
    pub model: Option<String>,
    /// The picture. Required.
    pub image: Option<RgbImage>,
    /// The motion parameters.
    pub motion: MotionRequest,
    /// Frames per second. Default 7.
    pub fps: Option<FpsRequest>,
    /// The width in pixels, a multiple of 8. Default: the model's own.
    pub width: Option<i128>,
    /// The height in pixels, a multiple of 8. Default: the model's own.
    pub height: Option<i128>,
    /// The noise's seed. Required.
    pub seed: Option<i128>,
}
