//! Image arithmetic: resizing, blending and retiming frames, and the numbers behind it. Images and numbers in, images and numbers out.
//!
//! This module must not depend on models, schedulers or tensors. Invariant: integer results are rounded once, and the same input gives the
//! same bytes on every machine.

mod blend;
mod camera;
mod canny;
mod filter;
mod fit;
mod mask;
mod resize;
mod retime;
mod seam;
pub(crate) mod sizes;

pub(crate) use self::{blend::blend, resize::resize, retime::Retime, seam::Seam};
pub use self::{
    camera::{Camera, TRAVEL},
    canny::canny,
    filter::Filter,
    fit::{nearest, padded, padded_mask, resized_mask},
    mask::{blurred_mask, composed, filled},
    resize::{Part, resized, resized_by, resized_part},
};
