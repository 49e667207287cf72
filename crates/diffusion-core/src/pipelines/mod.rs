//! The pipelines, each with one method: [`StableDiffusion::image`] generates an image from noise, from an image, or inside a mask;
//! [`StableVideoDiffusion::image_to_video`] sets an image in motion; [`scenes`] and [`clip`] combine both to longer videos; [`caption`] is
//! not diffusion, but takes images and weights as the others do.
//!
//! Pipelines must not depend on the origin of a request or the use of its result. Invariant, the seed contract: a call draws all its
//! noise from one stream, torch's CPU generator seeded with `seed`, in f32 and in the order in which diffusers' pipeline of the same name
//! draws it; a call generates one image or one video, so that no result depends on another. Follows diffusers'
//! `pipelines/stable_diffusion/` and `pipelines/stable_video_diffusion/`.

pub mod caption;
pub mod clip;
mod context;
mod decode_split;
mod embedded;
mod image;
mod image_to_video;
mod inspect;
mod latent_colours;
mod memory;
mod progress;
pub mod scenes;
pub mod upscale;

pub use self::{
    context::{RunContext, VideoContext},
    embedded::{nano_sd, nano_svd},
    image::{
        ControlNet, ControlParams, ControlsParams, Enlarge, EnlargeImage, HandedOver, ImageDefaults, ImageFacts, ImageParams, LatentResize,
        MaskFill, NO_FULL_VAE, NO_TINY_VAE, SecondPass, StableDiffusion, Start, UnloadedModel, XlParams, available_vaes, control_window,
        first_user_step, smallest_strength,
    },
    image_to_video::{ImageToVideoParams, MotionParams, StableVideoDiffusion},
    inspect::{IgnoredFields, Inspection, ignored_fields, inspect},
    memory::{ImageCall, ImageMemory, MotionCall, MotionMemory},
    progress::{Activity, VideoMonitor, VideoProgress},
};
