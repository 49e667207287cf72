//! Attention over tokens, and over each pixel's frames.
//!
//! Each kind has a file that runs it at every level, and one that runs it in AVX-512 registers and depends on the shapes only.

mod blocks;
#[cfg(target_arch = "x86_64")]
mod blocks_amx;
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
