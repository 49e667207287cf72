//! The bounds of a request, in one place: what is checked, what the API documents and what an error message names.
//!
//! The invariant: every number that decides how much memory or time a request takes has an upper bound here.

/// The bounds of a request: of a field the smallest and the largest value, or the largest where the smallest goes without saying. All of them
/// are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The longest prompt and negative prompt, in characters (not bytes).
    pub max_prompt_chars: usize,
    /// Denoising steps.
    pub steps: (u32, u32),
    /// The guidance scale.
    pub guidance_scale: (f64, f64),
    /// A side, in pixels.
    pub side: (u32, u32),
    /// The most pixels in a picture: width x height.
    pub max_pixels: u64,
    /// The longest side that a finished picture is resized to, in pixels; the shortest is 1.
    pub max_output_side: u32,
    /// Pictures in a request.
    pub count: (u32, u32),
    /// Text encoder layers to leave out.
    pub clip_skip: (u32, u32),
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
    /// How long a scene lasts, in seconds: none for one that is only passed through.
    pub scene_seconds: (f64, f64),
    /// The frame rate.
    pub fps: (f64, f64),
    /// Frames between two scenes.
    pub transition_frames: (u32, u32),
    /// The most frames of a video.
    pub max_frames: usize,
    /// The most pictures that a model makes for a video of scenes: one for each scene, and one for each frame of a join through latents.
    pub max_pictures: usize,
    /// A side of a frame, in pixels.
    pub side: (u32, u32),
    /// Frames that a motion model makes at once.
    pub num_frames: (u32, u32),
    /// The most pixels that a motion model makes at once: width x height x frames.
    pub max_motion_pixels: u64,
    /// The most frames that a motion model makes for one scene.
    pub max_motion_frames: usize,
    /// The frame rate that a motion model is told.
    pub conditioning_fps: (u32, u32),
    /// The motion bucket.
    pub motion_bucket_id: (u32, u32),
    /// Noise that is added to the picture before it is animated.
    pub noise_aug_strength: (f64, f64),
    /// Frames that are decoded at once.
    pub decode_chunk_size: (u32, u32),
}

/// Sides are multiples of this: the VAE's eightfold reduction.
pub const SIDE_MULTIPLE: u32 = 8;

/// The bounds of a share: a strength, an eta.
pub const SHARE: (f64, f64) = (0.0, 1.0);

impl Limits {
    /// The bounds that the service ships with, as a constant for documentation that is made at compile time.
    pub const DEFAULT: Self = Self {
        max_prompt_chars: 2000,
        steps: (1, 150),
        guidance_scale: (0.0, 50.0),
        side: (64, 2048),
        // Two megapixels: 2048 x 1024, or 1448 x 1448. Beyond that the attention of the top level takes minutes on a CPU.
        max_pixels: 2048 * 1024,
        // Resizing takes no model, only memory: 48 MiB for the largest picture.
        max_output_side: 4096,
        count: (1, 16),
        clip_skip: (0, 12),
        // What a signed 64-bit number holds, as most clients' and databases' integers do.
        max_seed: i64::MAX as u64,
        video: VideoLimits {
            max_scenes: 64,
            scene_seconds: (0.0, 600.0),
            fps: (1.0, 120.0),
            transition_frames: (0, 240),
            // Ten minutes at 24 frames a second.
            max_frames: 14_400,
            max_pictures: 512,
            side: (16, 2048),
            num_frames: (2, 64),
            // Stable Video Diffusion's 25 frames in a square of their longer side, the most that a clip makes at once too.
            max_motion_pixels: 1024 * 1024 * 25,
            max_motion_frames: 512,
            conditioning_fps: (1, 120),
            // The model was trained on 1 to 255; other tools let people go on to here.
            motion_bucket_id: (1, 1023),
            noise_aug_strength: (0.0, 10.0),
            decode_chunk_size: (1, 64),
        },
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
