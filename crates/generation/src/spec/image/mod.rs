//! Images: from an unchecked request to a validated spec.

mod request;
mod spec;
pub mod validate;

pub use self::{
    request::ImageRequest,
    spec::{ImageMode, ImageSpec},
};
