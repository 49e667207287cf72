//! Matrix products: packed weights, the blocks in which rows meet them, and what happens to the sums.
//!
//! It must not know in which basis a convolution is made, beyond how its weights are packed.

mod basis;
pub(crate) mod block;
pub(crate) mod direct;
pub(crate) mod epilogue;
mod pack;
mod peak;
mod shape;

pub(crate) use self::{
    basis::Basis,
    epilogue::Store,
    pack::{COLUMN, STEP_BYTES, TILE_BYTES},
    shape::{GROUP_STEPS, TASKS},
};
pub use self::{
    pack::Packed,
    peak::peak,
    shape::{Blend, ConvShape, Extras},
};
