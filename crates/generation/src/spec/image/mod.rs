//! Images: from a raw request to a validated one.

mod request;
mod spec;
pub mod validate;

pub use self::{
    request::ImageRequest,
    spec::{ImageMode, ImageSpec},
};
