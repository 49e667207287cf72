//! A request as a caller sent it: nothing is checked yet, and everything that may be left out is optional.
//!
//! Integers are wide enough for any number that a caller may write, so that "-1" and "10^30" reach the validation, whose error names the
//! field's limit, instead of failing in a parser.

use diffusion_core::adapters::AdapterChoice;
use image::{GrayImage, RgbImage};

use super::{ControlRequest, HiresRequest, MaskRequest, SdxlRequest};
use crate::image_file::ImageFormat;

/// An unchecked request; [`ImageRequest::validate`] turns it into a spec.
#[derive(Clone, Debug, Default)]
pub struct ImageRequest {
    /// The model, by the operator's name for it. Default: the server's default model.
    pub model: Option<String>,
    /// What the picture shows. Required, unless the request is `wordless`.
    pub prompt: Option<String>,
    /// Whether the prompt may be empty, so that the picture follows the initial one, or nothing but the noise. Default: no.
    pub wordless: bool,
    /// What the picture should not show. Default: nothing.
    pub negative_prompt: Option<String>,
    /// The language of both, by name. Default: the model's, else "plain".
    pub prompt_syntax: Option<String>,
    /// The autoencoder, by name. Default: the model's, else "full".
    pub vae: Option<String>,
    /// Fields of Stable Diffusion XL; other models refuse them. Default: none.
    pub sdxl: SdxlRequest,
    /// Denoising steps. Default 25.
    pub num_inference_steps: Option<i128>,
    /// Classifier-free guidance; 1 or less turns it off. Default 7.5.
    pub guidance_scale: Option<f64>,
    /// Width in pixels. Default: the initial picture's, else the model's own.
    pub width: Option<i128>,
    /// Height in pixels. Default: the initial picture's, else the model's own.
    pub height: Option<i128>,
    /// The size to which the finished picture is converted: cropped to these proportions about its centre, then resized. Default: it keeps
    /// its size.
    pub output_size: Option<(u32, u32)>,
    /// The format of the picture's file. Default: PNG.
    pub file_format: ImageFormat,
    /// The number of pictures; picture k uses `seed + k`. Default 1.
    pub count: Option<i128>,
    /// The noise's seed. Required: a caller who wants a random one draws it, because this crate draws none.
    pub seed: Option<i128>,
    /// The scheduler's name ("euler", "dpmpp-2m-karras"). Default: the model's own.
    pub scheduler: Option<String>,
    /// The share of fresh noise in a step, 0 to 1, for schedulers that use it. Default: the scheduler's own.
    pub eta: Option<f64>,
    /// The number of the text encoder's last layers to skip. Default 0.
    pub clip_skip: Option<i128>,
    /// The adapters. Default: the model's usual ones. Tags in the prompt (`<lora:NAME:WEIGHT>`) add to them.
    pub loras: Option<Vec<AdapterChoice>>,
    /// The ControlNets. Default: none.
    pub controlnets: Vec<ControlRequest>,
    /// Whether they act on the prompt's half of the guidance only, so that a picture follows them without a prompt. Only with `controlnets`.
    /// Default: no.
    pub guess_mode: Option<bool>,
    /// The model that ends the picture, by the operator's name for it: Stable Diffusion XL's refiner. Default: none.
    pub refiner: Option<String>,
    /// The share of training's timesteps after which it takes over, 0 to 1. Only with `refiner`. Default 0.8.
    pub refiner_switch: Option<f64>,
    /// How much of the initial picture is repainted, 0 to 1. Only with `init_image`. Default 0.75.
    pub strength: Option<f64>,
    /// A picture to start from.
    pub init_image: Option<RgbImage>,
    /// How an initial picture of other proportions is brought to the size, by name. Only with `init_image`. Default "stretch".
    pub resize_mode: Option<String>,
    /// White where the initial picture is repainted, black where it is kept. Only with `init_image`.
    pub mask_image: Option<GrayImage>,
    /// How the mask is applied. Only with `mask_image`. Default: as it is.
    pub mask: Option<MaskRequest>,
    /// The second pass, at a larger size. Only without `init_image`. Default: none.
    pub hires: Option<HiresRequest>,
}
