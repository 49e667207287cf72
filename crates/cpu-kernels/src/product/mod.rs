//! Matrix products: packed weights, the micro-kernels that multiply blocks of rows with them, and the epilogue.
//!
//! This module must not depend on a convolution's basis, beyond how its weights are packed.

mod basis;
pub(crate) mod block;
#[cfg(target_arch = "x86_64")]
pub(crate) mod chain;
mod changed;
pub(crate) mod direct;
pub(crate) mod epilogue;
mod pack;
mod peak;
mod shape;

pub use self::{
    basis::Images,
    changed::{Change, Difference, Weight},
    pack::Packed,
    peak::peak,
    shape::{Blend, Channels, ConvShape, Extras, Link, PART_CHANNELS},
};
pub(crate) use self::{
    basis::{Basis, FAR, MOST_POINTS, MOST_SIDE, NEAR},
    epilogue::Store,
    pack::{COLUMN, STEP_BYTES, TILE_BYTES},
    shape::GROUP_STEPS,
};
