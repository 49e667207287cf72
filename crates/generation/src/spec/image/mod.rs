//! Images: from an unchecked request to a validated spec.

mod request;
mod sdxl;
mod spec;
pub mod validate;

pub use self::{
    request::ImageRequest,
    sdxl::{SdxlRequest, SdxlSpec},
    spec::{ImageMode, ImageSpec},
};
