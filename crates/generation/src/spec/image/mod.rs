//! Images: from an unchecked request to a validated spec.

mod controls;
mod request;
mod sdxl;
mod spec;
pub mod validate;

pub use self::{
    controls::{CannySpec, ControlRequest, ControlSpec, ControlsSpec},
    request::ImageRequest,
    sdxl::{SdxlRequest, SdxlSpec},
    spec::{ImageMode, ImageSpec},
};
