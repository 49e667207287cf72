//! Images: from an unchecked request to a validated spec.

mod controls;
mod refiner;
mod request;
mod sdxl;
mod spec;
pub mod validate;

pub use self::{
    controls::{CannySpec, ControlRequest, ControlSpec, ControlsSpec},
    refiner::RefinerSpec,
    request::ImageRequest,
    sdxl::{SdxlRequest, SdxlSpec},
    spec::{ImageMode, ImageSpec},
};
