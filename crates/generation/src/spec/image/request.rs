//! A request as a caller wrote it: nothing is checked yet, and everything that may be left out is optional.
//!
//! Integers are wide enough for anything a caller can write down, so that "-1" and "10^30" reach the validation and are answered with
//! the field's limit instead of with a parser's message.

use image::{GrayImage, RgbImage};

/// An unchecked request; [`ImageRequest::validate`] is the only way on.
#[derive(Clone, Debug, Default)]
pub struct ImageRequest {
    /// The model that makes it, by the name that the operator gave it. Default: the server's default model.
    pub model: Option<String>,
    /// What the picture shows. Required.
    pub prompt: Option<String>,
    /// What the picture should not show. Default: nothing.
    pub negative_prompt: Option<String>,
    /// Denoising steps. Default 25.
    pub num_inference_steps: Option<i128>,
    /// Classifier-free guidance; 1 or less turns it off. Default 7.5.
    pub guidance_scale: Option<f64>,
    /// Width in pixels. Default: the initial picture's, else the model's own.
    pub width: Option<i128>,
    /// Height in pixels. Default: the initial picture's, else the model's own.
    pub height: Option<i128>,
    /// The size that the picture is brought to when it is made: cut to these proportions about its middle, then resized. Default: it stays
    /// as it was made.
    pub output_size: Option<(u32, u32)>,
    /// The number of pictures; picture k uses `seed + k`. Default 1.
    pub count: Option<i128>,
    /// The noise's seed. Required: whoever wants a random one draws it, for nothing below the roof does.
    pub seed: Option<i128>,
    /// The scheduler's name ("euler", "dpmpp-2m-karras"). Default: the model's own.
    pub scheduler: Option<String>,
    /// The share of fresh noise in a step, 0 to 1, for the schedulers that take one. Default: the scheduler's own.
    pub eta: Option<f64>,
    /// How many of the text encoder's last layers are left out. Default 0.
    pub clip_skip: Option<i128>,
    /// How much of the initial picture is repainted, 0 to 1. Only with `init_image`. Default 0.75.
    pub strength: Option<f64>,
    /// A picture to start from.
    pub init_image: Option<RgbImage>,
    /// White where the initial picture is repainted, black where it is kept. Only with `init_image`.
    pub mask_image: Option<GrayImage>,
}
