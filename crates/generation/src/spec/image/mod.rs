//! Images: from an unchecked request to a validated spec.

mod controls;
mod hires;
mod mask;
mod refiner;
mod request;
mod sdxl;
mod spec;
mod upscaler;
pub mod validate;

pub use self::{
    controls::{CannySpec, ControlRequest, ControlSpec, ControlsSpec},
    hires::{HiresRequest, HiresSpec},
    mask::{MaskContent, MaskRequest, MaskSpec, ResizeMode},
    refiner::RefinerSpec,
    request::ImageRequest,
    sdxl::{SdxlRequest, SdxlSpec},
    spec::{ImageMode, ImageSpec},
    upscaler::{UnknownUpscaler, Upscaler},
};
