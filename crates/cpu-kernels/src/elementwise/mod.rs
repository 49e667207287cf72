//! One element, or a group of them, at a time: what an element is, activations, norms, and the arithmetic in registers that other kernels
//! share.
//!
//! It must not know products.

mod element;
mod norm;
pub(crate) mod pointwise;
pub(crate) mod vector;

pub(crate) use self::element::put;
pub use self::{
    element::Element,
    norm::{Norm, group_norm, layer_norm, layer_norm_shifted},
    pointwise::{Activation, activate},
};
