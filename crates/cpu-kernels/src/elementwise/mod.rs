//! Elementwise operations and norms: the element types, activations, and the register arithmetic that other kernels share.
//!
//! This module must not depend on products.

mod element;
mod norm;
pub(crate) mod pointwise;
mod stored;
pub(crate) mod vector;

pub(crate) use self::element::put;
pub use self::{
    element::Element,
    norm::{Norm, group_norm, group_norm_silu_in_place, layer_norm, layer_norm_shifted},
    pointwise::{Activation, activate},
    stored::Stored,
};
