//! The bounds of a request, in one place: what is checked, what the API documents and what an error message names.
//!
//! The invariant: every number that decides how much memory or time a request takes has an upper bound here.

/// The bounds of a request. All of them are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The longest prompt and negative prompt, in characters (not bytes).
    pub max_prompt_chars: usize,
    /// The most denoising steps; the fewest is 1.
    pub max_steps: u32,
    /// The highest guidance scale; the lowest is 0.
    pub max_guidance_scale: f64,
    /// The shortest side, in pixels.
    pub min_side: u32,
    /// The longest side, in pixels.
    pub max_side: u32,
    /// The most pixels in a picture: width x height.
    pub max_pixels: u64,
    /// The longest side that a finished picture is resized to, in pixels; the shortest is 1.
    pub max_output_side: u32,
    /// The most pictures in a request; the fewest is 1.
    pub max_count: u32,
    /// The most text encoder layers to leave out; the fewest is 0.
    pub max_clip_skip: u32,
    /// The highest seed; the lowest is 0. Picture k of a request uses seed + k, which therefore never overflows.
    pub max_seed: u64,
    /// The bounds of a video.
    pub video: VideoLimits,
}

/// The bounds of a video. All of them are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoLimits {
    /// The most scenes; the fewest is 1.
    pub max_scenes: usize,
    /// The longest that a scene lasts, in seconds; the shortest is 0, for a scene that is only passed through.
    pub max_scene_seconds: f64,
    /// The highest frame rate; the lowest is 1.
    pub max_fps: f64,
    /// The most frames between two scenes; the fewest is 0.
    pub max_transition_frames: u32,
    /// The most frames of a video.
    pub max_frames: usize,
    /// The most pictures that a model makes for a video of scenes: one for each scene, and one for each frame of a join through latents.
    pub max_pictures: usize,
    /// The shortest side of a frame, in pixels; the longest is [`Limits::max_side`].
    pub min_side: u32,
    /// The most frames that a motion model makes at once; the fewest is 2.
    pub max_num_frames: u32,
    /// The most pixels that a motion model makes at once: width x height x frames.
    pub max_motion_pixels: u64,
    /// The most frames that a motion model makes for one scene.
    pub max_motion_frames: usize,
    /// The highest motion bucket; the lowest is 1.
    pub max_motion_bucket_id: u32,
    /// The most noise that is added to the picture before it is animated; the least is 0.
    pub max_noise_aug_strength: f64,
}

/// Sides are multiples of this: the VAE's eightfold reduction.
pub const SIDE_MULTIPLE: u32 = 8;

impl Limits {
    /// The bounds that the service ships with, as a constant for documentation that is made at compile time.
    pub const DEFAULT: Self = Self {
        max_prompt_chars: 2000,
        max_steps: 150,
        max_guidance_scale: 50.0,
        min_side: 64,
        max_side: 2048,
        // Two megapixels: 2048 x 1024, or 1448 x 1448. Beyond that the attention of the top level takes minutes on a CPU.
        max_pixels: 2048 * 1024,
        // Resizing takes no model, only memory: 48 MiB for the largest picture.
        max_output_side: 4096,
        max_count: 16,
        max_clip_skip: 12,
        // What a signed 64-bit number holds, as most clients' and databases' integers do.
        max_seed: i64::MAX as u64,
        video: VideoLimits {
            max_scenes: 64,
            max_scene_seconds: 600.0,
            max_fps: 120.0,
            max_transition_frames: 240,
            // Ten minutes at 24 frames a second.
            max_frames: 14_400,
            max_pictures: 512,
            min_side: 16,
            max_num_frames: 64,
            // Stable Video Diffusion's 25 frames in a square of their longer side, the most that a clip makes at once too.
            max_motion_pixels: 1024 * 1024 * 25,
            max_motion_frames: 512,
            // The model was trained on 1 to 255; other tools let people go on to here.
            max_motion_bucket_id: 1023,
            max_noise_aug_strength: 10.0,
        },
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
