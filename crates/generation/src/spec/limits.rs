//! The bounds of a request, in one place, for validation, API documentation and error messages.
//!
//! Invariant: every number that decides how much memory or time a request takes has an upper bound here.

/// The bounds of a request, as (smallest, largest), or just the largest if the smallest is obvious. All are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The maximum length of a prompt and of a negative prompt, in characters (not bytes).
    pub max_prompt_chars: usize,
    /// Denoising steps.
    pub steps: (u32, u32),
    /// The guidance scale.
    pub guidance_scale: (f64, f64),
    /// A side, in pixels.
    pub side: (u32, u32),
    /// The maximum number of pixels of a picture: width x height.
    pub max_pixels: u64,
    /// The longest side to which a finished picture can be resized, in pixels; the shortest is 1.
    pub max_output_side: u32,
    /// The number of pictures of a request.
    pub count: (u32, u32),
    /// The number of text encoder layers to skip.
    pub clip_skip: (u32, u32),
    /// The maximum number of adapters.
    pub max_loras: usize,
    /// The maximum number of ControlNets.
    pub max_controlnets: usize,
    /// The highest seed; the lowest is 0. Picture k of a request uses seed + k, which therefore never overflows.
    pub max_seed: u64,
    /// The bounds of a video.
    pub video: VideoLimits,
}

/// The bounds of a video. All are inclusive.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoLimits {
    /// The maximum number of scenes; the minimum is 1.
    pub max_scenes: usize,
    /// The duration of a scene, in seconds: 0 for a scene that transitions only pass through.
    pub scene_seconds: (f64, f64),
    /// The frame rate.
    pub fps: (f64, f64),
    /// Frames between two scenes.
    pub transition_frames: (u32, u32),
    /// The maximum number of frames of a video.
    pub max_frames: usize,
    /// The maximum number of pictures that a model makes for a video of scenes: one per scene, and one per frame of a latent interpolation.
    pub max_images: usize,
    /// A side of a frame, in pixels.
    pub side: (u32, u32),
    /// The number of frames that a motion model makes at once.
    pub num_frames: (u32, u32),
    /// The maximum number of pixels that a motion model makes at once: width x height x frames.
    pub max_motion_pixels: u64,
    /// The maximum number of frames that a motion model makes for one scene.
    pub max_motion_frames: usize,
    /// The frame rate that conditions a motion model.
    pub conditioning_fps: (u32, u32),
    /// The motion bucket.
    pub motion_bucket_id: (u32, u32),
    /// Noise added to the picture before it is animated.
    pub noise_aug_strength: (f64, f64),
    /// The number of frames that are decoded at once.
    pub decode_chunk_size: (u32, u32),
}

/// Sides are multiples of this, because the VAE downsamples by 8.
pub const SIDE_MULTIPLE: u32 = 8;

/// The bounds of a fraction: a strength, an eta.
pub const SHARE: (f64, f64) = (0.0, 1.0);

/// The bounds of the factor by which a second pass enlarges an image.
pub const HIRES_SCALE: (f64, f64) = (1.0, 4.0);

/// The bounds of the blur of a mask's edge, in pixels: those of AUTOMATIC1111's web UI.
pub const MASK_BLUR: (f64, f64) = (0.0, 64.0);

/// The bounds of the pixels about a mask that are made with it.
pub const MASK_PADDING: (u32, u32) = (0, 256);

/// The bounds of a ControlNet's weight.
pub const CONTROL_WEIGHT: (f64, f64) = (0.0, 4.0);

/// The bounds of the thresholds of an image's edges: up to the largest gradient.
pub const CANNY_THRESHOLD: (f64, f64) = (0.0, 2040.0);

/// The longest side, and the largest position, of a size that a request only declares to a Stable Diffusion XL model.
pub const MAX_DECLARED_SIDE: u32 = 8192;

/// The bounds of the aesthetic scores of Stable Diffusion XL's refiner.
pub const AESTHETIC_SCORE: (f64, f64) = (0.0, 10.0);

impl Limits {
    /// The default bounds, as a constant for documentation that is generated at compile time.
    pub const DEFAULT: Self = Self {
        max_prompt_chars: 2000,
        steps: (1, 150),
        guidance_scale: (0.0, 50.0),
        side: (64, 2048),
        // Two megapixels: 2048 x 1024, or 1448 x 1448. Above that, attention at the UNet's top level takes minutes on a CPU.
        max_pixels: 2048 * 1024,
        // Resizing needs no model, only memory: 48 MiB for the largest picture.
        max_output_side: 4096,
        count: (1, 16),
        clip_skip: (0, 12),
        max_loras: 16,
        // As many as a model keeps loaded.
        max_controlnets: 4,
        // The maximum of a signed 64-bit integer, which most clients and databases use.
        max_seed: i64::MAX as u64,
        video: VideoLimits {
            max_scenes: 64,
            scene_seconds: (0.0, 600.0),
            fps: (1.0, 120.0),
            transition_frames: (0, 240),
            // Ten minutes at 24 frames per second.
            max_frames: 14_400,
            max_images: 512,
            side: (16, 2048),
            num_frames: (2, 64),
            // Stable Video Diffusion's 25 frames in a square of their longer side; also the most that a clip makes at once.
            max_motion_pixels: 1024 * 1024 * 25,
            max_motion_frames: 512,
            conditioning_fps: (1, 120),
            // The model was trained on 1 to 255; other tools allow values up to this.
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
