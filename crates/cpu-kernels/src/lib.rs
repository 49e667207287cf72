//! The loops in which a diffusion model spends its time on a CPU: slices in, slices out.
//!
//! An [`Engine`] is threads and a [`Level`] of instructions. Weights are [`Packed`] for it once; then [`linear`], [`conv2d`],
//! [`attention()`], [`temporal_attention`], [`group_norm`], [`layer_norm`] and [`activate`] run on activations in f32 or bfloat16, channels last. Each writes all of
//! its output, which need hold nothing before, and gives it back; [`vec_of`] makes a vector so. The crate's README tells how they work.
//!
//! What always holds: sums are f32; results depend on operands and level, never on the number of threads; nothing outside the slices is
//! read or written. Nothing here knows a tensor library, a model or a file.
//!
//! Floors inside the crate (a module imports only modules further left; a test holds them):
//! runtime -> elementwise -> product -> winograd, attention -> conv.

#![allow(unsafe_code, reason = "intrinsics and raw pointers are what this crate fences off; each block says why it is sound")]

mod attention;
mod conv;
mod elementwise;
mod product;
mod runtime;
mod winograd;

pub use attention::{AttentionShape, TemporalShape, attention, temporal_attention};
pub use conv::{conv2d, linear};
pub use elementwise::{Activation, Element, Norm, activate, group_norm, layer_norm, layer_norm_shifted};
pub use product::{Blend, ConvShape, Extras, Packed, peak};
pub use runtime::{Engine, Level, Pool, Priority, configure, engine, vec_of};
