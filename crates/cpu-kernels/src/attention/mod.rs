//! Attention of tokens, and of each pixel's frames.
//!
//! Each kind has a file that runs it at every level, and one that does it in AVX-512's registers and knows only the shapes.

mod blocks;
#[cfg(target_arch = "x86_64")]
mod blocks_avx512;
mod shape;
mod softmax;
mod temporal;
#[cfg(target_arch = "x86_64")]
mod temporal_avx512;

pub use self::{
    blocks::attention,
    shape::{AttentionShape, TemporalShape},
    temporal::temporal_attention,
};
